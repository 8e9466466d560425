/** Commands that read the job file themselves, on a node of a cluster that has none: they take the published one. */
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestCluster, untilAsync } from '../support/cluster.ts';
import type { Daemon } from '../support/daemon.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { directory, tsched, type Ran } from './tsched.ts';

const JOBS = `
timezone: Asia/Tokyo
include: more.yaml
jobs:
  morning: { cron: "0 6 * * *", run: "echo here; exit 3" }
  evening: { after: morning, run: "true" }
`;

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const at = (node: Daemon, command: string, ...args: string[]): Ran =>
  tsched([command, ...args, '--state-dir', node.stateDirectory]);

it('as the daemon of the node has it, which is said', async () => {
  const cluster = await TestCluster.in(server);
  const where = directory();
  writeFileSync(join(where, 'more.yaml'), 'jobs:\n  also: { cron: "0 0 1 1 *", run: "true" }\n');
  const first = cluster.node({ name: 'a', jobs: JOBS, directory: where });
  await first.ready();
  const worker = cluster.worker({ name: 'b' });
  // A node may conduct before it has published its file.
  await first.waitFor('its file to be published', ({ msg }) => msg.includes('is version 1 of the job file'));
  await untilAsync('the worker to answer', async () => {
    const { code, err } = at(worker, 'next');
    return code === 0 ? undefined : err;
  });

  const next = at(worker, 'next', '--json');
  expect(next.err).toBe("tsched: there is no job file here; this is version 1 of the cluster's\n");
  expect(JSON.parse(next.out)).toEqual(
    JSON.parse(tsched(['next', '--json', '--file', join(where, 'jobs.yaml')]).out),
  );
  expect(at(worker, 'next', 'morning').out).toContain('06:00:00 +09:00');
  expect(at(worker, 'graph').out).toMatch(/morning[^]*evening/);
  expect(at(worker, 'simulate')).toMatchObject({ code: 0, out: expect.stringContaining('morning') });
  expect(at(worker, 'run-once', 'morning')).toMatchObject({ code: 3, out: 'here\n' });
  expect(at(worker, 'run-once', 'mourning')).toMatchObject({
    code: 64,
    err: expect.stringContaining('did you mean "morning"?'),
  });

  // A file that is named, or is here, comes first.
  const mine = directory();
  writeFileSync(join(mine, 'jobs.yaml'), 'jobs:\n  mine: { every: 1h, run: "true" }\n');
  const own = tsched(['next', '--state-dir', worker.stateDirectory], { cwd: mine });
  expect(own).toMatchObject({ err: '', out: expect.stringContaining('mine') });

  expect(await worker.stop()).toBe(0);
  for (const [command, ...args] of [['next'], ['graph'], ['run-once', 'morning']] as const)
    expect(at(worker, command, ...args)).toMatchObject({
      code: 69,
      err: expect.stringMatching(/the daemon of this node.*does not run[^]*start it: tsched start --store …/),
    });
});

// Only root may give it to somebody else, and ask it nonetheless.
it.runIf(process.getuid?.() === 0)('with a word where that daemon is not of whoever asks', async () => {
  const cluster = await TestCluster.in(server);
  const first = cluster.node({ name: 'a', jobs: JOBS.replace('include: more.yaml', '') });
  await first.ready();
  const worker = cluster.worker({ name: 'b' });
  await untilAsync('the worker to answer', async () =>
    at(worker, 'next').code === 0 ? undefined : at(worker, 'next').err,
  );
  expect(at(worker, 'next').err).not.toContain('another user');
  chownSync(worker.stateDirectory, 1234, 1234);
  const { err } = at(worker, 'next');
  chownSync(worker.stateDirectory, 0, 0);
  expect(err).toContain('its daemon belongs to another user (uid 1234), who chooses what it says');
});

it('or why there is none', async () => {
  const cluster = await TestCluster.in(server);
  const worker = cluster.worker({ name: 'b' });
  await worker.waitFor('the worker', ({ event }) => event === 'node_started');
  await untilAsync('the socket', async () => {
    const { err } = at(worker, 'next');
    return err.includes('no job file was published yet') ? undefined : err;
  });
  expect(at(worker, 'graph')).toMatchObject({
    code: 66,
    err: expect.stringContaining('tsched publish FILE'),
  });
});
