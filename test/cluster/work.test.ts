import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { attemptId } from '../../src/cluster/ids.ts';
import { recordTaken } from '../../src/cluster/records.ts';
import { Work } from '../../src/cluster/work.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { ScriptedExecutor } from '../support/scripted-executor.ts';
import { BLANK, later, lives, shell, temporaryDirectory, until } from '../tasks/harness.ts';
import { Conductor, lines, waiting } from './workers.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const database = (): Promise<string> => server.createDatabase();

/** Long enough for a busy machine to beat in between, short enough to be waited for. */
const silence = 4000;
const patience = { silence, look: 100 };

describe('attempts and nodes', () => {
  it('run each once, on whatever node has room', async () => {
    const conductor = await Conductor.over(await database());
    await conductor.workers(['a', 'b'], { slots: 20 });
    const account = join(temporaryDirectory(), 'account');
    const sent = Array.from({ length: 300 }, (_, n) => conductor.start(shell(`echo ${n} >> ${account}`)));
    const outcomes = await conductor.outcomes(sent);
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['succeeded']));
    expect(lines(account).toSorted()).toEqual(Array.from({ length: 300 }, (_, n) => String(n)).toSorted());
    for (const { reports } of sent) expect(reports.map(({ kind }) => kind)).toEqual(['started', 'ended']);
    const started = await Promise.all(sent.map((each) => each.started));
    expect(new Set(started.map(({ node }) => node))).toEqual(new Set(['a', 'b']));
    expect(await conductor.count('held')).toBe(0);
  });

  it('tell how long they ran as their node measured it, also who asks for that later', async () => {
    const conductor = await Conductor.over(await database());
    await conductor.workers(['a']);
    const sent = conductor.start(shell('sleep 0.3'));
    expect(await sent.outcome).toMatchObject({ kind: 'succeeded' });
    const [, ended] = sent.reports;
    const ranFor = ended?.kind === 'ended' ? (ended.ranFor ?? 0) : 0;
    expect(ranFor).toBeGreaterThanOrEqual(300);
    await conductor.takeOver();
    expect(await conductor.dispatch.recover(sent.spec)).toMatchObject({ kind: 'ended', ranFor });
  });

  it('never run more at once than the node has slots', async () => {
    const conductor = await Conductor.over(await database());
    await conductor.workers(['a'], { slots: 3 });
    const account = join(temporaryDirectory(), 'account');
    const script = `echo + >> ${account}; sleep 0.1; echo - >> ${account}`;
    await conductor.outcomes(Array.from({ length: 12 }, () => conductor.start(shell(script))));
    let most = 0;
    let now = 0;
    for (const line of lines(account)) {
      now += line === '+' ? 1 : -1;
      most = Math.max(most, now);
    }
    expect(most).toBe(3);
  });

  it('take those of higher priority first', async () => {
    const conductor = await Conductor.over(await database());
    const account = join(temporaryDirectory(), 'account');
    const sent = [1, 3, 2].map((priority) =>
      conductor.start(shell(`echo ${priority} >> ${account}`, { priority })),
    );
    while ((await conductor.count(conductor.queue.table)) < 3) await Promise.resolve();
    await conductor.workers(['a'], { slots: 1 });
    await conductor.outcomes(sent);
    expect(lines(account)).toEqual(['3', '2', '1']);
  });

  it('wait for a node that has the labels and the module', async () => {
    const conductor = await Conductor.over(await database());
    const directory = temporaryDirectory();
    const path = join(directory, 'task.mjs');
    const task = { kind: 'module', path, exportName: 'default', isolation: 'process', with: null } as const;
    const job = { ...BLANK, policy: {}, id: 'x', task, runsOn: ['gpu'] };
    conductor.dispatch.declare([job as never]);
    const [plain, gpu] = await conductor.workers(
      ['plain', 'gpu'].map((name) => name),
      {},
    );
    await gpu?.kill();
    const strong = conductor.worker('strong', { labels: ['eu', 'gpu'] });
    await strong.says('ready');
    const labelled = conductor.start({ ...shell('true'), runsOn: ['gpu'] });
    expect((await labelled.started).node).toBe('strong');
    const modular = conductor.start({ task, runsOn: ['gpu'] });
    const said = await strong.says('trouble', ({ trouble }) => trouble?.includes(path) === true);
    expect(said.trouble).toContain('takes no attempts of jobs that need it');
    strong.signal('SIGHUP');
    expect((await strong.says('lacks')).lacks).toEqual([path]);
    plain?.signal('SIGHUP');
    expect((await plain?.says('lacks'))?.lacks).toEqual([]);
    expect(modular.reports).toEqual([]);
    writeFileSync(path, 'export default () => 7;');
    expect(await modular.outcome).toMatchObject({ kind: 'succeeded', result: 7 });
  });

  it('have everything that was given them, whatever characters it has', async () => {
    const conductor = await Conductor.over(await database());
    const odd = {
      z: 'nul \0 half \ud800 mark \u{E000}e000',
      a: '\\u0000 "\n',
      über: [1, { b: null, aa: 2 }],
    };
    const spec = { ...BLANK, forSlot: true, with: odd, runsOn: undefined };
    conductor.start(spec);
    while ((await conductor.count(conductor.queue.table)) < 1) await Promise.resolve();
    const [taken] = await conductor.database.transaction((tx) => conductor.queue.take(tx, 'any', 5));
    expect(taken?.id).toBe(attemptId(spec));
    expect(JSON.stringify(taken?.spec)).toBe(JSON.stringify(spec));
  });
});

