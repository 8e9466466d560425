import { describe, expect, it } from 'vitest';
import type { Policy } from '../../src/model.ts';
import { jitterOf } from '../../src/schedule/jitter.ts';
import { rig } from '../support/engine.ts';
import { job } from '../support/jobs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function policy(change: Partial<Policy>): { policy: Partial<Policy> } {
  return { policy: change };
}

describe('misfires', () => {
  const LATEST = { every: 10 * MINUTE };

  it('runs the newest missed slot after a suspend and records the others', async () => {
    const { engine, clock, slots, skips, events } = rig();
    await engine.start([job('a', LATEST)]);
    await clock.advance(MINUTE);
    clock.step(8 * HOUR);
    await clock.advance(30_000);
    expect(events.find(({ kind }) => kind === 'clock_stepped')).toMatchObject({ by: 8 * HOUR });
    expect(slots('a')).toEqual(['08:00:00']);
    expect(skips()).toEqual(['a 00:10:00–07:50:00 47 misfire']);
  });

  it.each([
    ['none', HOUR, []],
    ['latest', HOUR, ['00:00:00']],
    ['latest', 1000, []],
    ['all', HOUR, ['00:00:00']],
  ] as const)('of a slot whose jitter passed meanwhile: %s, grace %d', async (run, grace, ran) => {
    const { engine, clock, executor, slots, skips } = rig({ start: '2025-12-31T23:59:59Z' });
    const jitter = 10 * MINUTE;
    await engine.start([
      job('a', { every: 24 * HOUR, schedule: { jitter }, ...policy({ misfire: { run, grace, max: 1 } }) }),
    ]);
    await clock.advance(2000);
    expect(executor.starts).toEqual([]);
    clock.step(30 * MINUTE);
    await clock.advance(MINUTE);
    expect(slots('a')).toEqual(ran);
    expect(executor.starts.map(({ spec }) => spec.cause)).toEqual(ran.map(() => 'catch_up'));
    expect(skips()).toEqual(ran.length > 0 ? [] : ['a 00:00:00 1 misfire']);
  });

  it('counts the grace from the moment the jitter gave a slot', async () => {
    const before = rig({ start: '2026-01-01T00:00:00Z' });
    const jobs = [
      job('a', {
        cron: '0 1 * * *',
        schedule: { jitter: 5 * HOUR },
        ...policy({ misfire: { run: 'latest', grace: MINUTE, max: 1 } }),
      }),
    ];
    const dueAt =
      Date.parse('2026-01-01T01:00:00Z') + jitterOf('a', Date.parse('2026-01-01T01:00:00Z'), 5 * HOUR);
    await before.engine.start(jobs);
    before.clock.step(dueAt + MINUTE / 2 - before.clock.now());
    await before.clock.advance(MINUTE / 2);
    expect(before.slots('a')).toEqual(['01:00:00']);
  });

  it('notices a step within 30 s', async () => {
    const { engine, clock, executor } = rig();
    await engine.start([job('a', { every: HOUR })]);
    await clock.advance(MINUTE);
    clock.step(2 * HOUR);
    const stepped = clock.monotonic();
    await clock.advance(30_000);
    expect(executor.starts).toHaveLength(1);
    expect(clock.monotonic() - stepped).toBeLessThanOrEqual(30_000);
  });

  it.each([
    ['none', { run: 'none', grace: HOUR, max: 100 }, { ran: [], skipped: ['a 00:10:00–01:00:00 6 misfire'] }],
    [
      'latest, too old',
      { run: 'latest', grace: 30_000, max: 100 },
      { ran: [], skipped: ['a 00:10:00–01:00:00 6 misfire'] },
    ],
    [
      'all',
      { run: 'all', max: 100 },
      { ran: ['00:10:00', '00:20:00', '00:30:00', '00:40:00', '00:50:00', '01:00:00'], skipped: [] },
    ],
    [
      'all up to max',
      { run: 'all', max: 2 },
      { ran: ['00:50:00', '01:00:00'], skipped: ['a 00:10:00–00:40:00 4 misfire'] },
    ],
    [
      'all, some too old',
      { run: 'all', grace: 20 * MINUTE, max: 100 },
      { ran: ['00:50:00', '01:00:00'], skipped: ['a 00:10:00–00:40:00 4 misfire'] },
    ],
  ] as const)('policy %s', async (_name, misfire, { ran, skipped }) => {
    const { engine, clock, slots, skips, executor } = rig({ script: () => ({ lasts: 1000 }) });
    await engine.start([job('a', { ...LATEST, ...policy({ misfire }) })]);
    await clock.advance(MINUTE);
    clock.step(HOUR);
    await clock.advance(MINUTE);
    expect(slots('a')).toEqual(ran);
    expect(skips()).toEqual(skipped);
    expect(executor.starts.every(({ spec }) => spec.cause === 'catch_up')).toBe(true);
  });

  it('runs slots caught up one after another, oldest first, whatever the overlap policy', async () => {
    for (const overlap of ['skip', 'queue', 'replace'] as const) {
      const { engine, clock, started } = rig({ script: () => ({ lasts: 5000 }) });
      await engine.start([
        job('a', { ...LATEST, ...policy({ overlap, misfire: { run: 'all', max: 100 } }) }),
      ]);
      await clock.advance(MINUTE);
      clock.step(30 * MINUTE);
      await clock.advance(MINUTE);
      expect(started(), overlap).toEqual(['a 00:31:30', 'a 00:31:35', 'a 00:31:40']);
    }
  });

  it('bounds five years of a one-second job in work, and says that it stopped counting', async () => {
    const { engine, clock, slots, skips } = rig();
    await engine.start([job('a', { cron: '* * * * * *' })]);
    clock.step(5 * 365 * 24 * HOUR);
    await clock.advance(1000);
    expect(slots('a')).toEqual(['00:00:01']);
    expect(skips()).toHaveLength(1);
    expect(skips()[0]).toMatch(/^a 00:00:01–.* \? misfire$/);
  });

  it('takes up where the store ends: the slots of a downtime are misfires', async () => {
    const before = rig();
    await before.engine.start([job('a', { every: HOUR })]);
    await before.clock.advance(2 * HOUR);
    const after = rig({ store: before.store, start: '2026-01-01T05:30:00Z' });
    await after.engine.start([job('a', { every: HOUR }), job('new', { every: HOUR })]);
    await after.clock.advance(HOUR);
    expect(after.slots('a')).toEqual(['05:00:00', '06:00:00']);
    expect(after.skips()).toEqual(['a 03:00:00–04:00:00 2 misfire']);
    expect(after.slots('new')).toEqual(['06:00:00']);
  });
});

