/** A run is asked to end, and its daemon dies before it has: the next one goes on with that. */
import { existsSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { AttemptRecord, RunRecord } from '../../src/model.ts';
import { ask, socketOf, startAsked } from '../http/support.ts';
import { directory, processOf, startDaemon, until, type Daemon } from '../support/daemon.ts';
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

/** Once it is asked to end it does so when a file is there, with this code. */
function leaving(code: number): string {
  const trap = `trap 'touch asked; while [ ! -e go ]; do sleep 0.05; done; exit ${code}' TERM`;
  return `${trap}; touch ready; while :; do sleep 0.05; done`;
}

/** The daemon dies when its run has been asked to end, and that is on record; then the run ends. */
async function leftWhenAsked(daemon: Daemon, isNoted: (attempt: AttemptRecord) => boolean): Promise<void> {
  const { pid } = await daemon.waitFor('its pid', ({ event }) => event === 'attempt_started');
  await daemon.until('it to be asked', () => existsSync(join(daemon.directory, 'asked')));
  await daemon.until('that to be recorded', () =>
    historyOf(daemon.stateDirectory).runs[0]?.attempts.some(isNoted),
  );
  daemon.signal('SIGKILL');
  expect(await daemon.exited).toBe('SIGKILL');
  writeFileSync(join(daemon.directory, 'go'), '');
  await until('its end', () => processOf(Number(pid)) === undefined);
}

function fileOf(job: object): string {
  return JSON.stringify({ jobs: { job: { cron: '0 0 1 1 *', retry: { limit: 3, delay: '1s' }, ...job } } });
}

/** What the next daemon makes of it. */
async function takenUp(where: string, job: object): Promise<object> {
  const next = startDaemon({ directory: where, jobs: fileOf(job) });
  const { found } = await next.waitFor('it to be taken up', ({ event }) => event === 'run_recovered');
  const runsNow = (): readonly RunRecord[] => historyOf(next.stateDirectory, 'job').runs;
  await next.until('its end', () => runsNow()[0]?.outcome);
  const runs = runsNow();
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

it.each([3, 0])('one that ended meanwhile, with %i, neither failed nor succeeded', async (code) => {
  const run = leaving(code);
  const { where, pid } = await cancelledAndLeft(run);
  writeFileSync(join(where, 'go'), '');
  await until('its end', () => processOf(pid) === undefined);
  expect(await takenUp(where, { run })).toMatchObject({
    found: 'ended',
    run: {
      outcome: { kind: 'cancelled', by: 'operator' },
      attempts: [{ outcome: { kind: 'cancelled', by: 'operator' } }],
    },
  });
});

it('one whose time was over has timed out, however it ended', async () => {
  const job = { run: leaving(3), timeout: '500ms', kill_after: '1h', retry: 0 };
  const daemon = await startAsked({ jobs: fileOf(job) });
  await ask(socketOf(daemon), '/api/v1/jobs/job/runs', { method: 'POST' });
  await leftWhenAsked(daemon, ({ timedOut }) => timedOut === true);
  expect(await takenUp(daemon.directory, job)).toMatchObject({
    found: 'ended',
    run: { outcome: { kind: 'timed_out', after: 500 }, attempts: [{ outcome: { kind: 'timed_out' } }] },
  });
});

it('one that its daemon ended as it stopped, and that was killed before all was over, is not made again', async () => {
  const job = { run: leaving(0), on_shutdown: 'terminate', kill_after: '1h' };
  const daemon = await startAsked({ jobs: fileOf(job) });
  await ask(socketOf(daemon), '/api/v1/jobs/job/runs', { method: 'POST' });
  await daemon.until('it to listen', () => existsSync(join(daemon.directory, 'ready')));
  daemon.signal('SIGTERM');
  await leftWhenAsked(daemon, ({ cancelledBy }) => cancelledBy === 'shutdown');
  expect(await takenUp(daemon.directory, job)).toMatchObject({
    found: 'ended',
    run: { outcome: { kind: 'cancelled', by: 'shutdown' } },
  });
});

it.each(['thread', 'http'])('one that ends with its daemon (%s) is not made again', async (kind) => {
  const where = directory();
  writeFileSync(
    join(where, 'task.mjs'),
    'export default () => new Promise(() => setInterval(() => 0, 1000));',
  );
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
  const task = kind === 'http' ? { http: url } : { module: './task.mjs', isolation: 'thread' };
  const job = { ...task, kill_after: '1h' };
  const daemon = await startAsked({ directory: where, jobs: fileOf(job) });
  const { body } = await ask(socketOf(daemon), '/api/v1/jobs/job/runs', { method: 'POST' });
  await daemon.waitFor('its start', ({ event }) => event === 'attempt_started');
  await ask(socketOf(daemon), `/api/v1/runs/${body.id as string}/cancel`, { method: 'POST' });
  daemon.signal('SIGKILL');
  await daemon.exited;
  const outcome = { kind: 'cancelled', by: 'operator' };
  const next = startDaemon({ directory: where, jobs: fileOf(job) });
  await next.until('its end', () => historyOf(next.stateDirectory).runs[0]?.outcome);
  expect(historyOf(next.stateDirectory).runs).toMatchObject([{ outcome, attempts: [{ number: 1 }] }]);
  silent.closeAllConnections();
  silent.close();
});

it('all parts of a run end, and none is made again', async () => {
  const job = { run: 'sleep 3600', shards: 3 };
  const daemon = await startAsked({ jobs: fileOf(job) });
  const { body } = await ask(socketOf(daemon), '/api/v1/jobs/job/runs', { method: 'POST' });
  const started = (): boolean =>
    historyOf(daemon.stateDirectory).runs[0]?.shards?.every(
      ({ attempts }) => attempts[0]?.pid !== undefined,
    ) === true;
  await daemon.until('all to run', started);
  const told = await ask(socketOf(daemon), `/api/v1/runs/${body.id as string}/cancel`, { method: 'POST' });
  daemon.signal('SIGKILL');
  const asked = { attempts: [{ cancelledBy: 'operator' }] };
  expect(told.body).toMatchObject({ shards: [asked, asked, asked] });
  await daemon.exited;
  const outcome = { kind: 'cancelled', by: 'operator' };
  expect(await takenUp(daemon.directory, job)).toMatchObject({
    run: { outcome, shards: [{ outcome }, { outcome }, { outcome }] },
  });
});

it('a replay that is cancelled is over, whatever becomes of the daemon that said so', async () => {
  const where = directory();
  const job = { cron: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`, run: 'sleep 3600', misfire: 'none' };
  const daemon = await startAsked({ directory: where, jobs: fileOf(job) });
  const json = { job: 'job', from: new Date(Date.now() - 3 * 86_400_000).toISOString() };
  let path = '';
  for (let times = 1; times <= 10; times += 1) {
    const { body } = await ask(socketOf(daemon), '/api/v1/replays', { method: 'POST', json });
    path = `/api/v1/replays/${body.id as string}`;
    const { body: told } = await ask(socketOf(daemon), path, { method: 'DELETE' });
    const { runs } = historyOf(daemon.stateDirectory);
    expect(told).toMatchObject({ state: 'cancelled' });
    for (const run of runs)
      expect(run.outcome ?? run.attempts[0]).toMatchObject(run.outcome ? {} : { cancelledBy: 'operator' });
    if (times < 10) await daemon.until('its end', () => daemon.events('run_finished').length === times);
  }
  daemon.signal('SIGKILL');
  await daemon.exited;
  const next = await startAsked({ directory: where, jobs: fileOf(job) });
  expect((await ask(socketOf(next), path)).body).toMatchObject({ state: 'cancelled' });
  expect(next.events('attempt_started')).toEqual([]);
});
