/** A node that lacks what the job file in force needs of the node that conducts. */
import { expect, it } from 'vitest';
import { TestCluster } from '../support/cluster.ts';
import { startPostgres } from '../support/postgres.ts';

it('leaves it to another to conduct, and may still run attempts', async ({ onTestFinished }) => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.stop());
  const cluster = await TestCluster.in(postgres, onTestFinished);
  const jobs = JSON.stringify({
    notifiers: { hook: { webhook: '${HOOK}' } },
    jobs: { ticks: { every: '1s', run: 'true', notify: { failure: 'hook' } } },
  });
  const env = { HOOK: 'http://127.0.0.1:9/' };
  const first = cluster.node({ name: 'first', jobs, env });
  await cluster.conductor([first]);
  const lacking = cluster.node({ name: 'lacking', jobs });
  const able = cluster.node({ name: 'able', jobs, env });
  for (const node of [lacking, able])
    await node.until('it to be a node', () => node.events('node_started').length > 0);
  // So that it is the other's turn.
  able.signal('SIGSTOP');
  first.signal('SIGTERM');
  await lacking.until('it to say what is wrong', () =>
    lacking.lines.find(({ level, msg }) => level === 'crit' && msg.includes('HOOK')),
  );
  able.signal('SIGCONT');
  await able.until('it to conduct', () => able.events('engine_started').length > 0);
  expect(lacking.events('engine_started')).toEqual([]);
});
