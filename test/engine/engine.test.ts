import { describe, expect, it } from 'vitest';
import type { Policy } from '../../src/model.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { compileSchedule } from '../../src/schedule/trigger.ts';
import { rig } from '../support/engine.ts';
import { job } from '../support/jobs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function policy(change: Partial<Policy>): { policy: Partial<Policy> } {
  return { policy: change };
}

describe('firing', () => {
  it('starts each slot once, at its instant', async () => {
    const { engine, clock, started } = rig();
    await engine.start([job('a', { every: MINUTE }), job('b', { cron: '*/2 * * * *' })]);
    await clock.advance(4 * MINUTE);
    expect(started().sort()).toEqual([
      'a 00:01:00',
      'a 00:02:00',
      'a 00:03:00',
      'a 00:04:00',
      'b 00:02:00',
      'b 00:04:00',
    ]);
  });

  it('starts a job never seen at now, never in the past, and lets a one-shot of the past rest', async () => {
    const { engine, clock, started, skips } = rig({ start: '2026-01-01T12:00:30Z' });
    await engine.start([
      job('a', { every: HOUR }),
      job('gone', { at: '2026-01-01T11:00:00Z' }),
      job('once', { at: '2026-01-01T12:05:00Z' }),
    ]);
    await clock.advance(HOUR);
    expect(started()).toEqual(['once 12:05:00', 'a 13:00:00']);
    expect(skips()).toEqual([]);
  });

  it('wakes at most every 30 s when nothing is near, however many jobs are loaded', async () => {
    const { engine, clock } = rig();
    const starting = engine.start(
      Array.from({ length: 1000 }, (_, n) => job(`j${n}`, { at: '2027-01-01T00:00:00Z' })),
    );
    await clock.advance(0);
    await starting;
    const before = clock.wakeUps;
    await clock.advance(10 * MINUTE);
    expect(clock.wakeUps - before).toBe(20);
  });

  it('knows what comes first, of what is not paused', async () => {
    const { engine } = rig();
    expect(engine.next()).toBeUndefined();
    await engine.start([
      job('hourly', { every: HOUR }),
      job('often', { every: MINUTE }),
      job('off', { every: 1000, enabled: false }),
    ]);
    const at = (time: string): number => Date.parse(`2026-01-01T${time}Z`);
    expect(engine.next()).toEqual({ jobId: 'often', slot: at('00:01:00') });
    await engine.pause('often', { since: 0, until: at('00:01:00') });
    expect(engine.next()).toEqual({ jobId: 'often', slot: at('00:01:00') });
    await engine.pause('often', { since: 0 });
    expect(engine.next()).toEqual({ jobId: 'hourly', slot: at('01:00:00') });
    expect(engine.census()).toEqual({
      jobs: { scheduled: 1, paused: 1, disabled: 1, ended: 0, faulted: 0 },
      waiting: 0,
      next: { jobId: 'hourly', slot: at('01:00:00') },
    });
  });

  it('fires a slot more than 24.8 days away, once, and not before', async () => {
    const { engine, clock, started } = rig();
    await engine.start([job('yearly', { cron: '0 0 1 3 *' })]);
    await clock.advanceTo('2026-02-28T23:59:59.999Z');
    expect(started()).toEqual([]);
    await clock.advanceTo('2026-03-02T00:00:00Z');
    expect(started()).toEqual(['yearly 00:00:00']);
  });

  it('starts higher priority first among slots due together', async () => {
    const { engine, clock, started } = rig();
    await engine.start([
      job('low', { every: MINUTE, ...policy({ priority: -1 }) }),
      job('mid', { every: MINUTE }),
      job('high', { every: MINUTE, ...policy({ priority: 5 }) }),
    ]);
    await clock.advance(MINUTE);
    expect(started()).toEqual(['high 00:01:00', 'mid 00:01:00', 'low 00:01:00']);
  });

  it('delays a start by the jitter but keeps the nominal slot, alike at every run of the daemon', async () => {
    const once = async () => {
      const { engine, clock, executor } = rig();
      await engine.start([job('a', { every: HOUR, schedule: { jitter: 10 * MINUTE } })]);
      await clock.advance(3 * HOUR + 10 * MINUTE);
      return executor.starts.map(({ spec, at }) => [spec.scheduledAt % HOUR, at - spec.scheduledAt]);
    };
    const first = await once();
    expect(first).toEqual(await once());
    expect(first.map(([offset]) => offset)).toEqual([0, 0, 0]);
    expect(new Set(first.map(([, delay]) => delay)).size).toBe(3);
    for (const [, delay] of first) expect(delay).toBeLessThanOrEqual(10 * MINUTE);
  });

  it('runs startup jobs once at the start of the engine, and not at a reload', async () => {
    const { engine, clock, executor } = rig();
    const jobs = [job('d', { startup: 'daemon' }), job('b', { startup: 'boot' })];
    await engine.start(jobs);
    await clock.advance(MINUTE);
    await Promise.all([engine.apply([...jobs, job('late', { startup: 'daemon' })]), clock.advance(MINUTE)]);
    expect(executor.starts.map(({ spec }) => [spec.jobId, new Date(spec.scheduledAt).toISOString()])).toEqual(
      [
        ['d', '2026-01-01T00:00:00.000Z'],
        ['b', '2025-12-31T00:00:00.000Z'],
      ],
    );
  });

  it('knows no slot outside start and end, at a start of the daemon neither', async () => {
    const { engine, clock, executor } = rig({ start: '2026-01-01T12:00:00Z' });
    const startup = 'daemon';
    await engine.start([
      job('over', { startup, schedule: { end: Date.parse('2026-01-01T11:00:00Z') } }),
      job('soon', { startup, schedule: { start: Date.parse('2026-01-01T13:00:00Z') } }),
      job('open', { startup, schedule: { start: Date.parse('2026-01-01T12:00:00Z') } }),
    ]);
    await clock.advance(0);
    expect(executor.starts.map(({ spec }) => spec.jobId)).toEqual(['open']);
  });

  it('leaves a disabled job alone', async () => {
    const { engine, clock, started } = rig();
    await engine.start([job('a', { every: MINUTE, enabled: false })]);
    await clock.advance(HOUR);
    expect(started()).toEqual([]);
    expect([...engine.jobs()].map(({ state }) => state)).toEqual(['disabled']);
  });

  it('stops a job whose trigger breaks its contract, with an alarm, and no other', async () => {
    const { engine, clock, started, events } = rig();
    const broken = job('broken', { every: Number.NaN });
    await engine.start([broken, job('a', { every: MINUTE })]);
    await clock.advance(2 * MINUTE);
    expect(started()).toEqual(['a 00:01:00', 'a 00:02:00']);
    expect(events.filter(({ kind }) => kind === 'job_disabled')).toMatchObject([{ jobId: 'broken' }]);
  });
});