describe('a clock set back', () => {
  it('does not keep jobs mute until the time a wrong clock had reached before a restart', async () => {
    const before = rig({ start: '2038-01-01T00:00:00Z' });
    await before.engine.start([job('a', { every: HOUR })]);
    await before.clock.advance(2 * HOUR);
    const after = rig({ store: before.store, start: '2026-01-01T00:00:00Z' });
    await after.engine.start([job('a', { every: HOUR })]);
    await after.clock.advance(2 * HOUR);
    expect(after.slots('a')).toEqual(['01:00:00', '02:00:00']);
  });

  it('fires nothing again', async () => {
    const { engine, clock, slots } = rig({ start: '2026-01-01T02:00:00Z' });
    await engine.start([job('a', { every: 10 * MINUTE })]);
    await clock.advance(35 * MINUTE);
    clock.step(-20 * MINUTE);
    await clock.advance(45 * MINUTE);
    expect(slots('a')).toEqual(['02:10:00', '02:20:00', '02:30:00', '02:40:00', '02:50:00', '03:00:00']);
  });

  it('by more than three hours takes the new time for true, and still starts no slot twice', async () => {
    const { engine, clock, slots, skips } = rig({ start: '2026-01-01T10:00:00Z' });
    await engine.start([job('a', { every: HOUR })]);
    await clock.advance(2 * HOUR);
    clock.step(-5 * HOUR);
    await clock.advance(6 * HOUR + MINUTE);
    expect(slots('a')).toEqual(['11:00:00', '12:00:00', '08:00:00', '09:00:00', '10:00:00', '13:00:00']);
    expect(skips()).toEqual(['a 11:00:00 1 claimed_elsewhere', 'a 12:00:00 1 claimed_elsewhere']);
  });

  it('does not prolong the wait for a retry, nor a time-out', async () => {
    const { engine, clock, executor } = rig({
      script: ({ attempt }) =>
        attempt === 1 ? { lasts: 1, outcome: { kind: 'failed', exitCode: 1 } } : { lasts: Infinity },
    });
    const retry = { limit: 1, delay: MINUTE, backoff: 'constant', maxDelay: HOUR, jitter: false } as const;
    await engine.start([job('a', { at: '2026-01-01T00:00:10Z', ...policy({ retry, timeout: MINUTE }) })]);
    await clock.advance(11_000);
    clock.step(-HOUR);
    await clock.advance(2 * MINUTE);
    expect(executor.starts.map(({ spec }) => spec.attempt)).toEqual([1, 2]);
    clock.step(-HOUR);
    await clock.advance(MINUTE);
    expect(executor.stops.map(({ reason }) => reason.kind)).toEqual(['timed_out']);
  });

  it('does not cut short a retry that was planned before the step was noticed', async () => {
    const { engine, clock, executor } = rig({
      script: ({ attempt }) =>
        attempt === 1 ? { lasts: 15_000, outcome: { kind: 'failed', exitCode: 1 } } : { lasts: Infinity },
    });
    const retry = {
      limit: 1,
      delay: 30 * MINUTE,
      backoff: 'constant',
      maxDelay: HOUR,
      jitter: false,
    } as const;
    await engine.start([job('a', { at: '2026-01-01T00:00:10Z', ...policy({ retry }) })]);
    await clock.advance(11_000);
    clock.step(-HOUR);
    await clock.advance(29 * MINUTE);
    expect(executor.starts.map(({ spec }) => spec.attempt)).toEqual([1]);
    await clock.advance(2 * MINUTE);
    expect(executor.starts.map(({ spec }) => spec.attempt)).toEqual([1, 2]);
  });
});
