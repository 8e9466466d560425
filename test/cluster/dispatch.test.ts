import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { attemptId } from '../../src/cluster/ids.ts';
import { createQueue } from '../../src/cluster/queue.ts';
import { recordTaken, sweepRecords } from '../../src/cluster/records.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { openDatabase } from '../../src/postgres/database.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { BLANK, later, shell, until } from '../tasks/harness.ts';
import { Conductor, waiting } from './workers.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const database = (): Promise<string> => server.createDatabase();

describe('who conducts next', () => {
  it('finds what its forerunner handed out', async () => {
    const conductor = await Conductor.over(await database());
    const [node] = await conductor.workers(['a'], { slots: 2 });
    const [open, over] = [waiting(), waiting()];
    const sent = [conductor.start(open.spec), conductor.start(over.spec)];
    await Promise.all([open.pid(), over.pid(), ...sent.map(({ started }) => started)]);
    const waits = conductor.start(shell('true'));
    const held = `name = 'any' AND state < 'active'`;
    while ((await conductor.count(conductor.queue.table, held)) < 1) await Promise.resolve();
    await conductor.dispatch.close();
    await conductor.takeOver();
    const { dispatch } = conductor;
    over.release();
    node?.signal('SIGSTOP');
    node?.signal('SIGCONT');
    const never = { ...BLANK, runId: 'never', forSlot: false };
    expect(await dispatch.recover(never)).toEqual({ kind: 'never_begun' });
    const running = await dispatch.recover(sent[0]?.spec ?? never);
    expect(running).toMatchObject({ kind: 'running', node: 'a', pid: expect.any(Number) });
    const queued = await dispatch.recover(waits.spec);
    const ended = await dispatch.recover(sent[1]?.spec ?? never);
    const kinds: string[] = [];
    for (const found of [running, queued, ended])
      if ('follow' in found) found.follow((report) => kinds.push(report.kind));
    open.release();
    const wanted = queued.kind === 'queued' ? 'started' : 'ended';
    await until(
      'all to end',
      () => kinds.filter((kind) => kind === 'ended').length >= (ended.kind === 'ended' ? 2 : 3) && kinds,
    );
    expect(kinds).toContain(wanted);
    expect(await dispatch.recover(sent[0]?.spec ?? never)).toMatchObject({
      kind: 'ended',
      node: 'a',
      outcome: { kind: 'succeeded' },
      ranFor: expect.any(Number),
    });
  });

  it('removes what has long been over, however much it is, and nothing else', async () => {
    const conductor = await Conductor.over(await database(), { look: 50, tidy: 500, sweep: 500 });
    const [node] = await conductor.workers(['a'], { slots: 2 });
    const [open, over] = [waiting(), conductor.start(shell('true'))];
    const sent = conductor.start(open.spec);
    await Promise.all([over.outcome, sent.started]);
    const { table } = conductor.queue;
    await conductor.database.transaction(async (tx) => {
      await tx.run(
        `INSERT INTO reports (attempt, kind, report)
         SELECT gen_random_uuid(), 'ended', '{"outcome": "{}"}' FROM generate_series(1, 45000)`,
      );
      await tx.run(`UPDATE reports SET taken = true, at = at - interval '2 hours'`);
      await tx.run(`UPDATE ${table} SET completed_on = completed_on - interval '2 hours'`);
    });
    await conductor.gone(table, "state = 'completed'");
    await conductor.gone('reports', `attempt <> '${attemptId(sent.spec)}'`);
    expect([await conductor.count(table), await conductor.count('reports')]).toEqual([1, 1]);
    open.release();
    expect(await sent.outcome).toMatchObject({ kind: 'succeeded' });
    expect(conductor.troubles).toEqual([]);
    expect(node?.said.filter(({ trouble }) => trouble !== undefined)).toEqual([]);
  });

  it('is the only one that still listens', async () => {
    const conductor = await Conductor.over(await database());
    const listen = conductor.database.listen.bind(conductor.database);
    let listening = 0;
    vi.spyOn(conductor.database, 'listen').mockImplementation(async (...channel) => {
      const stop = await listen(...channel);
      listening += 1;
      return () => {
        listening -= 1;
        stop();
      };
    });
    await (await conductor.takeOver()).close();
    for (let term = 0; term < 3; term += 1) {
      await until('it to listen', () => listening === 1);
      await (await conductor.takeOver()).close();
    }
    // Also one that was over before it listened.
    await conductor.dispatch.close();
    await until('all to be over', () => listening <= 0);
    expect(listening).toBe(0);
  });

  it('is not disturbed by one who does not know that it is deposed', async () => {
    const conductor = await Conductor.over(await database());
    await conductor.workers(['a']);
    const job = waiting();
    const before = conductor.start(job.spec);
    await before.started;
    const old = await conductor.takeOver();
    const late = conductor.start(shell('true'), old);
    await until('it to be told', () => conductor.deposed.length > 0);
    before.handle.stop({ kind: 'cancelled', by: 'operator' });
    job.release();
    const found = await conductor.dispatch.recover(before.spec);
    const outcome = await new Promise((resolve) => {
      if (!('follow' in found)) return resolve('outcome' in found ? found.outcome : found);
      found.follow((report) => report.kind === 'ended' && resolve(report.outcome));
    });
    expect(outcome).toMatchObject({ kind: 'succeeded' });
    expect(conductor.deposed).toEqual([1]);
    expect(late.reports).toEqual([]);
    expect(before.reports.map(({ kind }) => kind)).toEqual(['started']);
    expect(await conductor.count(conductor.queue.table)).toBe(1);
  });

  it('has the queue ready though twenty nodes start at once on an empty database', async () => {
    const url = await database();
    const opened = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const each = await openDatabase({ url, clock: systemClock, poolSize: 2 });
        later(() => each.close());
        const queue = await createQueue({ database: each, clock: systemClock });
        later(() => queue.close());
        await queue.ensure(['any']);
        return queue;
      }),
    );
    expect(opened).toHaveLength(20);
    const conductor = await Conductor.over(url);
    await conductor.workers(['a']);
    expect(await conductor.start(shell('true')).outcome).toMatchObject({ kind: 'succeeded' });
  });
});