describe('a node that falls silent', () => {
  it('is given up when it was killed, and ends what it left when it is back', async () => {
    const conductor = await Conductor.over(await database(), patience);
    const [node] = await conductor.workers(['a'], { silence });
    const job = waiting();
    const sent = conductor.start(job.spec);
    const pid = await job.pid();
    await sent.started;
    await node?.kill();
    const outcome = await sent.outcome;
    expect(outcome).toEqual({ kind: 'lost', message: 'node a was not heard of for 4s' });
    expect(lives(pid)).toBe(true);
    const back = node?.again();
    await back?.says('ready');
    await until('the process to be ended', () => !lives(pid));
    expect((await back?.says('refused'))?.message).toContain('given up');
    expect(await conductor.count('reports', `kind = 'given_up' AND report ? 'spec'`)).toBe(0);
    expect(job.begun()).toBe(1);
  });

  it('is refused what it reports late when it was frozen, and ends what it runs', async () => {
    const conductor = await Conductor.over(await database(), patience);
    const [node] = await conductor.workers(['a'], { silence });
    const [over, open] = [waiting(), waiting()];
    const sent = [conductor.start(over.spec), conductor.start(open.spec)];
    const pids = [await over.pid(), await open.pid()];
    await Promise.all(sent.map(({ started }) => started));
    node?.signal('SIGSTOP');
    over.release();
    const outcomes = await conductor.outcomes(sent);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['lost', 'lost']);
    node?.signal('SIGCONT');
    for (const pid of pids) await until('the process to be ended', () => !lives(pid));
    for (const { spec } of sent) await node?.says('refused', ({ refused }) => refused === spec.jobId);
    expect(sent.map(({ reports }) => reports.length)).toEqual([2, 2]);
    expect(await conductor.count('reports', `kind = 'ended'`)).toBe(0);
    // It works on.
    expect(await conductor.start(shell('true')).outcome).toMatchObject({ kind: 'succeeded' });
  });

  it('takes up what it runs, when it is back in time', async () => {
    const conductor = await Conductor.over(await database());
    const [node] = await conductor.workers(['a']);
    const [open, over] = [waiting(), waiting()];
    const sent = [conductor.start(open.spec), conductor.start(over.spec)];
    const [pid] = [await open.pid(), await over.pid()];
    await Promise.all(sent.map(({ started }) => started));
    await node?.kill();
    over.release();
    const back = node?.again();
    await back?.says('ready');
    expect(await sent[1]?.outcome).toMatchObject({ kind: 'succeeded' });
    expect(lives(pid)).toBe(true);
    open.release();
    expect(await sent[0]?.outcome).toMatchObject({ kind: 'succeeded' });
    expect(sent.map(({ reports }) => reports.map(({ kind }) => kind))).toEqual(
      Array.from({ length: 2 }, () => ['started', 'ended']),
    );
    expect([open.begun(), over.begun()]).toEqual([1, 1]);
  });

  it('says lost of what it had taken and not begun', async () => {
    // Nobody says so before it, however long a busy machine takes to start it.
    const conductor = await Conductor.over(await database(), { silence: 600_000 });
    const sent = conductor.start(shell('true'));
    while ((await conductor.count(conductor.queue.table)) < 1) await Promise.resolve();
    const node = conductor.worker('a');
    await node.kill();
    await conductor.database.transaction(async (tx) => {
      const taken = await conductor.queue.take(tx, 'any', 5);
      await recordTaken(tx, taken, { queue: 'any', node: node.id });
    });
    await node.again().says('ready');
    expect(await sent.outcome).toEqual({ kind: 'lost', message: 'node a ended before it could begin it' });
  });

  it('is left its time where the database was away, not the node', async () => {
    let looks = 0;
    const contactFor = (): number => {
      looks += 1;
      return 0;
    };
    const conductor = await Conductor.over(await database(), { ...patience, contactFor });
    const [node] = await conductor.workers(['a'], { silence });
    const job = waiting();
    const sent = conductor.start(job.spec);
    await sent.started;
    node?.signal('SIGSTOP');
    const old = `beat_at < clock_timestamp() - interval '${silence} ms'`;
    while ((await conductor.count('nodes', old)) === 0) await Promise.resolve();
    const before = looks;
    await until('it to look again', () => looks > before + 3);
    expect(sent.reports.map(({ kind }) => kind)).toEqual(['started']);
    node?.signal('SIGCONT');
    job.release();
    expect(await sent.outcome).toMatchObject({ kind: 'succeeded' });
  });
});

