import { expect, it } from 'vitest';
import { startDaemon } from '../support/daemon.ts';

const TRACED = ['/bin/sh', '-c', 'exec "$0" --trace-memory-reducer "$@"'];

it('V8 shrinks the heap once after a start and then lets the daemon sleep', async () => {
  const jobs = { job: { cron: '0 0 29 2 *', run: 'exit 1' } };
  const daemon = startDaemon({ jobs: JSON.stringify({ jobs }), wrapper: TRACED });
  await daemon.until('V8 to be done', () => daemon.text.includes('finished GC #1 (done)'));
  expect(daemon.text).not.toContain('will do more');
});
