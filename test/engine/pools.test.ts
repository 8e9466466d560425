/** Limits that runs share: who has its turn when, who waits for what, and what becomes of who waits too long. */
import { describe, expect, it } from 'vitest';
import { SEED } from '../support/cron-judge.ts';
import { Random } from '../support/cron-oracle.ts';
import { time } from '../support/engine.ts';
import { job } from '../support/jobs.ts';
import { at, HOUR, inThread, MINUTE, PATIENT, pooled, request, SECOND, taking } from '../support/pooled.ts';

describe('two hundred jobs and a pool of three', () => {
  it('never more than three at once, the better ones first, and each has its turn', async () => {
    const random = new Random(SEED);
    const began = Date.parse(at('00:01:00'));
    const jobs = Array.from({ length: 200 }, (_, n) =>
      job(`j${n}`, {
        at: new Date(began + random.pick([0, 0, 0, 90, 400, 1700]) * SECOND).toISOString(),
        ...taking({}, { priority: random.int(-2, 2) }),
      }),
    );
    const lasts = Object.fromEntries(jobs.map(({ id }) => [id, random.int(1, 90) * SECOND]));
    const { engine, clock, executor, skips, history } = pooled(lasts);
    engine.resizePools({ database: 3 });
    await engine.start(jobs);
    await clock.advance(5 * HOUR);

    expect(skips(), `seed ${SEED}`).toEqual([]);
    const runs = executor.starts.map(({ spec, at: from }) => {
      const { policy } = jobs.find(({ id }) => id === spec.jobId) ?? jobs[0] ?? job('none', {});
      const { jobId, scheduledAt: due } = spec;
      return { jobId, from, to: from + (lasts[jobId] ?? 0), due, priority: policy.priority };
    });
    expect(new Set(runs.map(({ jobId }) => jobId)).size, `seed ${SEED}`).toBe(200);
    expect(runs).toHaveLength(200);
    for (const [index, { jobId, from, due, priority }] of runs.entries()) {
      const beside = runs.filter((other) => other.from <= from && other.to > from);
      expect(beside.length, `${jobId} at ${time(from)}, seed ${SEED}`).toBeLessThanOrEqual(3);
      // A place may become free in the very millisecond of a slot, before that one comes.
      const passed = runs
        .slice(index + 1)
        .find(
          (other) =>
            (other.due < from || (other.due === from && due === from)) &&
            (other.priority - priority || due - other.due) > 0,
        );
      expect(passed, `${jobId} passed ${passed?.jobId} at ${time(from)}, seed ${SEED}`).toBeUndefined();
    }
    // Nothing was idle while somebody waited: no place stays free.
    const busy = runs.reduce((sum, { from, to }) => sum + to - from, 0);
    const waited = runs.filter(({ from, due }) => from > due);
    expect(waited.length).toBeGreaterThan(100);
    expect(Math.max(...runs.map(({ to }) => to)) - began).toBeLessThan(
      busy / 3 + 1700 * SECOND + 90 * SECOND,
    );

    const late = (await history()).flatMap((row) => ('run' in row ? [row.run] : []));
    for (const { jobId, scheduledAt, attempts, waited: why } of late) {
      if ((attempts[0]?.startedAt ?? 0) === scheduledAt) continue;
      expect(why, jobId).toMatchObject({ limit: 'database', since: scheduledAt });
      expect(why?.heldBy.length, jobId).toBe(3);
    }
    expect([...engine.limits()]).toMatchObject([
      { name: 'database', slots: 3, used: 0, waiting: 0, holders: [] },
    ]);
  });
});