describe('a database that goes away', () => {
  it('loses nothing, and nothing runs twice', async () => {
    const own = await startPostgres({ settings: { fsync: 'on' } });
    try {
      const conductor = await Conductor.over(await own.createDatabase());
      await conductor.workers(['a', 'b'], { slots: 6 });
      const account = join(temporaryDirectory(), 'account');
      const start = (n: number) => conductor.start(shell(`echo ${n} >> ${account}; sleep 0.2`));
      const sent = Array.from({ length: 60 }, (_, n) => start(n));
      await until('some to have begun', () => lines(account).length > 10);
      await own.kill();
      sent.push(...Array.from({ length: 10 }, (_, n) => start(60 + n)));
      await own.start();
      const outcomes = await conductor.outcomes(sent);
      expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['succeeded']));
      expect(lines(account).toSorted()).toEqual(Array.from({ length: 70 }, (_, n) => String(n)).toSorted());
      expect(await conductor.count('held')).toBe(0);
    } finally {
      await own.stop();
    }
  });
});

describe('orders', () => {
  const cancelled = { kind: 'cancelled', by: 'operator' } as const;

  it('end what waits, without a node', async () => {
    const conductor = await Conductor.over(await database());
    const [early, queued] = [conductor.start(shell('true')), conductor.start(shell('true'))];
    early.handle.stop(cancelled);
    expect(await early.outcome).toEqual(cancelled);
    while ((await conductor.count(conductor.queue.table)) < 1) await Promise.resolve();
    queued.handle.stop({ kind: 'timed_out', after: 5 });
    expect(await queued.outcome).toEqual({ kind: 'timed_out', after: 5 });
    await conductor.workers(['a']);
    expect(await conductor.start(shell('true')).outcome).toMatchObject({ kind: 'succeeded' });
    expect(early.reports.length + queued.reports.length).toBe(2);
  });

  it('end what runs: in good order, or at once', async () => {
    const conductor = await Conductor.over(await database());
    await conductor.workers(['a']);
    const [meek, stubborn] = [waiting(), waiting()];
    const deaf = shell(`trap '' TERM; ${(stubborn.spec.task as { script: string }).script}`);
    const sent = [conductor.start(meek.spec), conductor.start(deaf)];
    const pids = [await meek.pid(), await stubborn.pid()];
    sent[0]?.handle.stop(cancelled);
    sent[1]?.handle.stop({ kind: 'timed_out', after: 9 });
    expect(await sent[0]?.outcome).toEqual(cancelled);
    sent[1]?.handle.kill(cancelled);
    expect(await sent[1]?.outcome).toEqual({ kind: 'timed_out', after: 9 });
    for (const pid of pids) expect(lives(pid)).toBe(false);
    expect(await conductor.count('orders')).toBe(0);
  });

  it('reach attempts at every moment of their way', async () => {
    const conductor = await Conductor.over(await database());
    await conductor.workers(['a', 'b'], { slots: 10 });
    const sent = Array.from({ length: 40 }, () => conductor.start(shell('sleep 60')));
    for (const [n, { handle }] of sent.entries()) {
      handle.stop(cancelled);
      if (n % 4 === 0) await conductor.database.query('SELECT 1');
    }
    const outcomes = await conductor.outcomes(sent);
    expect(outcomes).toEqual(sent.map(() => cancelled));
    expect(await conductor.count('held')).toBe(0);
  });
});

