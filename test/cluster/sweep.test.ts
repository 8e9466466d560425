/** Attempts that are settled leave the queue, once nobody can put them there again. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Dispatch } from '../../src/cluster/dispatch.ts';
import { attemptId } from '../../src/cluster/ids.ts';
import { createQueue, type Queue } from '../../src/cluster/queue.ts';
import { Lookout } from '../../src/cluster/lookout.ts';
import { recordEnds, sweepRecords, type Swept } from '../../src/cluster/records.ts';
import { systemClock } from '../../src/engine/clock.ts';
import type { AttemptSpec } from '../../src/engine/ports.ts';
import { Deposed, fenced } from '../../src/postgres/fence.ts';
import { DatabaseAway, openDatabase, type Database } from '../../src/postgres/database.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { BLANK, later } from '../tasks/harness.ts';
import { follow } from './workers.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

async function opened(): Promise<{ readonly database: Database; readonly queue: Queue }> {
  const database = await openDatabase({ url: await server.createDatabase(), clock: systemClock });
  later(() => database.close());
  const queue = await createQueue({ database, clock: systemClock });
  later(() => queue.close());
  await database.run('UPDATE conductor SET term = 1');
  await queue.ensure(['any', 'other']);
  return { database, queue };
}

const named = (runId: string, attempt = 1): AttemptSpec => ({ ...BLANK, jobId: runId, runId, attempt });

/** Puts attempts there, has them taken and ended, and makes that long ago. */
async function over(
  { database, queue }: { readonly database: Database; readonly queue: Queue },
  specs: readonly AttemptSpec[],
  { name = 'any', age = '2 minutes' }: { readonly name?: string; readonly age?: string } = {},
): Promise<void> {
  const attempts = specs.map((spec) => ({ id: attemptId(spec), spec }));
  await database.transaction(async (tx) => {
    await queue.put(tx, name, attempts);
    await queue.finish(tx, name, await queue.take(tx, name, 100));
    await tx.run(
      `UPDATE ${queue.table} SET completed_on = completed_on - $1::interval WHERE id = ANY($2::uuid[])`,
      [age, attempts.map(({ id }) => id)],
    );
  });
}

async function left({ database, queue }: { database: Database; queue: Queue }): Promise<string[]> {
  const rows = await database.query<{ data: unknown }>(`SELECT data FROM ${queue.table}`);
  return rows.map(({ data }) => queue.specOf(data).runId).toSorted();
}

describe('a sweep', () => {
  it('takes what is settled and whose run is over, in all queues, and nothing else', async () => {
    const open = await opened();
    const { database, queue } = open;
    await over(open, [named('finished'), named('pruned')]);
    await over(open, [named('finished', 2)], { name: 'other' });
    await over(open, [named('retrying'), named('parts.3')]);
    await over(open, [named('just')], { age: '50 s' });
    await over(open, [named('unnamed'), named('long-unnamed')]);
    await database.transaction(async (tx) => {
      await tx.run(`INSERT INTO jobs (id) VALUES ('j')`);
      const runs = [
        ['finished', 'finished'],
        ['retrying', 'waiting'],
        ['parts', 'running'],
      ];
      for (const [n, [id, state]] of runs.entries())
        await tx.run(
          `INSERT INTO runs (id, job, scheduled_at, manual, cause, claimed_at, state, attempts)
           SELECT $1, number, $2, 0, 'schedule', 0, $3, '[]' FROM jobs`,
          [id, n, state],
        );
      const unnamed = [named('unnamed'), named('long-unnamed')].map(attemptId);
      await tx.run(`UPDATE ${queue.table} SET data = data - 'run' WHERE id = ANY($1::uuid[])`, [unnamed]);
      await tx.run(
        `UPDATE ${queue.table} SET completed_on = completed_on - interval '1 hour' WHERE id = $1`,
        [unnamed[1]],
      );
      await queue.put(tx, 'any', [{ id: attemptId(named('active')), spec: named('active') }]);
      await queue.take(tx, 'any', 1);
      await queue.put(tx, 'any', [{ id: attemptId(named('queued')), spec: named('queued') }]);
    });
    expect(await database.transaction((tx) => queue.sweep(tx, 100))).toBe(4);
    expect(await left(open)).toEqual(['active', 'just', 'parts.3', 'queued', 'retrying', 'unnamed']);
    await database.run(`UPDATE runs SET state = 'finished'`);
    expect(await database.transaction((tx) => queue.sweep(tx, 100))).toBe(2);
    expect(await left(open)).toEqual(['active', 'just', 'queued', 'unnamed']);
  });

  it('takes no more than it is told to, the oldest first', async () => {
    const open = await opened();
    const ages = ['5 minutes', '9 minutes', '7 minutes'];
    for (const [n, age] of ages.entries()) await over(open, [named(`run-${n}`)], { age });
    const sweep = (): Promise<number> => open.database.transaction((tx) => open.queue.sweep(tx, 2));
    expect(await sweep()).toBe(2);
    expect(await left(open)).toEqual(['run-0']);
    expect([await sweep(), await sweep()]).toEqual([1, 0]);
  });
});