describe('the line of a pool', () => {
  it('is not passed by those who want less', async () => {
    const { engine, clock, started } = pooled({});
    engine.resizePools({ database: 2 });
    await engine.start([
      job('a', { at: at('00:01:00'), ...taking() }),
      job('b', { at: at('00:01:05'), ...taking() }),
      job('both', { at: at('00:01:06'), ...taking({ slots: 2 }) }),
      job('c', { at: at('00:01:07'), ...taking() }),
    ]);
    await clock.advance(2 * MINUTE);
    expect(started()).toEqual(['a 00:01:00', 'b 00:01:05', 'both 00:01:15', 'c 00:01:25']);
  });

  it('blocks its pool, and no other', async () => {
    const { engine, clock, started, waits } = pooled({ a: MINUTE }, { settings: { maxConcurrentRuns: 2 } });
    engine.resizePools({ database: 1, other: 1 });
    await engine.start([
      job('a', { at: at('00:01:00'), ...taking() }),
      job('b', { at: at('00:01:01'), ...taking({}, { priority: 9 }) }),
      job('c', { at: at('00:01:02'), ...taking({ name: 'other' }) }),
      job('d', { at: at('00:01:30') }),
    ]);
    await clock.advance(3 * MINUTE);
    expect(started()).toEqual(['a 00:01:00', 'c 00:01:02', 'd 00:01:30', 'b 00:02:00']);
    expect(waits()).toEqual([
      expect.objectContaining({ jobId: 'b', limit: 'database', heldBy: ['a'], reason: 'limit' }),
    ]);
  });

  it('goes on where one of two limits is free and the other not, in turns', async () => {
    // Jobs in threads and jobs with processes take turns at having what `both` needs of each; it must not starve.
    const length = 10 * SECOND;
    const rest = { overlap: 'queue', ...PATIENT } as const;
    const threads = ['t1', 't2'].map((id) => inThread(job(id, { every: length, ...taking({}, rest) })));
    const processes = ['p1', 'p2'].map((id) =>
      job(id, { every: length, schedule: { jitter: 0, start: Date.parse(at('00:00:05')) }, policy: rest }),
    );
    const { engine, clock, executor } = pooled(
      { t1: 14 * SECOND, t2: 14 * SECOND, p1: 13 * SECOND, p2: 13 * SECOND },
      { settings: { maxProcessRuns: 1 } },
    );
    engine.resizePools({ database: 1 });
    await engine.start([...threads, ...processes, job('both', { at: at('00:05:00'), ...taking() })]);
    await clock.advance(20 * MINUTE);
    const begun = executor.starts.findIndex(({ spec }) => spec.jobId === 'both');
    expect(begun).toBeGreaterThan(0);
    // It is passed in its pool by nobody who came later.
    const before = executor.starts.slice(0, begun).filter(({ spec }) => spec.jobId.startsWith('t'));
    const latest = Math.max(...before.map(({ spec }) => spec.scheduledAt));
    expect(latest).toBeLessThanOrEqual(Date.parse(at('00:05:00')));
  });

  it('lets the better one have both of two limits that become free at once', async () => {
    const lasts = { a: MINUTE, x: 10 * MINUTE };
    const { engine, clock, started } = pooled(lasts, { settings: { maxConcurrentRuns: 2 } });
    engine.resizePools({ database: 1 });
    await engine.start([
      job('a', { at: at('00:01:00'), ...taking() }),
      job('x', { at: at('00:01:00'), policy: PATIENT }),
      job('y', { at: at('00:01:10'), policy: PATIENT }),
      job('better', { at: at('00:01:20'), ...taking({}, { priority: 1 }) }),
    ]);
    await clock.advance(5 * MINUTE);
    expect(started()).toEqual(['a 00:01:00', 'x 00:01:00', 'better 00:02:00', 'y 00:02:10']);
  });

  it('keeps back nobody in another line when a better one takes what it had in sight', async () => {
    const lasts = { p0: MINUTE, better: 5 * MINUTE };
    const { engine, clock, started } = pooled(lasts, { settings: { maxProcessRuns: 1 } });
    engine.resizePools({ database: 1 });
    await engine.start([
      job('p0', { at: at('00:01:00'), policy: PATIENT }),
      job('both', { at: at('00:01:10'), ...taking() }),
      inThread(job('better', { at: at('00:01:20'), ...taking({}, { priority: 1 }) })),
      job('p1', { at: at('00:01:30'), policy: PATIENT }),
    ]);
    await clock.advance(10 * MINUTE);
    expect(started()).toEqual(['p0 00:01:00', 'better 00:01:20', 'p1 00:02:00', 'both 00:06:20']);
  });

  it('tells what keeps a job now, and who has the pool', async () => {
    const { engine, clock } = pooled({ a: MINUTE });
    engine.resizePools({ database: 1 });
    await engine.start([
      job('a', { at: at('00:01:00'), ...taking() }),
      job('b', { at: at('00:01:01'), ...taking() }),
    ]);
    await clock.advance(MINUTE + 10 * SECOND);
    expect(engine.job('b')).toMatchObject({ waiting: 1, waitsFor: { limit: 'database', heldBy: ['a'] } });
    expect([...engine.limits()]).toEqual([
      {
        name: 'database',
        slots: 1,
        used: 1,
        waiting: 1,
        holders: [{ id: 'run-1', jobId: 'a', claimedAt: Date.parse(at('00:01:00')), slots: 1 }],
        next: { jobId: 'b', since: Date.parse(at('00:01:01')) },
      },
    ]);
  });
});

