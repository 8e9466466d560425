/** Runs that are claimed and wait for their pool, and those that an earlier daemon left in it. */
import { describe, expect, it } from 'vitest';
import type { JobDefinition, RunRecord } from '../../src/model.ts';
import type { rig } from '../support/engine.ts';
import { job } from '../support/jobs.ts';
import { DurableStore, left } from '../support/left.ts';
import { at, HOUR, MINUTE, pooled, runOf, SECOND, taking } from '../support/pooled.ts';

describe('a run by hand', () => {
  it('waits for its pool before all others of its priority, and passes by the bounds', async () => {
    const { engine, clock, started, history } = pooled({}, { settings: { maxConcurrentRuns: 1 } });
    engine.resizePools({ database: 1 });
    await engine.start([
      job('a', { at: at('00:01:00'), ...taking() }),
      job('b', { at: at('00:01:01'), ...taking() }),
      job('better', { at: at('00:01:02'), ...taking({}, { priority: 1 }) }),
      job('hand', { every: 24 * HOUR, ...taking() }),
      job('free', { every: 24 * HOUR }),
    ]);
    await clock.advance(MINUTE + 5 * SECOND);
    expect(engine.runNow('hand')).toMatchObject({
      state: 'waiting',
      waited: { limit: 'database', heldBy: ['a'] },
    });
    expect(engine.runNow('free')?.state).toBe('claimed');
    await clock.advance(MINUTE);
    expect(started()).toEqual([
      'a 00:01:00',
      'free 00:01:05',
      'better 00:01:15',
      'hand 00:01:25',
      'b 00:01:35',
    ]);
    expect(runOf(await history(), 'hand')).toMatchObject({
      state: 'finished',
      outcome: { kind: 'succeeded' },
    });
  });

  it('starts at once where its pool is free', async () => {
    const { engine, clock, started } = pooled({});
    engine.resizePools({ database: 1 });
    await engine.start([job('hand', { every: 24 * HOUR, ...taking() })]);
    await clock.advance(SECOND);
    expect(engine.runNow('hand')?.state).toBe('claimed');
    await clock.advance(0);
    expect(started()).toEqual(['hand 00:00:01']);
  });

  it('ends unstarted when it has waited as long as it may, or is cancelled', async () => {
    const { engine, clock, executor, history } = pooled({ a: HOUR });
    engine.resizePools({ database: 1 });
    await engine.start([
      job('a', { at: at('00:01:00'), ...taking() }),
      job('hand', { every: 24 * HOUR, ...taking({ maxWait: MINUTE }) }),
      job('cancelled', { every: 24 * HOUR, ...taking() }),
      job('soon', { every: 24 * HOUR, ...taking() }),
    ]);
    await clock.advance(MINUTE);
    engine.runNow('hand');
    const run = engine.runNow('cancelled');
    engine.cancel(engine.runNow('soon')?.id ?? '');
    await clock.advance(SECOND);
    engine.cancel(run?.id ?? '');
    await clock.advance(2 * MINUTE);
    const rows = await history();
    expect(runOf(rows, 'hand').outcome).toEqual({
      kind: 'not_started',
      message: 'it waited 1m for a place in the pool database, as long as max_wait allows',
    });
    for (const id of ['cancelled', 'soon'])
      expect(runOf(rows, id).outcome, id).toEqual({ kind: 'cancelled', by: 'operator' });
    expect(executor.starts.map(({ spec }) => spec.jobId)).toEqual(['a']);
    expect([...engine.limits()]).toMatchObject([{ used: 1, waiting: 0 }]);
  });

  it('is left to the next daemon while it waits, and takes its turn there', async () => {
    const store = new DurableStore();
    const first = pooled({ a: HOUR }, { store });
    first.engine.resizePools({ database: 1 });
    const a = job('a', { at: at('00:01:00'), ...taking({}, { onShutdown: 'leave' }) });
    const hand = job('hand', { every: 24 * HOUR, ...taking() });
    await first.engine.start([a, hand]);
    await first.clock.advance(2 * MINUTE);
    const asked = first.engine.runNow('hand');
    await first.clock.advance(SECOND);
    void first.engine.stop({ drain: 0 });
    await first.clock.advance(SECOND);
    expect(runOf(await store.history({}), 'hand').state).toBe('waiting');

    const next = pooled({}, { store, clock: first.clock, ids: 'next' });
    next.executor.found = ({ jobId }) => {
      if (jobId !== 'a') throw new Error('what never had its turn is not looked for');
      const follow: Follow = (report) => {
        next.clock.after(MINUTE, () => report({ kind: 'ended', outcome: { kind: 'succeeded' } }));
        return { stop: () => undefined, kill: () => undefined };
      };
      return { kind: 'running', pid: 1, startTime: 1, ranFor: 0, follow };
    };
    next.engine.resizePools({ database: 1 });
    await next.engine.start([a, hand]);
    await next.clock.advance(30 * SECOND);
    expect(next.started()).toEqual([]);
    expect([...next.engine.limits()]).toMatchObject([{ used: 1, waiting: 1, next: { jobId: 'hand' } }]);
    await next.clock.advance(MINUTE);
    expect(next.executor.starts.map(({ spec }) => spec.runId)).toEqual([asked?.id]);
  });
});

