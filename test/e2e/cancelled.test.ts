/** A run is cancelled, and its daemon dies before the run has ended: the next one goes on with that. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ask, socketOf, startAsked } from '../http/support.ts';
import { directory, processOf, startDaemon, until } from '../support/daemon.ts';
import { historyOf } from '../support/history.ts';

/** Both are asked to end while they run `script`; by then the first daemon, which asked, is gone. Gives the directory and the pid. */
async function cancelledAndLeft(script: string): Promise<{ where: string; pid: number }> {
  const where = directory();
  const daemon = await startAsked({ directory: where, jobs: fileOf({ run: script, kill_after: '1h' }) });
  const { body } = await ask(socketOf(daemon), '/api/v1/jobs/job/runs', { method: 'POST' });
  const { pid } = await daemon.waitFor('its pid', ({ event }) => event === 'attempt_started');
  await until('it to listen', () => existsSync(join(where, 'ready')));
  const told = await ask(socketOf(daemon), `/api/v1/runs/${body.id as string}/cancel`, { method: 'POST' });
  expect(told.body).toMatchObject({
    state: 'running',
    attempts: [{ cancelledBy: 'operator', outcome: null }],
  });
  daemon.signal('SIGKILL');
  expect(await daemon.exited).toBe('SIGKILL');
  return { where, pid: Number(pid) };
}

function fileOf(job: object): string {
  return JSON.stringify({ jobs: { job: { cron: '0 0 1 1 *', retry: { limit: 3, delay: '1s' }, ...job } } });
}

/** What the next daemon makes of it. */
async function takenUp(where: string, job: object): Promise<object> {
  const next = startDaemon({ directory: where, jobs: fileOf(job) });
  const { found } = await next.waitFor('it to be taken up', ({ event }) => event === 'run_recovered');
  await next.waitFor('its end', ({ event }) => event === 'run_finished');
  const { runs } = historyOf(next.stateDirectory, 'job');
  expect(runs).toHaveLength(1);
  return { found, run: runs[0] };
}

it('one that does not listen is killed when its time is up', async () => {
  const run = 'trap "" TERM; touch ready; while :; do sleep 0.05; done';
  const { where, pid } = await cancelledAndLeft(run);
  expect(processOf(pid)).toMatchObject({ zombie: false });
  expect(await takenUp(where, { run, kill_after: '1s' })).toMatchObject({
    found: 'running',
    run: {
      outcome: { kind: 'cancelled', by: 'operator' },
      attempts: [{ cancelledBy: 'operator', outcome: { kind: 'cancelled', by: 'operator' } }],
    },
  });
  expect(processOf(pid)).toBeUndefined();
});

it('one that ended meanwhile did not fail: it is not made again', async () => {
  const leave = "trap 'while [ ! -e go ]; do sleep 0.05; done; exit 3' TERM";
  const run = `${leave}; touch ready; while :; do sleep 0.05; done`;
  const { where, pid } = await cancelledAndLeft(run);
  writeFileSync(join(where, 'go'), '');
  await until('its end', () => processOf(pid) === undefined);
  expect(await takenUp(where, { run })).toMatchObject({
    found: 'ended',
    run: {
      outcome: { kind: 'cancelled', by: 'operator' },
      attempts: [{ outcome: { kind: 'failed', exitCode: 3 } }],
    },
  });
});
