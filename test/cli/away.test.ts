/** What commands say at a node of a cluster whose database has gone. */
import { expect, it } from 'vitest';
import { TestCluster, untilAsync } from '../support/cluster.ts';
import type { Daemon } from '../support/daemon.ts';
import { startPostgres } from '../support/postgres.ts';
import { tsched, type Ran } from './tsched.ts';

const JOBS = `jobs:
  waits: { startup: daemon, run: "true", runs_on: [gpu] }
  never: { cron: "0 0 1 1 *", run: "true" }
`;

const at = (node: Daemon, command: string, ...args: string[]): Ran =>
  tsched([command, ...args, '--state-dir', node.stateDirectory]);

const healthOf = (node: Daemon): { healthy: boolean; store: { since: string | null }; active: unknown } =>
  JSON.parse(at(node, 'status', '--json').out) as never;

it('that its daemon is there, that it is degraded, since when and why; and not what they cannot know', async () => {
  const server = await startPostgres();
  try {
    const cluster = await TestCluster.in(server);
    const node = cluster.node({ name: 'a', jobs: JOBS });
    await node.ready();
    await untilAsync('the run that waits', async () =>
      at(node, 'logs', 'waits').code === 0 ? undefined : 'a run',
    );
    expect(at(node, 'logs', 'waits').err).toContain('has not begun yet');
    expect(at(node, 'logs', 'never')).toMatchObject({
      code: 1,
      err: expect.stringContaining('never has not run yet'),
    });
    expect(at(node, 'status').code).toBe(0);

    await server.kill();
    // It still conducts, and knows what it knew.
    expect(at(node, 'logs', 'waits')).toMatchObject({
      code: 69,
      err: expect.stringMatching(/whether this run of waits has begun is not known: .*cannot be re/),
    });
    const just = at(node, 'status');
    expect(just).toMatchObject({ code: 1, err: '' });
    const asked = Date.now();
    expect(just.out).toMatch(/^daemon +tsched \S+ running for /);
    expect(just.out).toMatch(/\nstore +degraded.*cannot be reached/);
    expect(at(node, 'logs', 'never')).toMatchObject({
      code: 69,
      err: expect.stringMatching(/whether never has run is not known: |cannot be reached/),
    });

    const ceased = await node.waitFor('it to stop conducting', ({ msg }) => msg.includes('stops conducting'));
    // A busy machine may not have come to ask before that.
    const wasInTime = asked < Date.parse(ceased.time);
    expect(just.out).toMatch(
      wasInTime ? /what runs goes on, nothing begins/ : /nothing begins|no node conducts/,
    );
    const later = at(node, 'status');
    expect(later).toMatchObject({ code: 1, err: '' });
    expect(later.out).toMatch(/^daemon +tsched \S+ running for /);
    expect(later.out).toMatch(/\nstore +degraded since \S+.*: PostgreSQL at .*cannot be reached/);
    expect(later.out).toContain('without it no node conducts');
    const told = healthOf(node);
    expect(told).toMatchObject({ healthy: false, running: true, active: null, store: { state: 'degraded' } });
    const stopped = node.lines.find(({ msg }) => msg.includes('it is tried again every'));
    expect(Date.parse(told.store.since ?? '')).toBeLessThanOrEqual(Date.parse(String(stopped?.['time'])));
    expect(at(node, 'logs', 'waits')).toMatchObject({
      code: 69,
      err: expect.stringContaining('the database of the cluster cannot be reached'),
    });

    await server.start();
    await untilAsync('it to be well again', async () =>
      at(node, 'status').code === 0 ? undefined : at(node, 'status').out,
    );
    expect(healthOf(node)).toMatchObject({ healthy: true, store: { state: 'well', since: null } });
  } finally {
    await server.stop();
  }
});
