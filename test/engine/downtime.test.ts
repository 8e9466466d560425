/** What becomes of the slots that came while no daemon ran. */
import { describe, expect, it } from 'vitest';
import type { JobDefinition, MisfirePolicy } from '../../src/model.ts';
import { jitterOf } from '../../src/schedule/jitter.ts';
import { rig } from '../support/engine.ts';
import { job, type JobSketch } from '../support/jobs.ts';
import { DAY, DurableStore, HOUR, MINUTE, SECOND, START } from '../support/left.ts';

type Rig = ReturnType<typeof rig>;

/** A daemon that lives from `START` for `up`, is killed, and another that starts `down` later. */
async function downtime(
  { up, down }: { up: number; down: number },
  jobs: readonly JobDefinition[],
  after: readonly JobDefinition[] = jobs,
): Promise<{ first: Rig; second: Rig }> {
  const store = new DurableStore(1_000_000);
  const first = rig({ store, start: START });
  await first.engine.start(jobs);
  await first.clock.advance(up);
  const second = rig({ store, start: new Date(Date.parse(START) + up + down).toISOString(), ids: 'next' });
  await second.engine.start(after);
  await second.clock.advance(0);
  return { first, second };
}

function every(period: number, misfire?: MisfirePolicy): JobDefinition {
  return job('a', { every: period, ...(misfire && { policy: { misfire } }) });
}

/** Scheduled times of what started, with the day. */
function ran({ executor }: Rig): string[] {
  return executor.starts.map(({ spec }) => new Date(spec.scheduledAt).toISOString().slice(8, 16));
}

describe('down for three days', () => {
  it.each([
    ['latest', { run: 'latest', grace: HOUR, max: 100 }, ['04T00:30'], ['a 01:00:00–00:00:00 143 misfire']],
    ['latest, too old', { run: 'latest', grace: MINUTE, max: 100 }, [], ['a 01:00:00–00:30:00 144 misfire']],
    ['none', { run: 'none', max: 100 }, [], ['a 01:00:00–00:30:00 144 misfire']],
    [
      'all, up to max',
      { run: 'all', max: 3 },
      ['03T23:30', '04T00:00', '04T00:30'],
      ['a 01:00:00–23:00:00 141 misfire'],
    ],
    [
      'all, within the grace',
      { run: 'all', grace: 100 * MINUTE, max: 100 },
      ['03T23:30', '04T00:00', '04T00:30'],
      ['a 01:00:00–23:00:00 141 misfire'],
    ],
  ] as const)('with misfire %s', async (_name, misfire, starts, skipped) => {
    const jobs = [every(30 * MINUTE, misfire)];
    const { first, second } = await downtime({ up: 45 * MINUTE, down: 3 * DAY }, jobs);
    expect(ran(first)).toEqual(['01T00:30']);
    expect(ran(second)).toEqual(starts);
    expect(second.executor.starts.every(({ spec }) => spec.cause === 'catch_up')).toBe(true);
    expect(second.skips()).toEqual(skipped);
    // And it goes on as if nothing had been.
    await second.clock.advance(HOUR);
    expect(ran(second).slice(starts.length)).toEqual(['04T01:00', '04T01:30']);
  });

  it('is decided once: another restart finds nothing more to catch up', async () => {
    const jobs = [every(30 * MINUTE, { run: 'all', max: 3 })];
    const { second } = await downtime({ up: 45 * MINUTE, down: 3 * DAY }, jobs);
    const third = rig({ store: second.store, start: '2026-01-04T00:46:00Z', ids: 'third' });
    await third.engine.start(jobs);
    await third.clock.advance(0);
    expect(third.executor.starts).toEqual([]);
    expect(third.skips()).toEqual([]);
  });
});

it('three weeks of a one-second job are bounded in work and memory, and say so', async () => {
  const jobs = [job('a', { cron: '* * * * * *', policy: { misfire: { run: 'all', max: 50 } } })];
  const { second } = await downtime({ up: 1500, down: 21 * DAY }, jobs);
  await second.clock.advance(100);
  expect(second.executor.starts).toHaveLength(50);
  expect(second.skips()).toEqual(['a 00:00:02–23:59:10 ? misfire', 'a 00:00:01 1 overlap']);
  expect(await second.store.history({})).toHaveLength(53);
});

