import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createQueue } from '../../src/cluster/queue.ts';
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