describe('a trigger that breaks after it has worked', () => {
  it.each([
    ['on time', 0, ['a', 'b'], []],
    ['late', 5000, [], ['a 00:01:00 1 misfire', 'b 00:01:00 1 misfire']],
  ] as const)('does not take the slot with it that has come: %s', async (_name, step, ran, skipped) => {
    const { engine, clock, executor, skips } = rig();
    const { schedule } = job('', { every: MINUTE });
    await engine.start([
      { ...job('a', {}), schedule },
      { ...job('b', {}), schedule },
    ]);
    Object.assign(compileSchedule(schedule, ''), { next: (after: number) => after });
    await clock.advance(MINUTE - 10 - step);
    clock.step(step);
    await clock.advance(HOUR);
    expect(executor.starts.map(({ spec }) => spec.jobId)).toEqual(ran);
    expect(skips()).toEqual(skipped);
    expect([...engine.jobs()].map(({ state }) => state)).toEqual(['faulted', 'faulted']);
  });
});

describe('overlap', () => {
  const LONG = { script: () => ({ lasts: 150_000 }) };

  it('skip: records what it skips', async () => {
    const { engine, clock, slots, skips } = rig(LONG);
    await engine.start([job('a', { every: MINUTE })]);
    await clock.advance(4 * MINUTE);
    expect(slots('a')).toEqual(['00:01:00', '00:04:00']);
    expect(skips()).toEqual(['a 00:02:00 1 overlap', 'a 00:03:00 1 overlap']);
  });

  it('queue: holds the newest slot', async () => {
    const { engine, clock, started, slots, skips } = rig(LONG);
    await engine.start([job('a', { every: MINUTE, ...policy({ overlap: 'queue' }) })]);
    await clock.advance(4 * MINUTE);
    expect(slots('a')).toEqual(['00:01:00', '00:03:00']);
    expect(started()).toEqual(['a 00:01:00', 'a 00:03:30']);
    expect(skips()).toEqual(['a 00:02:00 1 overlap']);
  });

  it('replace: cancels the active run first, then starts', async () => {
    const { engine, clock, executor, started, history } = rig({
      script: () => ({ lasts: Infinity, lingers: 5000 }),
    });
    await engine.start([job('a', { every: MINUTE, ...policy({ overlap: 'replace' }) })]);
    await clock.advance(2 * MINUTE + 10_000);
    expect(started()).toEqual(['a 00:01:00', 'a 00:02:05']);
    expect(executor.stops[0]?.reason).toEqual({ kind: 'cancelled', by: 'replaced' });
    const rows = await history();
    expect(rows.at(-1)).toMatchObject({ run: { outcome: { kind: 'cancelled', by: 'replaced' } } });
  });

  it('replace: also cancels a run whose attempt fails at the very moment, and would be retried', async () => {
    const { engine, clock, started, history } = rig({
      script: () => ({ lasts: MINUTE, outcome: { kind: 'failed', exitCode: 1 } }),
    });
    const retry = { limit: 1, delay: 10_000, backoff: 'constant', maxDelay: HOUR, jitter: false } as const;
    await engine.start([job('a', { every: MINUTE, ...policy({ overlap: 'replace', retry }) })]);
    await clock.advance(2 * MINUTE + 30_000);
    expect(started()).toEqual(['a 00:01:00', 'a 00:02:00']);
    expect((await history()).at(-1)).toMatchObject({
      run: { outcome: { kind: 'cancelled', by: 'replaced' }, attempts: [{ outcome: { kind: 'failed' } }] },
    });
  });

  it('allow: up to max_instances', async () => {
    const { engine, clock, slots, skips } = rig(LONG);
    await engine.start([job('a', { every: MINUTE, ...policy({ overlap: 'allow', maxInstances: 2 }) })]);
    await clock.advance(3 * MINUTE);
    expect(slots('a')).toEqual(['00:01:00', '00:02:00']);
    expect(skips()).toEqual(['a 00:03:00 1 limit']);
  });

  it('counts a run that waits for its retry', async () => {
    const { engine, clock, skips } = rig({
      script: () => ({ lasts: 0, outcome: { kind: 'failed', exitCode: 1 } }),
    });
    const retry = { limit: 1, delay: 90_000, backoff: 'constant', maxDelay: HOUR, jitter: false } as const;
    await engine.start([job('a', { every: MINUTE, ...policy({ retry }) })]);
    await clock.advance(2 * MINUTE);
    expect(skips()).toEqual(['a 00:02:00 1 overlap']);
  });
});