describe('a job', () => {
  it('never seen starts at now', async () => {
    const { second } = await downtime({ up: MINUTE, down: DAY }, [], [every(HOUR)]);
    expect(second.executor.starts).toEqual([]);
    expect(second.skips()).toEqual([]);
    await second.clock.advance(HOUR);
    expect(second.executor.starts).toHaveLength(1);
  });

  it.each<[string, JobSketch, JobSketch]>([
    ['with another schedule than before', { every: HOUR }, { every: 20 * MINUTE }],
    [
      'in another zone than before',
      { cron: '0 * * * *' },
      { cron: '0 * * * *', schedule: { timezone: 'Asia/Tokyo' } },
    ],
    ['that is enabled again', { every: HOUR, enabled: false }, { every: HOUR }],
  ])('%s catches up nothing', async (_name, before, after) => {
    const { second } = await downtime({ up: MINUTE, down: DAY }, [job('a', before)], [job('a', after)]);
    expect(second.executor.starts).toEqual([]);
    expect(second.skips()).toEqual([]);
  });

  it('that changed in anything but its schedule catches up under its new policy', async () => {
    const before = job('a', { every: HOUR });
    const after = job('a', { every: HOUR, description: 'new', policy: { misfire: { run: 'all', max: 2 } } });
    const { second } = await downtime({ up: MINUTE, down: DAY }, [before], [after]);
    expect(second.executor.starts).toHaveLength(2);
  });

  it('that rests now catches up nothing, nor when it is enabled again', async () => {
    const resting = { ...every(HOUR), enabled: false };
    const { second } = await downtime({ up: MINUTE, down: DAY }, [every(HOUR)], [resting]);
    await second.clock.advance(5 * MINUTE);
    const third = rig({ store: second.store, start: '2026-01-03T00:30:00Z', ids: 'third' });
    await third.engine.start([every(HOUR)]);
    await third.clock.advance(0);
    expect([...second.executor.starts, ...third.executor.starts]).toEqual([]);
    expect([...second.skips(), ...third.skips()]).toEqual([]);
  });

  it('that a daemon saw removed comes back as a new one', async () => {
    const { second } = await downtime({ up: MINUTE, down: DAY }, [every(HOUR)], []);
    const third = rig({ store: second.store, start: '2026-01-03T00:30:00Z', ids: 'third' });
    await third.engine.start([every(HOUR)]);
    await third.clock.advance(0);
    expect(third.executor.starts).toEqual([]);
    expect(third.skips()).toEqual([]);
  });

  it.each([
    [30 * MINUTE, 1, []],
    [2 * HOUR, 0, ['a 00:10:00 1 misfire']],
  ] as const)('with one time that passed %d ms ago runs by its grace', async (ago, starts, skipped) => {
    const one = [job('a', { at: '2026-01-01T00:10:00Z' })];
    const { second } = await downtime({ up: 5 * MINUTE, down: 5 * MINUTE + ago }, one);
    expect(second.executor.starts).toHaveLength(starts);
    expect(second.skips()).toEqual(skipped);
    const third = rig({ store: second.store, start: '2026-01-01T03:00:00Z', ids: 'third' });
    await third.engine.start(one);
    await third.clock.advance(HOUR);
    expect(third.executor.starts).toEqual([]);
    expect(third.skips()).toEqual([]);
  });

  it('that was paused stays so, until its pause ends', async () => {
    const jobs = [every(HOUR)];
    const store = new DurableStore();
    const first = rig({ store, start: START });
    await first.engine.start(jobs);
    await first.clock.advance(MINUTE);
    await first.engine.pause('a', { since: first.clock.now(), until: Date.parse('2026-01-01T03:30:00Z') });
    const second = rig({ store, start: '2026-01-01T01:30:00Z', ids: 'next' });
    await second.engine.start(jobs);
    await second.clock.advance(3 * HOUR);
    expect(second.skips()).toEqual(['a 01:00:00 1 paused', 'a 02:00:00 1 paused', 'a 03:00:00 1 paused']);
    expect(second.slots('a')).toEqual(['04:00:00']);
  });

  it.each([
    ['that was right again before the restart', 2 * HOUR, '2026-01-01T00:30:00Z'],
    ['that was years ahead', 12 * 365 * DAY, '2026-01-01T00:30:00Z'],
  ])('under a clock %s runs no slot twice and is not mute for long', async (_name, ahead, restart) => {
    const jobs = [every(HOUR)];
    const store = new DurableStore();
    const first = rig({ store, start: START });
    await first.engine.start(jobs);
    first.clock.step(ahead);
    await first.clock.advance(HOUR);
    const second = rig({ store, start: restart, ids: 'next' });
    await second.engine.start(jobs);
    await second.clock.advance(6 * HOUR);
    const started = [...first.executor.starts, ...second.executor.starts].map(({ spec }) => spec.scheduledAt);
    expect(new Set(started).size).toBe(started.length);
    expect(second.slots('a').at(-1)).toBe('06:00:00');
    expect(second.slots('a').length).toBeGreaterThan(2);
  });
});

