import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../src/store/memory.ts';
import { rig, type RigOptions } from '../support/engine.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FAILED, job, SUCCEEDED, type JobSketch } from '../support/jobs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** How each run of `a` ends, in their order; the last one again and again. Everything takes ten minutes. */
function ends(...good: readonly boolean[]): NonNullable<RigOptions['script']> {
  let runs = 0;
  return ({ jobId }) => {
    const isGood = jobId !== 'a' || (good[Math.min((runs += 1), good.length) - 1] ?? true);
    return { lasts: 10 * MINUTE, outcome: isGood ? SUCCEEDED : FAILED };
  };
}

function needing(sketch: Partial<JobSketch['needs']> = {}) {
  return { jobs: ['a'], timeout: HOUR, failed: 'skip' as const, ...sketch };
}

const A = (cron = '0 2 * * *', sketch: JobSketch = {}) => job('a', { cron, ...sketch });
const B = (cron = '0 3 * * *', sketch: Partial<JobSketch['needs']> = {}) =>
  job('b', { cron, needs: needing(sketch) });

describe('a job that needs another', () => {
  it('runs at its slot when that one has succeeded', async () => {
    const { engine, clock, started, kinds } = rig({ script: ends(true) });
    await engine.start([A(), B()]);
    await clock.advance(5 * HOUR);
    expect(started()).toEqual(['a 02:00:00', 'b 03:00:00']);
    expect(kinds()).not.toContain('run_waiting');
  });

  it.each([
    ['falls due at the same instant', [B('0 2 * * *'), A()]],
    ['falls due at the same instant, first', [A(), B('0 2 * * *')]],
    ['is still running', [A('55 1 * * *'), B('0 2 * * *')]],
  ])('waits while that one %s', async (_, jobs) => {
    const { engine, clock, slots, started, events } = rig({ script: ends(true) });
    await engine.start(jobs);
    await clock.advance(5 * HOUR);
    expect(slots('b')).toEqual(['02:00:00']);
    expect(started().at(-1)).toMatch(/^b 02:(?:10|05):00$/v);
    expect(events.find(({ kind }) => kind === 'run_waiting')).toMatchObject({
      reason: 'dependency',
      jobs: ['a'],
    });
  });

  it('waits while that one waits for its jitter, its retry and what it follows itself', async () => {
    const retry = {
      limit: 1,
      delay: 30 * MINUTE,
      backoff: 'constant',
      maxDelay: HOUR,
      jitter: false,
    } as const;
    const { engine, clock, started } = rig({ script: ends(false, true) });
    await engine.start([
      A('0 2 * * *', { schedule: { jitter: 20 * MINUTE }, policy: { retry } }),
      job('next', { after: ['a'] }),
      job('b', { cron: '0 2 * * *', needs: needing({ jobs: ['next'], timeout: 3 * HOUR }) }),
    ]);
    await clock.advance(6 * HOUR);
    expect(started().map((start) => start.split(' ')[0])).toEqual(['a', 'a', 'next', 'b']);
  });

  it('waits after a failure for the next success, and passes on what it found', async () => {
    const store = new MemoryStore();
    const { engine, clock, started } = rig({ script: ends(false, false, true), store });
    await engine.start([A('*/30 2-4 * * *'), B('15 2 * * *', { timeout: 2 * HOUR })]);
    await clock.advance(4 * HOUR);
    expect(started().filter((start) => start.startsWith('b'))).toEqual(['b 03:10:00']);
    const [run] = (await store.history({ jobId: 'b' })).flatMap((row) => ('run' in row ? [row.run] : []));
    expect(run?.upstream).toEqual([
      { jobId: 'a', runId: expect.stringMatching('run'), outcome: 'succeeded' },
    ]);
  });

  it.each([
    ['skip', [], ['b 03:00:00 1 dependency'], []],
    ['run', ['b 04:00:00'], [], ['succeeded']],
    ['fail', [], [], ['not_started it waited in vain for a to succeed']],
  ] as const)('that never succeeds: %s', async (failed, starts, skipped, outcomes) => {
    const { engine, clock, started, skips, events } = rig({ script: ends(false) });
    await engine.start([A(), B('0 3 * * *', { failed })]);
    await clock.advance(5 * HOUR);
    expect(started().slice(1)).toEqual(starts);
    expect(skips()).toEqual(skipped);
    const ended = events.flatMap((event) =>
      event.kind === 'run_finished' && event.run.jobId === 'b' ? [event.outcome] : [],
    );
    const words = ended.map((outcome) =>
      'message' in outcome ? `${outcome.kind} ${outcome.message}` : outcome.kind,
    );
    expect(words).toEqual(outcomes);
    expect(engine.active).toBe(0);
  });

  it('counts a success by hand, and no failure by hand', async () => {
    const { engine, clock, started } = rig({ script: ends(true, false, false, true) });
    await engine.start([A('0 1 * * *'), B(), job('c', { cron: '0 5 * * *', needs: needing() })]);
    await clock.advance(2 * HOUR);
    engine.runNow('a');
    await clock.advance(2 * HOUR);
    expect(started().at(-1)).toBe('b 03:00:00');
    const again = { scheduledAt: Date.parse('2026-01-01T01:00:00Z') };
    await Promise.all([
      engine.apply([A('30 4 * * *'), job('c', { cron: '0 5 * * *', needs: needing() })]),
      clock.advance(0),
    ]);
    await clock.advance(70 * MINUTE);
    expect(started().at(-1)).toBe('a 04:30:00');
    engine.runNow('a', again);
    engine.runNow('a');
    await clock.advance(HOUR);
    expect(started().at(-1)).toBe('c 05:20:00');
  });

  it('holds its place: the newer slot is skipped for the one that waits, or waits too', async () => {
    const skip = rig({ script: ends(false) });
    await skip.engine.start([A('0 1 * * *'), B('*/20 2 * * *')]);
    await skip.clock.advance(4 * HOUR);
    expect(skip.skips()).toEqual(['b 02:20:00 1 overlap', 'b 02:40:00 1 overlap', 'b 02:00:00 1 dependency']);
    const queue = rig({ script: ends(false) });
    await queue.engine.start([
      A('0 1 * * *'),
      job('b', {
        cron: '*/20 2 * * *',
        needs: needing({ timeout: 50 * MINUTE }),
        policy: { overlap: 'queue' },
      }),
    ]);
    await queue.clock.advance(4 * HOUR);
    expect(queue.skips()).toEqual([
      'b 02:20:00 1 overlap',
      'b 02:00:00 1 dependency',
      'b 02:40:00 1 dependency',
    ]);
    const replace = rig({ script: ends(false) });
    await replace.engine.start([
      A('0 1 * * *'),
      job('b', { cron: '*/40 2 * * *', needs: needing(), policy: { overlap: 'replace' } }),
    ]);
    await replace.clock.advance(4 * HOUR);
    expect(replace.skips()).toEqual(['b 02:00:00 1 overlap', 'b 02:40:00 1 dependency']);
  });

  it('runs at once when nobody needs anything of it any more', async () => {
    const { engine, clock, started } = rig({ script: ends(false) });
    await engine.start([A(), B()]);
    await clock.advance(3 * HOUR + 10 * MINUTE);
    await Promise.all([engine.apply([A(), job('b', { cron: '0 3 * * *' })]), clock.advance(0)]);
    expect(started().at(-1)).toBe('b 03:10:00');
  });

  it.each([true, false])(
    'is left to the next daemon by one that stops, if the store is durable: %s',
    async (durable) => {
      class Keeping extends MemoryStore {
        override readonly durable = durable;
      }
      const store = new Keeping();
      const jobs = [A('0 1 * * *'), B('0 2 * * *', { timeout: 5 * MINUTE })];
      const { engine, clock, skips, started } = rig({ store, script: ends(false) });
      await engine.start(jobs);
      await clock.advance(2 * HOUR);
      engine.runNow('a');
      await clock.advance(0);
      await Promise.all([engine.stop({ drain: HOUR }), clock.advance(HOUR)]);
      expect(skips()).toEqual(durable ? [] : ['b 02:00:00 1 shutdown']);
      const second = rig({
        store,
        script: () => ({ lasts: MINUTE }),
        clock: new FakeClock('2026-01-01T02:40:00Z'),
        ids: 'second',
      });
      await second.engine.start(jobs);
      second.engine.runNow('a');
      await second.clock.advance(HOUR);
      expect(started().filter((start) => start.startsWith('b'))).toEqual([]);
      expect(second.slots('b')).toEqual(durable ? ['02:00:00'] : []);
    },
  );

  it('waits for what is yet to be caught up, in whatever order jobs are loaded', async () => {
    class DurableStore extends MemoryStore {
      override readonly durable = true;
    }
    const store = new DurableStore();
    const jobs = [B('10 2 * * *'), A()];
    const first = rig({ store, script: ends(true) });
    await first.engine.start(jobs);
    await first.clock.advance(3 * HOUR);
    expect(first.started()).toEqual(['a 02:00:00', 'b 02:10:00']);
    const second = rig({
      store,
      script: ends(true),
      clock: new FakeClock('2026-01-02T02:30:00Z'),
      ids: 'second',
    });
    await second.engine.start(jobs);
    await second.clock.advance(HOUR);
    expect(second.started()).toEqual(['a 02:30:00', 'b 02:40:00']);
  });

  it('is found waiting by the next daemon, which knows how the other one ended', async () => {
    class DurableStore extends MemoryStore {
      override readonly durable = true;
    }
    const store = new DurableStore();
    const jobs = [A('0 2 * * *'), B('5 2 * * *'), job('c', { cron: '30 2 * * *', needs: needing() })];
    const first = rig({ store, script: ends(true) });
    await first.engine.start(jobs);
    await first.clock.advance(2 * HOUR + 7 * MINUTE);
    expect(first.started()).toEqual(['a 02:00:00']);
    const second = rig({
      store,
      script: ends(true),
      clock: new FakeClock('2026-01-01T02:20:00Z'),
      ids: 'second',
    });
    second.executor.found = () => ({ kind: 'ended', outcome: SUCCEEDED });
    await second.engine.start(jobs);
    await second.clock.advance(HOUR);
    expect(second.started()).toEqual(['b 02:20:00', 'c 02:30:00']);
    expect(second.skips()).toEqual([]);
  });
});