describe('the bound on all runs', () => {
  it('makes slots wait, higher priority first, then the earlier', async () => {
    const { engine, clock, started } = rig({
      script: () => ({ lasts: 10_000 }),
      settings: { maxConcurrentRuns: 1 },
    });
    await engine.start([
      job('a', { at: '2026-01-01T00:01:00Z' }),
      job('b', { at: '2026-01-01T00:01:01Z' }),
      job('c', { at: '2026-01-01T00:01:02Z', ...policy({ priority: 1 }) }),
    ]);
    await clock.advance(2 * MINUTE);
    expect(started()).toEqual(['a 00:01:00', 'c 00:01:10', 'b 00:01:20']);
  });

  it('never lets more run, and turns a wait beyond the grace into a misfire', async () => {
    const misfire = { run: 'latest', grace: 15_000, max: 100 } as const;
    const { engine, clock, started, skips } = rig({
      script: () => ({ lasts: 10_000 }),
      settings: { maxConcurrentRuns: 1 },
    });
    await engine.start(
      ['a', 'b', 'c'].map((id) => job(id, { at: '2026-01-01T00:01:00Z', ...policy({ misfire }) })),
    );
    await clock.advance(2 * MINUTE);
    expect(started()).toEqual(['a 00:01:00', 'b 00:01:10']);
    expect(skips()).toEqual(['c 00:01:00 1 misfire']);
  });
});

describe('a slot that waits for its own job behind one that waits for the bound', () => {
  it('has its turn when that one has misfired', async () => {
    const { engine, clock, slots, skips } = rig({
      script: ({ jobId }) => ({ lasts: jobId === 'long' ? 2 * HOUR : 1000 }),
      settings: { maxConcurrentRuns: 1 },
    });
    await engine.start([
      job('long', { at: '2026-01-01T00:00:30Z' }),
      job('a', { every: 30 * MINUTE, ...policy({ overlap: 'queue' }) }),
    ]);
    await clock.advance(4 * HOUR);
    expect(skips()).toContain('a 00:30:00 1 misfire');
    expect(slots('a')).toEqual(['02:00:00', '02:30:00', '03:00:00', '03:30:00', '04:00:00']);
  });
});

