/** Where there is no perl, a shell starts the processes, and nobody should notice. */
import { expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { bench, spawnBy } from './harness.ts';

spawnBy(['/bin/bash', '--norc', '-p']);

it('bash starts them', () => {
  const { spawnerPid } = bench().executor;
  expect(readFileSync(`/proc/${spawnerPid}/cmdline`, 'utf8').split('\0')[0]).toBe('/bin/bash');
});

await import('./outcomes.test.ts');
await import('./data.test.ts');
await import('./escapes.test.ts');