type Follow = Extract<ReturnType<ReturnType<typeof rig>['executor']['found']>, { kind: 'running' }>['follow'];

describe('the longest wait', () => {
  /** A daemon that is killed after `up`, and at once another one: what they did, once that is over. */
  async function killed(jobs: readonly JobDefinition[], { up, ask }: { up: number; ask?: string }) {
    const store = new DurableStore();
    const first = pooled({ a: HOUR }, { store });
    first.engine.resizePools({ database: 1 });
    await first.engine.start(jobs);
    await first.clock.advance(2 * MINUTE);
    if (ask !== undefined) first.engine.runNow(ask);
    await first.clock.advance(up - 2 * MINUTE);
    const start = new Date(first.clock.now()).toISOString();
    const next = pooled({}, { store, start, ids: 'next' });
    const follow: Follow = () => ({ stop: () => undefined, kill: () => undefined });
    next.executor.found = () => ({ kind: 'running', pid: 1, startTime: 1, ranFor: 0, follow });
    next.engine.resizePools({ database: 1 });
    await next.engine.start(jobs);
    return next;
  }

  it('of a slot counts from when it was due, under whichever daemon', async () => {
    const jobs = [
      job('a', { at: at('00:01:00'), ...taking() }),
      job('b', { at: at('00:01:01'), ...taking({ maxWait: 5 * MINUTE }) }),
    ];
    const { clock, engine, events } = await killed(jobs, { up: 4 * MINUTE });
    await clock.advance(MINUTE);
    const [a, b] = jobs;
    const changed = b && { ...b, policy: { ...b.policy, priority: 3 } };
    await Promise.all([engine.apply([a, changed].filter((each) => each !== undefined)), clock.advance(0)]);
    expect([...engine.limits()]).toMatchObject([{ used: 1, waiting: 1 }]);
    await clock.advance(HOUR);
    const skipped = events.flatMap((event) => (event.kind === 'slots_skipped' ? [event.skip] : []));
    expect(skipped).toMatchObject([{ jobId: 'b', reason: 'limit', at: Date.parse(at('00:06:01')) }]);
  });

  it('is no reason to skip a slot that finds room, however late', async () => {
    const jobs = [
      job('a', { at: at('10:00:00'), ...taking() }),
      job('b', { at: at('00:01:01'), ...taking({ maxWait: 5 * MINUTE }) }),
    ];
    const store = new DurableStore();
    const first = pooled({}, { store });
    await first.engine.start(jobs);
    const next = pooled({}, { store, start: at('02:00:00'), ids: 'next' });
    next.engine.resizePools({ database: 1 });
    await next.engine.start(jobs);
    await next.clock.advance(MINUTE);
    expect(next.started()).toEqual(['b 02:00:00']);
  });

  it('of a run by hand counts from when it was asked for', async () => {
    const jobs = [
      job('a', { at: at('00:01:00'), ...taking() }),
      job('hand', { every: 24 * HOUR, ...taking({ maxWait: 5 * MINUTE }) }),
    ];
    const { clock, history } = await killed(jobs, { up: 4 * MINUTE, ask: 'hand' });
    await clock.advance(HOUR);
    expect(runOf(await history(), 'hand')).toMatchObject({
      finishedAt: Date.parse(at('00:07:00')),
      outcome: {
        kind: 'not_started',
        message: 'it waited 5m for a place in the pool database, as long as max_wait allows',
      },
    });
  });
});

describe('runs of an earlier daemon', () => {
  it('count for their pool, be it overfull, even where their job has left or has no pool any more', async () => {
    const store = new DurableStore();
    const pool = { name: 'database', slots: 1 };
    const state: Partial<RunRecord> = { pool, state: 'retrying', retryAt: Date.parse(at('00:10:00')) };
    const runs = ['stays', 'changed'].map((jobId) => left({ ...state, id: jobId, jobId }));
    await store.claim(runs, []);
    const { engine, clock, started } = pooled({}, { store });
    engine.resizePools({ database: 1 });
    await engine.start([
      job('stays', { every: 24 * HOUR, ...taking() }),
      job('changed', { every: 24 * HOUR }),
      job('b', { at: at('00:01:00'), ...taking() }),
    ]);
    await clock.advance(5 * MINUTE);
    expect([...engine.limits()]).toMatchObject([{ slots: 1, used: 2, waiting: 1 }]);
    await clock.advance(HOUR);
    expect(started().map((start) => start.split(' ')[0])).toEqual(['stays', 'changed', 'b']);
  });
});
