import { expect, it } from 'vitest';
import { MemoryStore } from '../../src/store/memory.ts';
import { conformance, runOf, skipOf, type Driver } from './conformance.ts';
import { replayConformance } from './replays.ts';

const driver: Driver = { open: async () => new MemoryStore(), again: async (store) => store };
conformance('memory', driver);
replayConformance('memory', driver);

it('keeps a bounded number of rows, and every run that is not finished', async () => {
  const store = new MemoryStore(10);
  await store.claim([runOf('open', 0)], []);
  for (let n = 1; n <= 100; n += 1) {
    await store.claim([runOf(`${n}`, n)], [skipOf(n, { jobId: 'b' })]);
    await store.save(runOf(`${n}`, n, { state: 'finished', outcome: { kind: 'succeeded' } }));
  }
  const rows = await store.history({});
  expect(rows.length).toBeLessThanOrEqual(41);
  expect(rows.some((row) => 'run' in row && row.run.id === 'open')).toBe(true);
});