describe('attempts', () => {
  it('retries with growing delays, then fails for good', async () => {
    const { engine, clock, started, history } = rig({
      script: () => ({ lasts: 1000, outcome: { kind: 'failed', exitCode: 3 } }),
    });
    const retry = {
      limit: 3,
      delay: 10_000,
      backoff: 'exponential',
      maxDelay: 30_000,
      jitter: false,
    } as const;
    await engine.start([job('a', { at: '2026-01-01T00:01:00Z', ...policy({ retry }) })]);
    await clock.advance(10 * MINUTE);
    expect(started()).toEqual(['a 00:01:00', 'a 00:01:11', 'a 00:01:32', 'a 00:02:03']);
    const [row] = await history();
    expect(row).toMatchObject({ run: { state: 'finished', outcome: { kind: 'failed', exitCode: 3 } } });
    expect(row).toHaveProperty('run.attempts.length', 4);
  });

  it('retries only what retry.on names', async () => {
    const outcomes = [
      { kind: 'failed', exitCode: 75 },
      { kind: 'killed', signal: 'SIGKILL' },
      { kind: 'failed', exitCode: 1 },
    ] as const;
    const { engine, clock, executor } = rig({
      script: ({ attempt }) => ({ lasts: 0, outcome: outcomes[attempt - 1] ?? { kind: 'succeeded' } }),
    });
    const retry = {
      limit: 9,
      delay: 1000,
      backoff: 'constant',
      maxDelay: HOUR,
      jitter: false,
      on: [75, 'SIGKILL'],
    } as const;
    await engine.start([job('a', { at: '2026-01-01T00:01:00Z', ...policy({ retry }) })]);
    await clock.advance(HOUR);
    expect(executor.starts).toHaveLength(3);
  });

  it('ends an attempt at its time-out and may retry it', async () => {
    const { engine, clock, executor, history } = rig({
      script: ({ attempt }) => (attempt === 1 ? { lasts: Infinity, lingers: 2000 } : { lasts: 1 }),
    });
    const retry = { limit: 1, delay: 1000, backoff: 'constant', maxDelay: HOUR, jitter: false } as const;
    await engine.start([job('a', { at: '2026-01-01T00:01:00Z', ...policy({ retry, timeout: MINUTE }) })]);
    await clock.advance(5 * MINUTE);
    expect(executor.stops).toMatchObject([{ reason: { kind: 'timed_out', after: MINUTE }, kill: false }]);
    const [row] = await history();
    expect(row).toMatchObject({
      run: {
        outcome: { kind: 'succeeded' },
        attempts: [{ outcome: { kind: 'timed_out' }, duration: 62_000 }, { outcome: { kind: 'succeeded' } }],
      },
    });
  });

  it('cancels a running attempt, and a run that waits for its retry', async () => {
    const { engine, clock, history, executor } = rig({
      script: ({ jobId }) =>
        jobId === 'a' ? { lasts: Infinity } : { lasts: 0, outcome: { kind: 'failed', exitCode: 1 } },
    });
    const retry = { limit: 5, delay: HOUR, backoff: 'constant', maxDelay: HOUR, jitter: false } as const;
    await engine.start([job('a', { every: HOUR }), job('b', { every: HOUR, ...policy({ retry }) })]);
    await clock.advance(HOUR);
    expect(['run-1', 'run-2'].map((id) => engine.cancel(id))).toEqual([true, true]);
    await clock.advance(MINUTE);
    expect(await history()).toMatchObject([
      { run: { outcome: { kind: 'cancelled', by: 'operator' } } },
      { run: { outcome: { kind: 'cancelled', by: 'operator' } } },
    ]);
    expect(engine.cancel('run-1')).toBe(false);
    expect(executor.starts).toHaveLength(2);
  });

  it('cancels a run whose claim is under way: it never starts, and its end is recorded after its claim', async () => {
    const { engine, clock, history, executor, kinds } = rig();
    await engine.start([job('a', { every: HOUR })]);
    const run = engine.runNow('a');
    expect(engine.cancel(run?.id ?? '')).toBe(true);
    await clock.advance(0);
    expect(executor.starts).toEqual([]);
    expect(kinds()).toEqual(['engine_started', 'run_claimed', 'run_finished']);
    const outcome = { kind: 'cancelled', by: 'operator' };
    expect(await history()).toMatchObject([{ run: { state: 'finished', outcome } }]);
  });

  it('records nothing of a cancelled run when its slot turns out to be claimed by another', async () => {
    const store = new MemoryStore();
    const settle = Promise.withResolvers<boolean[]>();
    store.claim = () => settle.promise;
    const { engine, clock, kinds, executor } = rig({ store });
    await engine.start([job('a', { every: HOUR })]);
    await clock.advance(HOUR);
    expect(engine.cancel('run-1')).toBe(true);
    settle.resolve([false]);
    await clock.advance(0);
    expect(executor.starts).toEqual([]);
    expect(kinds()).toEqual(['engine_started', 'slots_skipped']);
  });

  it('runs a job on request, beside its schedule', async () => {
    const { engine, clock, executor } = rig();
    await engine.start([job('a', { every: HOUR })]);
    expect(engine.runNow('a')).toMatchObject({ cause: 'manual' });
    expect(engine.runNow('nobody')).toBeUndefined();
    await clock.advance(HOUR);
    expect(executor.starts.map(({ spec }) => spec.cause)).toEqual(['manual', 'schedule']);
  });
});