describe('what is kept', () => {
  it('is what somebody may still ask for', async () => {
    const conductor = await Conductor.over(await database());
    const { database: tables } = conductor;
    await conductor.dispatch.close();
    const rows = [
      // old, taken, over: the only ones that go
      ['00000000-0000-5000-8000-000000000001', 'started', '2 hours', true, '{}'],
      ['00000000-0000-5000-8000-000000000001', 'ended', '2 hours', true, '{}'],
      // nobody has had it
      ['00000000-0000-5000-8000-000000000002', 'ended', '2 hours', false, '{}'],
      // young
      ['00000000-0000-5000-8000-000000000003', 'ended', '9 minutes', true, '{}'],
      // held: its process id is needed when its node starts again
      ['00000000-0000-5000-8000-000000000004', 'started', '2 hours', true, '{}'],
      // its node has not ended it yet
      ['00000000-0000-5000-8000-000000000005', 'started', '2 days', true, '{}'],
      ['00000000-0000-5000-8000-000000000005', 'given_up', '2 days', true, '{"spec": {}}'],
    ] as const;
    for (const [attempt, kind, age, taken, report] of rows)
      await tables.run(
        `INSERT INTO reports (attempt, kind, at, taken, report) VALUES ($1, $2, clock_timestamp() - $3::interval, $4, $5)`,
        [attempt, kind, age, taken, report],
      );
    await tables.run(
      `INSERT INTO held (attempt, queue, run, number, job, node) VALUES ($1, 'any', 'r', 1, 'j', $1)`,
      ['00000000-0000-5000-8000-000000000004'],
    );
    await tables.transaction(async (tx) => {
      expect(await sweepRecords(tx, conductor.queue)).toBeUndefined();
    });
    const left = await tables.query<{ attempt: string }>('SELECT attempt FROM reports ORDER BY seq');
    expect(left.map(({ attempt }) => Number(attempt.slice(-1)))).toEqual([2, 3, 4, 5, 5]);
  });

  it('does not hold up attempts of a node of which nobody knows', async () => {
    const conductor = await Conductor.over(await database(), { silence: 500, look: 50 });
    const sent = conductor.start(shell('true'));
    while ((await conductor.count(conductor.queue.table)) < 1) await Promise.resolve();
    await conductor.database.transaction(async (tx) => {
      const taken = await conductor.queue.take(tx, 'any', 5);
      await recordTaken(tx, taken, { queue: 'any', node: '00000000-0000-4000-8000-000000000009' });
    });
    expect(await sent.outcome).toMatchObject({ kind: 'lost' });
  });
});
