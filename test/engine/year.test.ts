import { describe, expect, it } from 'vitest';
import type { JobDefinition, MisfirePolicy, OverlapPolicy, SkipReason } from '../../src/model.ts';
import { compileSchedule } from '../../src/schedule/trigger.ts';
import { rig } from '../support/engine.ts';
import { job } from '../support/jobs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = '2026-01-01T00:00:00Z';
const END = '2027-01-01T00:00:00Z';

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Shanghai',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'Africa/Casablanca',
];
const TIMES = [
  '30 2 * * *',
  '0 * * * *',
  '15 3 1 * *',
  '45 1-3 * * *',
  '0 0 * * 1',
  '*/30 9-17 * * 1-5',
  '0 12 L * *',
  '10 0 29 2 *',
  '5 4 * * SUN#2',
];
const MISFIRE: readonly MisfirePolicy[] = [
  { run: 'latest', grace: HOUR, max: 100 },
  { run: 'all', max: 5 },
  { run: 'none', max: 100 },
  { run: 'all', grace: 6 * HOUR, max: 100 },
];
const OVERLAP: readonly OverlapPolicy[] = ['skip', 'queue', 'replace', 'allow'];

/** Fifty jobs, each of its own mixture: triggers, zones, policies, jitter and length. */
function fifty(): JobDefinition[] {
  return Array.from({ length: 50 }, (_, n) => {
    const interval = n % 10 === 9;
    return job(`job-${n}`, {
      ...(interval ? { every: (n + 1) * 7 * MINUTE } : { cron: pick(TIMES, n) }),
      schedule: { timezone: pick(ZONES, n), jitter: n % 6 === 5 ? 20 * MINUTE : 0 },
      policy: { misfire: pick(MISFIRE, n >> 1), overlap: pick(OVERLAP, n >> 2), maxInstances: 2 },
    });
  });
}

function pick<T>(list: readonly T[], n: number): T {
  const item = list[n % list.length];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

/** Every slot of a job in (START, until], by the pure trigger alone. */
function slotsOf({ schedule, id }: JobDefinition, until: number): number[] {
  const trigger = compileSchedule(schedule, id);
  const slots: number[] = [];
  for (let at = trigger.next(Date.parse(START)); at !== undefined && at <= until; at = trigger.next(at))
    slots.push(at);
  return slots;
}

describe('a simulated year of fifty jobs, with clock changes, two suspends and a step back of one hour', () => {
  it('accounts for every slot exactly once', async () => {
    const jobs = fifty();
    const { engine, clock, events, executor, history } = rig({
      start: START,
      script: ({ jobId }) => ({ lasts: (Number(jobId.slice(4)) % 7) * 11 * MINUTE }),
    });
    await engine.start(jobs);
    await clock.advanceTo('2026-02-10T10:10:00Z');
    clock.step(8 * HOUR);
    await clock.advanceTo('2026-06-01T12:00:30Z');
    clock.step(-HOUR);
    await clock.advanceTo('2026-10-24T22:00:00Z');
    clock.step(3 * DAY);
    await clock.advanceTo(END);
    const steps = events.filter(({ kind }) => kind === 'clock_stepped');
    expect(steps.map((step) => 'by' in step && step.by)).toEqual([8 * HOUR, -HOUR, 3 * DAY]);
    await clock.advance(2 * HOUR);

    const accounts = new Map<string, number[]>();
    const reasons = new Set<SkipReason>();
    const add = (jobId: string, slots: readonly number[]) =>
      accounts.set(jobId, [...(accounts.get(jobId) ?? []), ...slots]);
    const byId = new Map(
      jobs.map((definition) => [definition.id, slotsOf(definition, Date.parse(END) + 2 * HOUR)]),
    );
    for (const row of await history()) {
      if ('run' in row) {
        add(row.run.jobId, [row.run.scheduledAt]);
        continue;
      }
      const { jobId, scheduledAt, through, count, reason } = row.skip;
      const stretch = (byId.get(jobId) ?? []).filter((slot) => slot >= scheduledAt && slot <= through);
      expect(stretch).toHaveLength(count ?? Number.NaN);
      reasons.add(reason);
      add(jobId, stretch);
    }
    let total = 0;
    for (const { id } of jobs) {
      const expected = (byId.get(id) ?? []).filter((slot) => slot <= Date.parse(END));
      const actual = (accounts.get(id) ?? []).filter((slot) => slot <= Date.parse(END)).sort((a, b) => a - b);
      expect(actual, id).toEqual(expected);
      total += actual.length;
    }
    expect(total).toBeGreaterThan(50_000);
    expect([...reasons].sort()).toEqual(['limit', 'misfire', 'overlap']);
    const startedTwice =
      executor.starts.length -
      new Set(executor.starts.map(({ spec }) => `${spec.jobId} ${spec.scheduledAt}`)).size;
    expect(startedTwice).toBe(0);
    for (const { spec, at } of executor.starts) expect(at).toBeGreaterThanOrEqual(spec.scheduledAt - HOUR);
  });
});