describe('reports that somebody had long ago', () => {
  it('stay while the database has only just come back: that they arrived may not be known yet', async () => {
    const { database, queue } = await opened();
    await database.run(
      `INSERT INTO reports (attempt, kind, report, taken, at)
       VALUES (gen_random_uuid(), 'ended', '{"outcome": "{}"}', true, now() - interval '2 hours')`,
    );
    const clock = new FakeClock(0);
    let contact = 59_999;
    const lookout = new Lookout({
      database,
      queue,
      clock,
      term: 1,
      contactFor: () => contact,
      isNeeded: () => false,
      isInDoubt: () => false,
      whileInOffice: (work) => work(),
      onTrouble: () => undefined,
    });
    later(() => lookout.close());
    const isGone = async (): Promise<boolean> => (await database.query('SELECT FROM reports')).length === 0;
    let looks = 0;
    await passing(clock, 3000, () => (looks += 1) > 80);
    expect(await isGone()).toBe(false);
    contact = 60_000;
    await passing(clock, 3000, isGone);
  });

  it('stay as long as their run is not over', async () => {
    const open = await opened();
    const { database, queue } = open;
    const spec = named('run-1');
    await over(open, [spec]);
    await database.run(`INSERT INTO queues (name) VALUES ('any') ON CONFLICT DO NOTHING`);
    await database.run(
      `INSERT INTO reports (attempt, kind, report, taken, at)
       VALUES ($1, 'ended', '{"outcome": "{}"}', true, now() - interval '2 hours')`,
      [attemptId(spec)],
    );
    await database.transaction(async (tx) => {
      await tx.run(`INSERT INTO jobs (id) VALUES ('j')`);
      await tx.run(
        `INSERT INTO runs (id, job, scheduled_at, manual, cause, claimed_at, state, attempts)
         SELECT 'run-1', number, 0, 0, 'schedule', 0, 'running', '[]' FROM jobs`,
      );
    });
    const tidy = async (): Promise<number> => {
      await database.transaction((tx) => queue.sweep(tx, 5));
      await database.transaction((tx) => sweepRecords(tx, queue));
      return (await database.query('SELECT FROM reports')).length;
    };
    expect(await tidy()).toBe(1);
    await database.run(`UPDATE runs SET state = 'finished'`);
    expect(await tidy()).toBe(0);
  });

  it('go from behind however many that stay', async () => {
    const { database, queue } = await opened();
    await database.run(`INSERT INTO queues (name) VALUES ('any') ON CONFLICT DO NOTHING`);
    const old = (from: number, to: number): Promise<number> =>
      database.run(
        `INSERT INTO reports (attempt, kind, report, taken, at)
         SELECT gen_random_uuid(), 'ended', '{"outcome": "{}"}', true, now() - interval '2 hours' FROM generate_series($1::int, $2) n`,
        [from, to],
      );
    await old(1, 5005);
    await database.run(
      `INSERT INTO ${queue.table} (name, id, state, data) SELECT 'any', attempt, 'completed', '{"run": "open"}' FROM reports`,
    );
    await old(1, 3);
    let from: Swept | undefined;
    let rounds = 0;
    do {
      from = await database.transaction((tx) => sweepRecords(tx, queue, from));
      rounds += 1;
    } while (from !== undefined);
    expect(rounds).toBe(2);
    expect(await database.query('SELECT FROM reports')).toHaveLength(5005);
  });
});

