/** A node whose connections are all taken by questions that take long. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createMembership } from '../../src/cluster/membership.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { openDatabase } from '../../src/postgres/database.ts';
import { directory } from '../support/daemon.ts';
import { startPostgres } from '../support/postgres.ts';
import { eventually } from '../support/telling.ts';

it('beats on, and conducts on', async ({ onTestFinished }) => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.stop());
  const url = await postgres.createDatabase();
  const database = await openDatabase({ url, clock: systemClock });
  const terms: (number | undefined)[] = [];
  const membership = createMembership({
    database,
    clock: systemClock,
    nodeIdFile: join(directory(onTestFinished), 'node-id'),
    name: 'a',
    schedules: true,
    labels: [],
    slots: 1,
    host: 'here',
    pid: process.pid,
    version: '0',
    startedAt: Date.now(),
    busy: () => 0,
    document: () => ({}),
    onReady: () => undefined,
    onWish: () => undefined,
    onAway: () => undefined,
    log: { write: () => undefined },
  });
  onTestFinished(async () => {
    await membership.close();
    await database.close();
  });
  membership.onTerm((term) => terms.push(term?.number));
  await membership.start();
  const beats = async () => {
    const [row] = await postgres.ask<{ at: string }>('select beat_at::text as at from tsched.nodes', url);
    return row?.at;
  };
  // More than there are connections, each for longer than a conductor trusts itself.
  const asked = Array.from({ length: 10 }, () => database.query('select pg_sleep(9)'));
  let over = 0;
  for (const each of asked) each.finally(() => (over += 1)).catch(() => undefined);
  const busy = "select 1 from pg_stat_activity where query like 'select pg_sleep%'";
  await eventually('all connections to be busy', async () =>
    expect(await postgres.ask(busy, url)).toHaveLength(5),
  );
  let last = await beats();
  for (const which of ['a beat', 'another beat'])
    last = await eventually(which, async () => {
      const at = await beats();
      expect(at).not.toBe(last);
      return at;
    });
  // As many were asked for still as there are connections, however long the beats took on a busy machine.
  expect(over).toBeLessThanOrEqual(5);
  await Promise.allSettled(asked);
  expect(terms).toEqual([1]);
  expect(membership.term).toBe(1);
});