describe('bounds on kinds of runs', () => {
  it('hold for theirs alone, beside that on all', async () => {
    const settings = { maxProcessRuns: 1, maxThreadRuns: 2, maxConcurrentRuns: 3 };
    const { engine, clock, started } = pooled({}, { settings });
    const jobs = ['p1', 'p2', 't1', 't2', 't3'].map((id) => job(id, { at: at('00:01:00'), policy: PATIENT }));
    await engine.start(jobs.map((each) => (each.id.startsWith('t') ? inThread(each) : each)));
    await clock.advance(2 * MINUTE);
    expect(started()).toEqual(['p1 00:01:00', 't1 00:01:00', 't2 00:01:00', 'p2 00:01:10', 't3 00:01:10']);
  });

  it('hold for no request, which has neither process nor thread', async () => {
    const settings = { maxProcessRuns: 1, maxThreadRuns: 1, maxConcurrentRuns: 3 };
    const { engine, clock, started } = pooled({}, { settings });
    const jobs = ['h1', 'h2', 'h3', 'h4'].map((id) => job(id, { at: at('00:01:00'), policy: PATIENT }));
    await engine.start(jobs.map(request));
    await clock.advance(2 * MINUTE);
    expect(started()).toEqual(['h1 00:01:00', 'h2 00:01:00', 'h3 00:01:00', 'h4 00:01:10']);
  });
});

describe('a wait that is too long', () => {
  it('ends in a skip by max_wait, which names the pool', async () => {
    const { engine, clock, started, events } = pooled({ a: 10 * MINUTE });
    engine.resizePools({ database: 1 });
    await engine.start([
      job('a', { at: at('00:01:00'), ...taking() }),
      job('b', { at: at('00:01:01'), ...taking({ maxWait: 5 * MINUTE }) }),
      job('c', { at: at('00:01:02'), ...taking() }),
    ]);
    await clock.advance(HOUR);
    expect(started()).toEqual(['a 00:01:00', 'c 00:11:00']);
    expect(events).toContainEqual({
      kind: 'slots_skipped',
      skip: expect.objectContaining({
        jobId: 'b',
        reason: 'limit',
        detail: 'database',
        at: Date.parse(at('00:06:01')),
      }) as object,
    });
  });

  it('ends in a misfire by the grace, which names the pool too', async () => {
    const { engine, clock, skips, events } = pooled({ a: 10 * MINUTE });
    engine.resizePools({ database: 1 });
    const misfire = { run: 'latest', grace: MINUTE, max: 1 } as const;
    await engine.start([
      job('a', { at: at('00:01:00'), ...taking() }),
      job('b', { at: at('00:01:01'), ...taking({}, { misfire }) }),
    ]);
    await clock.advance(HOUR);
    expect(skips()).toEqual(['b 00:01:01 1 misfire']);
    expect(events).toContainEqual(
      expect.objectContaining({ skip: expect.objectContaining({ detail: 'database' }) as object }),
    );
  });

  it('lets the next slot of its own job have its turn', async () => {
    const { engine, clock, slots, skips } = pooled({ a: 10 * MINUTE });
    engine.resizePools({ database: 1 });
    await engine.start([
      job('a', { at: at('00:01:00'), ...taking() }),
      job('b', { every: 4 * MINUTE, ...taking({ maxWait: 5 * MINUTE }, { overlap: 'queue' }) }),
    ]);
    await clock.advance(13 * MINUTE);
    expect(skips()).toEqual(['b 00:04:00 1 limit']);
    expect(slots('b')).toEqual(['00:08:00', '00:12:00']);
  });
});

