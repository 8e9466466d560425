import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../src/store/memory.ts';
import { rig } from '../support/engine.ts';
import { job } from '../support/jobs.ts';
import { DurableStore } from '../support/left.ts';

const MINUTE = 60_000;

async function busy(
  onShutdown: 'wait' | 'terminate' | 'leave',
  script = { lasts: 5 * MINUTE, lingers: 3000 },
) {
  const made = rig({ script: () => script });
  await made.engine.start([job('a', { every: MINUTE, policy: { onShutdown } })]);
  await made.clock.advance(MINUTE);
  expect(made.executor.starts).toHaveLength(1);
  let done = false;
  return {
    ...made,
    stop: (drain: number) => {
      void made.engine.stop({ drain }).then(() => {
        done = true;
      });
    },
    isDone: () => done,
  };
}

describe('stopping', () => {
  it('notes which runs it ends by KILL: whoever finds one ended does not make it again', async () => {
    const { engine, executor, history } = await busy('wait');
    void engine.stopNow();
    expect(executor.stops).toMatchObject([{ kill: true, reason: { kind: 'cancelled', by: 'shutdown' } }]);
    expect(await history()).toMatchObject([
      { run: { state: 'running', attempts: [{ cancelledBy: 'shutdown' }] } },
    ]);
  });

  it('wait: lets the run finish within the drain', async () => {
    const { stop, isDone, clock, executor, history } = await busy('wait');
    stop(10 * MINUTE);
    await clock.advance(4 * MINUTE);
    expect(isDone()).toBe(false);
    await clock.advance(MINUTE);
    expect(isDone()).toBe(true);
    expect(executor.stops).toEqual([]);
    expect(await history()).toMatchObject([{ run: { outcome: { kind: 'succeeded' } } }]);
  });

  it('wait: ends the run when the drain is over', async () => {
    const { stop, isDone, clock, history } = await busy('wait');
    stop(MINUTE);
    await clock.advance(MINUTE + 2999);
    expect(isDone()).toBe(false);
    await clock.advance(1);
    expect(isDone()).toBe(true);
    expect(await history()).toMatchObject([{ run: { outcome: { kind: 'cancelled', by: 'shutdown' } } }]);
  });

  it('wait: ends the run within the shortest drain of all that ask to stop', async () => {
    const { stop, isDone, clock, history } = await busy('wait', { lasts: Infinity, lingers: 3000 });
    stop(Number.POSITIVE_INFINITY);
    await clock.advance(20 * MINUTE);
    expect(isDone()).toBe(false);
    stop(MINUTE);
    stop(10 * MINUTE);
    await clock.advance(MINUTE + 2999);
    expect(isDone()).toBe(false);
    await clock.advance(1);
    expect(isDone()).toBe(true);
    expect(await history()).toMatchObject([{ run: { outcome: { kind: 'cancelled', by: 'shutdown' } } }]);
  });

  it('terminate: ends the run at once', async () => {
    const { stop, isDone, clock, executor } = await busy('terminate');
    stop(10 * MINUTE);
    await clock.advance(3000);
    expect(executor.stops).toMatchObject([{ reason: { kind: 'cancelled', by: 'shutdown' }, kill: false }]);
    expect(isDone()).toBe(true);
  });

  it('leave: goes without it, also when told to hurry', async () => {
    const { stop, isDone, clock, executor, engine } = await busy('leave');
    stop(10 * MINUTE);
    void engine.stopNow();
    await clock.advance(0);
    expect(isDone()).toBe(true);
    expect(executor.stops).toEqual([]);
  });

  it('now: kills', async () => {
    const { stop, isDone, clock, executor, engine } = await busy('wait', {
      lasts: 60 * MINUTE,
      lingers: 60 * MINUTE,
    });
    stop(10 * MINUTE);
    void engine.stopNow();
    await clock.advance(0);
    expect(executor.stops.map(({ kill }) => kill)).toEqual([true]);
    expect(isDone()).toBe(true);
  });

  it('starts nothing any more, records what waited and ends what waits for a retry', async () => {
    const { engine, clock, executor, skips, history } = rig({
      script: ({ jobId }) =>
        jobId === 'r' ? { lasts: 0, outcome: { kind: 'failed', exitCode: 1 } } : { lasts: 90_000 },
    });
    const retry = { limit: 1, delay: MINUTE, backoff: 'constant', maxDelay: MINUTE, jitter: false } as const;
    await engine.start([
      job('q', { every: MINUTE, policy: { overlap: 'queue' } }),
      job('r', { at: '2026-01-01T00:02:00Z', policy: { retry } }),
    ]);
    await clock.advance(2 * MINUTE);
    const starts = executor.starts.length;
    const stopped = engine.stop({ drain: 10 * MINUTE });
    await clock.advance(10 * MINUTE);
    await stopped;
    expect(executor.starts).toHaveLength(starts);
    expect(skips()).toEqual(['q 00:02:00 1 shutdown']);
    const outcomes = (await history()).flatMap((row) =>
      'run' in row ? [[row.run.jobId, row.run.outcome?.kind]] : [],
    );
    expect(outcomes).toContainEqual(['r', 'cancelled']);
    expect(engine.runNow('q')).toBeUndefined();
  });

  it('retries nothing that fails while it stops', async () => {
    const { engine, clock, executor, history } = rig({
      script: () => ({ lasts: 10_000, outcome: { kind: 'failed', exitCode: 1 } }),
    });
    const retry = { limit: 5, delay: 1000, backoff: 'constant', maxDelay: MINUTE, jitter: false } as const;
    await engine.start([job('r', { every: MINUTE, policy: { retry } })]);
    await clock.advance(MINUTE);
    const stopped = engine.stop({ drain: 10 * MINUTE });
    await clock.advance(10_000);
    await stopped;
    expect(executor.starts).toHaveLength(1);
    const attempts = [{ outcome: { kind: 'failed' } }];
    expect(await history()).toMatchObject([{ run: { attempts, outcome: { kind: 'cancelled' } } }]);
  });

  it('takes no new set any more, nor a first one', async () => {
    const { engine, clock, executor, skips, kinds } = await busy('wait');
    const stopped = engine.stop({ drain: 10 * MINUTE });
    await engine.apply([job('late', { every: 1000 })]);
    await clock.advance(5 * MINUTE);
    await stopped;
    expect(executor.starts).toHaveLength(1);
    expect([skips(), kinds().includes('jobs_applied')]).toEqual([[], false]);

    const other = rig();
    const starting = other.engine.start([job('a', { every: MINUTE }), job('s', { startup: 'daemon' })]);
    await Promise.all([other.engine.stop({ drain: 0 }), starting]);
    await other.clock.advance(MINUTE);
    expect(other.kinds()).toEqual(['engine_stopping', 'engine_stopped']);
  });

  it('arms nothing again when the clock is set far back while it stops', async () => {
    const { stop, isDone, clock, skips, kinds } = await busy('wait');
    stop(10 * MINUTE);
    clock.step(-5 * 60 * MINUTE);
    await clock.advance(5 * MINUTE);
    expect([isDone(), kinds().includes('clock_stepped'), skips()]).toEqual([true, true, []]);
  });

  it('waits for a claim that is under way, whose run then never starts', async () => {
    const store = new MemoryStore();
    const claim = store.claim.bind(store);
    const settle = Promise.withResolvers<void>();
    store.claim = (runs, skips) => settle.promise.then(() => claim(runs, skips));
    const { engine, clock, executor, history, kinds } = rig({ store });
    await engine.start([job('a', { every: MINUTE, policy: { onShutdown: 'leave' } })]);
    await clock.advance(MINUTE);
    const stopped = engine.stop({ drain: 0 });
    void engine.stopNow();
    await clock.advance(MINUTE);
    expect(kinds()).not.toContain('engine_stopped');
    settle.resolve();
    await stopped;
    expect(executor.starts).toEqual([]);
    expect(kinds().slice(-3)).toEqual(['run_claimed', 'run_finished', 'engine_stopped']);
    expect(await history()).toMatchObject([{ run: { outcome: { kind: 'cancelled', by: 'shutdown' } } }]);
  });

  it('starts nothing of a claim that settles in the moment of the stop', async () => {
    const store = new MemoryStore();
    const claim = store.claim.bind(store);
    const settle = Promise.withResolvers<void>();
    store.claim = async (runs, skips) => {
      const won = await claim(runs, skips);
      await settle.promise;
      return won;
    };
    const { engine, clock, executor, history } = rig({ store });
    await engine.start([job('a', { every: MINUTE, policy: { onShutdown: 'wait' } })]);
    await clock.advance(MINUTE);
    settle.resolve();
    // Just before the engine hears of it.
    await Promise.resolve();
    await engine.stop({ drain: 0 });
    expect(executor.starts).toEqual([]);
    expect(await history()).toMatchObject([{ run: { outcome: { kind: 'cancelled', by: 'shutdown' } } }]);
  });

  it('tolerates being started and stopped five hundred times, and stopped twice', async () => {
    for (let n = 0; n < 500; n += 1) {
      const { engine, clock, kinds } = rig();
      await engine.start([job('a', { every: MINUTE })]);
      await Promise.all([engine.stop({ drain: 0 }), engine.stop({ drain: 0 }), engine.stopNow()]);
      const before = clock.wakeUps;
      await clock.advance(MINUTE);
      expect(clock.wakeUps).toBe(before);
      expect(kinds().filter((kind) => kind === 'engine_stopped')).toHaveLength(1);
    }
  });

  it('while a large set is being armed: the rest is left, and nothing follows the end', async () => {
    const { engine, clock, executor, kinds } = rig();
    void engine.start(Array.from({ length: 5000 }, (_, n) => job(`j${n}`, { every: MINUTE })));
    await Promise.resolve();
    await Promise.resolve();
    const stopped = engine.stop({ drain: 0 });
    await clock.advance(2 * MINUTE);
    await stopped;
    expect([...engine.jobs()].length).toBeLessThan(5000);
    expect(kinds()).toEqual(['engine_stopping', 'engine_stopped']);
    expect(executor.starts).toEqual([]);
  });
});

describe('a retry that falls due while other runs drain', () => {
  it('is left to the next daemon, once', async () => {
    const store = new DurableStore();
    const retry = { limit: 1, delay: 60_000, backoff: 'constant', maxDelay: 60_000, jitter: false } as const;
    const { engine, clock, executor, kinds } = rig({
      store,
      script: ({ jobId }) =>
        jobId === 'long' ? { lasts: 3_600_000 } : { lasts: 0, outcome: { kind: 'failed', exitCode: 1 } },
    });
    const at = '2026-01-01T00:00:10Z';
    await engine.start([job('long', { at }), job('a', { at, policy: { retry } })]);
    await clock.advance(30_000);
    let stopped = false;
    void engine.stop({ drain: 7_200_000 }).then(() => (stopped = true));
    await clock.advance(3_600_000);
    expect(stopped).toBe(true);
    expect(executor.starts).toHaveLength(2);
    expect(kinds()).not.toContain('retry_begun');
    expect(await store.unfinished()).toMatchObject([{ jobId: 'a', state: 'retrying' }]);
  });
});