describe('a node that stops', () => {
  it('ends each as its job says, and reports it', async () => {
    const conductor = await Conductor.over(await database());
    const [node] = await conductor.workers(['a'], { drain: 1500 });
    const jobs = [
      waiting({ onShutdown: 'terminate' }),
      waiting({ onShutdown: 'wait' }),
      waiting(),
      waiting({ onShutdown: 'leave' }),
    ];
    const sent = jobs.map(({ spec }) => conductor.start(spec));
    const pids = [];
    for (const job of jobs) pids.push(await job.pid());
    await Promise.all(sent.map(({ started }) => started));
    node?.signal('SIGTERM');
    const shutdown = { kind: 'cancelled', by: 'shutdown' };
    expect(await sent[0]?.outcome).toEqual(shutdown);
    jobs[1]?.release();
    expect(await sent[1]?.outcome).toMatchObject({ kind: 'succeeded' });
    expect(await sent[2]?.outcome).toEqual(shutdown);
    await node?.says('left');
    expect(lives(pids[3] ?? 0)).toBe(true);
    const waits = conductor.start(shell('true'));
    await node?.again().says('ready');
    jobs[3]?.release();
    expect(await sent[3]?.outcome).toMatchObject({ kind: 'succeeded' });
    expect(await waits.outcome).toMatchObject({ kind: 'succeeded' });
  });

  it('leaves to others what it was just taking', async () => {
    const conductor = await Conductor.over(await database());
    const { queue } = conductor;
    const take = queue.take.bind(queue);
    const asked = Promise.withResolvers<void>();
    const executor = new ScriptedExecutor(systemClock);
    const work = new Work({
      database: conductor.database,
      queue,
      clock: systemClock,
      executor,
      node: { id: randomUUID(), name: 'a' },
      slots: 1,
      labels: [],
      contactFor: () => 60_000,
      onTrouble: (message) => conductor.troubles.push(message),
      onRefused: () => undefined,
      onEnded: () => undefined,
    });
    later(() => work.close());
    vi.spyOn(queue, 'take').mockImplementation(async (...from) => {
      const rows = await take(...from);
      if (rows.length > 0) work.stop({ drain: 60_000 }).then(asked.resolve, asked.reject);
      return rows;
    });
    await work.start();
    const job = conductor.start(shell('true'));
    await asked.promise;
    expect(executor.starts).toEqual([]);
    expect(await conductor.count('held')).toBe(0);
    await conductor.workers(['b']);
    expect(await job.outcome).toMatchObject({ kind: 'succeeded' });
    expect(await job.started).toMatchObject({ node: 'b' });
    expect(conductor.troubles).toEqual([]);
  });

  it('takes nothing new while it is drained', async () => {
    const conductor = await Conductor.over(await database());
    const [node, other] = await conductor.workers(['a', 'b'], { slots: 50 });
    node?.signal('SIGUSR2');
    await node?.says('drained');
    const sent = Array.from({ length: 20 }, () => conductor.start(shell('true')));
    await conductor.outcomes(sent);
    const started = await Promise.all(sent.map((each) => each.started));
    expect(new Set(started.map((each) => each.node))).toEqual(new Set(['b']));
    expect(other).toBeDefined();
  });
});