describe('a pool that changes', () => {
  it('grows at once, and shrinks as runs end', async () => {
    const { engine, clock, started } = pooled({});
    engine.resizePools({ database: 1 });
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    await engine.start(ids.map((id) => job(id, { at: at('00:01:00'), ...taking() })));
    await clock.advance(MINUTE + SECOND);
    engine.resizePools({ database: 3 });
    await clock.advance(0);
    expect(started()).toEqual(['a 00:01:00', 'b 00:01:01', 'c 00:01:01']);
    engine.resizePools({ database: 1 });
    await clock.advance(MINUTE);
    expect(started().slice(3)).toEqual(['d 00:01:11', 'e 00:01:21', 'f 00:01:31']);
  });

  it('lets in who wants more than there is left of it, alone', async () => {
    const { engine, clock, started } = pooled({});
    engine.resizePools({ database: 3 });
    await engine.start([
      job('a', { at: at('00:01:00'), ...taking() }),
      job('all', { at: at('00:01:01'), ...taking({ slots: 3 }) }),
      job('b', { at: at('00:01:02'), ...taking() }),
    ]);
    await clock.advance(MINUTE + 5 * SECOND);
    engine.resizePools({ database: 1 });
    await clock.advance(MINUTE);
    expect(started()).toEqual(['a 00:01:00', 'all 00:01:10', 'b 00:01:20']);
  });

  it('is left for another by a slot whose job changes while it waits', async () => {
    const { engine, clock, started } = pooled({ a: HOUR });
    engine.resizePools({ database: 1, other: 1 });
    const a = job('a', { at: at('00:01:00'), ...taking() });
    await engine.start([a, job('b', { at: at('00:01:01'), ...taking() })]);
    await clock.advance(2 * MINUTE);
    await Promise.all([
      engine.apply([a, job('b', { at: at('00:01:01'), ...taking({ name: 'other' }) })]),
      clock.advance(0),
    ]);
    expect(started()).toEqual(['a 00:01:00', 'b 00:02:00']);
  });

  it('has its line cleared when the daemon stops', async () => {
    const { engine, clock, skips, executor, history } = pooled({ a: MINUTE });
    engine.resizePools({ database: 1 });
    await engine.start(
      ['a', 'b', 'c'].map((id) =>
        job(id, { at: at('00:01:00'), ...taking({}, { onShutdown: 'terminate' }) }),
      ),
    );
    await clock.advance(MINUTE + SECOND);
    const run = engine.runNow('c');
    await clock.advance(SECOND);
    void engine.stop({ drain: 0 });
    await clock.advance(MINUTE);
    expect(executor.starts).toHaveLength(1);
    expect(skips()).toEqual(['b 00:01:00 1 shutdown', 'c 00:01:00 1 shutdown']);
    expect(engine.active).toBe(0);
    // This store does not outlive the daemon.
    expect(await history()).toContainEqual({
      run: expect.objectContaining({ id: run?.id, outcome: { kind: 'cancelled', by: 'shutdown' } }) as object,
    });
  });
});
