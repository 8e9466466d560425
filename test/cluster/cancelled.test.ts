/** A run is cancelled, and a node dies before it has ended: what was asked of it holds all the same, wherever it is. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, infoOf, socketOf } from '../http/support.ts';
import { TestCluster, untilAsync } from '../support/cluster.ts';
import { directory, processOf, until } from '../support/daemon.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

it.each([
  ['that runs on another node', ['w']],
  ['that waits for a node', ['nobody']],
])('the conductor, of a run %s: the next one ends it', async (_, runsOn) => {
  const where = directory();
  const cluster = await TestCluster.in(server);
  const run = `trap 'sleep 0.2; exit 0' TERM; touch ${join(where, 'ready')}; while :; do sleep 0.05; done`;
  const job = { cron: '0 0 1 1 *', run, runs_on: runsOn, retry: { limit: 3, delay: '1s' } };
  const jobs = JSON.stringify({ jobs: { job } });
  const a = cluster.node({ name: 'a', jobs });
  await cluster.conductor([a]);
  const worker = cluster.worker({ name: 'w', labels: ['w'] });
  const b = cluster.node({ name: 'b', jobs });
  await a.until('the API to open', () => infoOf(a).socket);
  const { body } = await ask(socketOf(a), '/api/v1/jobs/job/runs', { method: 'POST' });
  const path = `/api/v1/runs/${body.id as string}`;
  let pid = 0;
  if (runsOn[0] === 'w') {
    await worker.until('it to listen', () => existsSync(join(where, 'ready')));
    const started = await a.waitFor('its start', ({ event }) => event === 'attempt_started');
    pid = Number(started['pid']);
  }
  const told = await ask(socketOf(a), `${path}/cancel`, { method: 'POST' });
  a.signal('SIGKILL');
  expect(told).toMatchObject({ status: 202, body: { attempts: [{ cancelledBy: 'operator' }] } });
  const awaits = runsOn[0] === 'w' ? null : runsOn;
  expect(told.body).toMatchObject({ state: 'running', attempts: [{ awaits }] });
  await cluster.conductor([b]);
  await untilAsync('its end', async () => {
    const { runs } = await cluster.rows();
    return runs[0]?.outcome === undefined ? JSON.stringify(runs) : undefined;
  });
  const { runs } = await cluster.rows();
  const outcome = { kind: 'cancelled', by: 'operator' };
  expect(runs).toMatchObject([{ outcome, attempts: [{ number: 1, cancelledBy: 'operator' }] }]);
  expect(processOf(pid)).toBeUndefined();
});

it('the node that runs it, and ended it already: what it left on its way out is no success', async () => {
  const where = directory();
  const cluster = await TestCluster.in(server);
  const file = (name: string): string => join(where, name);
  const trap = `trap 'touch ${file('asked')}; while [ ! -e ${file('go')} ]; do sleep 0.05; done; exit 0' TERM`;
  const run = `${trap}; touch ${file('ready')}; while :; do sleep 0.05; done`;
  const job = { cron: '0 0 1 1 *', run, runs_on: 'w', kill_after: '1h' };
  const a = cluster.node({ name: 'a', jobs: JSON.stringify({ jobs: { job } }) });
  await cluster.conductor([a]);
  const home = { name: 'w', labels: ['w'], directory: directory() };
  const worker = cluster.worker(home);
  await a.until('the API to open', () => infoOf(a).socket);
  const { body } = await ask(socketOf(a), '/api/v1/jobs/job/runs', { method: 'POST' });
  const { pid } = await a.waitFor('its start', ({ event }) => event === 'attempt_started');
  await worker.until('it to listen', () => existsSync(file('ready')));
  await ask(socketOf(a), `/api/v1/runs/${body.id as string}/cancel`, { method: 'POST' });
  await worker.until('it to be asked', () => existsSync(file('asked')));
  worker.signal('SIGKILL');
  await worker.exited;
  writeFileSync(file('go'), '');
  await until('its end', () => processOf(Number(pid)) === undefined);
  cluster.worker(home);
  await a.waitFor('the end of the run', ({ event }) => event === 'run_finished');
  const told = await ask(socketOf(a), `/api/v1/runs/${body.id as string}`);
  const outcome = { kind: 'cancelled', by: 'operator' };
  expect(told.body).toMatchObject({ outcome, attempts: [{ outcome }] });
});
