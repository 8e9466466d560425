import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Dispatch } from '../../src/cluster/dispatch.ts';
import { createQueue } from '../../src/cluster/queue.ts';
import { Work } from '../../src/cluster/work.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { DatabaseAway, openDatabase, type Database } from '../../src/postgres/database.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { ScriptedExecutor } from '../support/scripted-executor.ts';
import { BLANK, later } from '../tasks/harness.ts';
import { follow } from './workers.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

/** From [0, 1), the same for each seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Of some transactions nobody hears whether they were committed: half of these were. */
function hardOfHearing(database: Database, random: () => number): Database & { readonly lost: () => number } {
  let lost = 0;
  const transaction: Database['transaction'] = async (work) => {
    const fate = random();
    const rollsBack = fate < 0.1;
    const isLost = fate < 0.2;
    if (isLost) lost += 1;
    const result = await database.transaction(async (tx) => {
      const done = await work(tx);
      if (rollsBack) throw new DatabaseAway('the connection was lost before the commit');
      return done;
    });
    if (isLost) throw new DatabaseAway('the connection was lost after the commit');
    return result;
  };
  return Object.assign(Object.create(database) as Database, {
    query: database.query.bind(database),
    run: database.run.bind(database),
    listen: database.listen.bind(database),
    transaction,
    lost: () => lost,
  });
}

describe('answers of the database that are lost', () => {
  it.each([Date.now() % 100_000, 7])('cost nothing and double nothing (seed %i)', async (seed) => {
    const real = await openDatabase({ url: await server.createDatabase(), clock: systemClock });
    later(() => real.close());
    const queue = await createQueue({ database: real, clock: systemClock });
    later(() => queue.close());
    await real.run('UPDATE conductor SET term = 1');
    const database = hardOfHearing(real, randomFrom(seed));
    const troubles: string[] = [];
    const refused: string[] = [];
    const common = {
      database,
      queue,
      clock: systemClock,
      contactFor: () => Infinity,
      onTrouble: (message: string) => troubles.push(message),
    };
    const dispatch = new Dispatch({ ...common, term: 1, onDeposed: () => troubles.push('deposed') });
    later(() => dispatch.close());
    const executor = new ScriptedExecutor(systemClock, () => ({ lasts: 20 }));
    const node = { id: '6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b', name: 'a' };
    await real.run('INSERT INTO nodes (id, name, state, schedules) VALUES ($1, $2, $3, false)', [
      node.id,
      node.name,
      'up',
    ]);
    const work = new Work({
      ...common,
      executor,
      node,
      slots: 7,
      labels: [],
      onRefused: ({ jobId }) => refused.push(jobId),
      onEnded: () => undefined,
    });
    later(() => work.close());
    await work.start();
    const sent = Array.from({ length: 100 }, (_, n) => {
      const spec = { ...BLANK, jobId: `job-${n}`, runId: `run-${n}`, forSlot: true };
      return follow(spec, (report) => dispatch.start(spec, report));
    });
    for (const each of sent)
      if (each.spec.jobId.endsWith('5')) each.handle.stop({ kind: 'cancelled', by: 'operator' });
    const outcomes = await Promise.all(sent.map(({ outcome }) => outcome));
    for (const [n, { kind }] of outcomes.entries())
      expect(n % 10 === 5 ? ['succeeded', 'cancelled'] : ['succeeded']).toContain(kind);
    const starts = executor.starts.map(({ spec }) => spec.jobId);
    expect(new Set(starts).size).toBe(starts.length);
    expect(refused).toEqual([]);
    expect(troubles).toEqual([]);
    expect(database.lost()).toBeGreaterThan(0);
    await work.stop({ drain: 0 });
    expect(await real.query('SELECT * FROM held')).toEqual([]);
  });
});