describe('slots that waited for their turn when the daemon was killed', () => {
  const SLOW = { script: () => ({ lasts: 10 * MINUTE }) };
  const MISFIRES = { misfire: { run: 'none', max: 0 } } as const;

  async function killed(jobs: readonly JobDefinition[], up: number, settings = {}) {
    const store = new DurableStore();
    const first = rig({ store, start: START, settings, ...SLOW });
    await first.engine.start(jobs);
    await first.clock.advance(up);
    const second = rig({
      store,
      start: new Date(first.clock.now() + 500).toISOString(),
      ids: 'next',
      settings,
    });
    second.executor.found = () => ({ kind: 'ended', outcome: { kind: 'succeeded', exitCode: 0 } });
    await second.engine.start(jobs);
    await second.clock.advance(0);
    return { first, second };
  }

  /** What became of each slot, by the history: every one must be there once. */
  async function account({ store }: Rig): Promise<string[]> {
    return (await store.history({}))
      .map((row) => {
        const [at, what] =
          'run' in row
            ? [row.run.scheduledAt, 'run']
            : [row.skip.scheduledAt, `${row.skip.reason} ${row.skip.count}`];
        return `${new Date(at).toISOString().slice(11, 19)} ${what}`;
      })
      .sort();
  }

  it('of a backlog that is caught up one by one, while younger slots were decided', async () => {
    const policy = { misfire: { run: 'all', max: 100 }, overlap: 'skip' } as const;
    const jobs = [job('a', { every: MINUTE, policy })];
    const store = new DurableStore();
    const before = rig({ store, start: START });
    await before.engine.start(jobs);
    const first = rig({ store, start: '2026-01-01T00:03:30Z', ids: 'first', ...SLOW });
    await first.engine.start(jobs);
    await first.clock.advance(2 * MINUTE);
    expect(await account(first)).toEqual(['00:01:00 run', '00:04:00 overlap 1', '00:05:00 overlap 1']);
    const second = rig({ store, start: '2026-01-01T00:05:40Z', ids: 'second' });
    second.executor.found = () => ({ kind: 'ended', outcome: { kind: 'succeeded', exitCode: 0 } });
    await second.engine.start(jobs);
    await second.clock.advance(0);
    expect(second.slots('a')).toEqual(['00:02:00', '00:03:00']);
    expect(await account(second)).toEqual([
      '00:01:00 run',
      '00:02:00 run',
      '00:03:00 run',
      '00:04:00 overlap 1',
      '00:05:00 overlap 1',
    ]);
    // Once nothing waits any more, nothing is left to remember.
    await second.clock.advance(MINUTE);
    expect((await store.places()).get('a')).toEqual({
      schedule: expect.any(String),
      from: Date.parse('2026-01-01T00:06:00Z'),
    });
  });

  it('for a place among all runs, while younger ones were skipped', async () => {
    const other = job('other', { at: '2026-01-01T00:00:30Z' });
    const { first, second } = await killed(
      [other, job('a', { every: MINUTE, policy: MISFIRES })],
      3 * MINUTE + 1,
      { maxConcurrentRuns: 1 },
    );
    expect(first.skips()).toEqual(['a 00:02:00 1 overlap', 'a 00:03:00 1 overlap']);
    expect(second.skips()).toEqual(['a 00:01:00 1 misfire']);
  });

  it('for their jitter to pass, while younger ones with less of it ran', async () => {
    const jitter = 10 * MINUTE;
    const jobs = [
      job('a', {
        every: MINUTE,
        schedule: { jitter },
        policy: { ...MISFIRES, overlap: 'allow', maxInstances: 99 },
      }),
    ];
    const slots = Array.from({ length: 30 }, (_, n) => Date.parse(START) + (n + 1) * MINUTE);
    const dueAt = (slot: number) => slot + jitterOf('a', slot, jitter);
    const overtaken = slots.find((slot) => dueAt(slot) > dueAt(slot + MINUTE) + 2 * SECOND) ?? 0;
    const { first, second } = await killed(jobs, dueAt(overtaken + MINUTE) + SECOND - Date.parse(START));
    const begun = first.executor.starts.map(({ spec }) => spec.scheduledAt);
    const waiting = slots.filter((slot) => slot < first.clock.now() && !begun.includes(slot));
    expect(waiting.some((slot) => slot < Math.max(...begun))).toBe(true); // the fault
    await second.clock.advance(20 * MINUTE);
    const later = second.executor.starts.map(({ spec }) => spec.scheduledAt);
    for (const slot of waiting) expect(later.filter((each) => each === slot)).toHaveLength(1);
    expect(later.filter((slot) => begun.includes(slot))).toEqual([]);
    expect(second.skips()).toEqual([]);
  });

  it('for a run of their own job: the newest is the one that runs', async () => {
    const jobs = [job('a', { every: MINUTE, policy: { overlap: 'queue' } })];
    const { first, second } = await killed(jobs, 3 * MINUTE + 1);
    expect(first.skips()).toEqual(['a 00:02:00 1 overlap']);
    expect(second.slots('a')).toEqual(['00:03:00']);
    expect(second.skips()).toEqual([]);
  });
});