describe('while it is not known whether an attempt is there already', () => {
  it('nothing leaves the queue', async () => {
    const open = await opened();
    await over(open, [named('old')]);
    const clock = new FakeClock(0);
    let isInDoubt = true;
    let asked = 0;
    const lookout = new Lookout({
      ...open,
      clock,
      term: 1,
      contactFor: () => Infinity,
      isNeeded: () => false,
      isInDoubt: () => {
        asked += 1;
        return isInDoubt;
      },
      whileInOffice: (work) => work(),
      onTrouble: () => undefined,
    });
    later(() => lookout.close());
    await passing(clock, 3000, () => asked > 2);
    expect(await left(open)).toEqual(['old']);
    isInDoubt = false;
    await passing(clock, 3000, async () => (await left(open)).length === 0);
  });
});

describe('what a conductor who is deposed sweeps', () => {
  it('is nothing', async () => {
    const open = await opened();
    await over(open, [named('old')]);
    await open.database.run('UPDATE conductor SET term = 2');
    const sweep = fenced(open.database, 1, (tx) => open.queue.sweep(tx, 5));
    await expect(sweep).rejects.toThrow(Deposed);
    expect(await left(open)).toEqual(['old']);
  });
});

/** Of the first transaction that puts something there nobody hears that it was committed. */
function hardOfHearing(database: Database): Database {
  let isFirst = true;
  const transaction: Database['transaction'] = async (work) => {
    let isPut = false;
    const result = await database.transaction((tx) => {
      const watched: typeof tx = {
        query: (sql, values) => {
          isPut ||= sql.includes('INSERT INTO') && sql.includes('job');
          return tx.query(sql, values);
        },
        run: tx.run.bind(tx),
      };
      return work(watched);
    });
    if (!isPut || !isFirst) return result;
    isFirst = false;
    throw new DatabaseAway('the connection was lost after the commit');
  };
  return Object.assign(Object.create(database) as Database, {
    query: database.query.bind(database),
    run: database.run.bind(database),
    listen: database.listen.bind(database),
    transaction,
  });
}

/** Lets time pass step by step, the database having time of its own to answer in. */
async function passing(
  clock: FakeClock,
  step: number,
  isDone: () => boolean | Promise<boolean>,
): Promise<void> {
  for (let left = 1500; !(await isDone()); left -= 1) {
    if (left === 0) throw new Error('waited in vain');
    await clock.advance(step);
    await new Promise<void>((resolve) => void systemClock.after(10, resolve));
  }
}

describe('an attempt that was put there though its conductor was not told so', () => {
  it('is not put there again once it has ended, whether or not its row has gone', async () => {
    const { database, queue } = await opened();
    const clock = new FakeClock(0);
    const dispatch = new Dispatch({
      database: hardOfHearing(database),
      queue,
      clock,
      term: 1,
      contactFor: () => Infinity,
      onDeposed: () => undefined,
      onTrouble: () => undefined,
    });
    later(() => dispatch.close());
    const count = async (): Promise<number> => (await database.query(`SELECT id FROM ${queue.table}`)).length;
    const spec = named('run-1');
    const sent = follow(spec, (report) => dispatch.start(spec, report));
    while ((await count()) === 0) await Promise.resolve();
    await database.transaction(async (tx) => {
      const taken = await queue.take(tx, 'any', 5);
      await queue.finish(tx, 'any', taken);
      await recordEnds(tx, [{ attempt: attemptId(spec), outcome: { kind: 'succeeded' } }], {
        node: null,
        channel: `${database.schema}_report`,
      });
    });
    // It hears of that before it tries again.
    await passing(clock, 1, () => sent.reports.length > 0);
    expect(await sent.outcome).toEqual({ kind: 'succeeded' });
    await database.run(`DELETE FROM ${queue.table}`);
    const next = named('run-2');
    follow(next, (report) => dispatch.start(next, report));
    await passing(clock, 5000, async () => (await count()) > 0);
    const rows = await database.query<{ id: string }>(`SELECT id FROM ${queue.table}`);
    expect(rows.map(({ id }) => id)).toEqual([attemptId(next)]);
  });
});
