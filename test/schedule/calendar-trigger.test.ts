import { describe, expect, it } from 'vitest';
import type { Calendar, DayRule } from '../../src/calendar.ts';
import type { Instant, Schedule } from '../../src/model.ts';
import { slotNote } from '../../src/schedule/notes.ts';
import { compileSchedule, type Trigger } from '../../src/schedule/trigger.ts';
import { fromNominal, zoneOf } from '../../src/schedule/zone.ts';
import { SEED } from '../support/cron-judge.ts';
import { Random } from '../support/cron-oracle.ts';

const DAY = 86_400_000;
const ZONES = ['UTC', 'Europe/Berlin', 'America/Havana', 'Africa/Cairo', 'Australia/Lord_Howe'] as const;
const ROLLS = ['skip', 'previous', 'next'] as const;
/** Sparse and dense, and times that clock changes touch. */
const CRONS = [
  '30 2 * * *',
  '0 0 * * *',
  '15 9,17 1,15,31 * *',
  '*/20 * * * *',
  '45 23 * * 5',
  '30 0,2,3 * 3,4,10,11 *',
];

function schedule(cron: string, timezone: string, days?: DayRule): Schedule {
  const triggers = [{ kind: 'cron', expressions: [cron] } as const];
  return { triggers, timezone, dst: {}, jitter: 0, ...(days === undefined ? {} : { days }) };
}

function dayOf(at: Instant, timezone: string): number {
  return Math.floor((at + zoneOf(timezone).at(at).offset) / DAY);
}

/** A set of days, with stretches of up to six, and the calendar of it. */
function randomDays(random: Random, from: number, until: number): { days: Set<number>; calendar: Calendar } {
  const days = new Set<number>();
  const stretches = [];
  for (let day = from + random.int(0, 4); day < until; day += random.int(2, 14)) {
    const through = day + random.int(0, 5);
    stretches.push({ from: day, through });
    for (; day <= through; day += 1) days.add(day);
  }
  return { days, calendar: { name: 'c', days: stretches } };
}

function walk(trigger: Trigger, from: Instant, until: Instant): Instant[] {
  const found: Instant[] = [];
  for (let at = trigger.next(from); at !== undefined && at <= until; at = trigger.next(at)) found.push(at);
  return found;
}

/** Where each slot goes, one by one. */
function moved(
  base: readonly Instant[],
  excluded: ReadonlySet<number>,
  rule: { roll: DayRule['roll']; timezone: string },
) {
  const kept = new Set<Instant>();
  const lost: Instant[] = [];
  for (const slot of base) {
    const day = dayOf(slot, rule.timezone);
    let to = day;
    while (excluded.has(to) && rule.roll !== 'skip') to += rule.roll === 'next' ? 1 : -1;
    if (excluded.has(to)) {
      lost.push(slot);
      continue;
    }
    const reading = slot + zoneOf(rule.timezone).at(slot).offset + (to - day) * DAY;
    const moved = fromNominal(zoneOf(rule.timezone), reading);
    if (to === day) kept.add(slot);
    else if (moved.kind === 'never') kept.add(moved.shifted);
    else kept.add(moved.kind === 'once' ? moved.instant : moved.first);
  }
  return { kept: [...kept].sort((a, b) => a - b), lost };
}

describe.each(ZONES)('in %s, slots keep to the days allowed', (timezone) => {
  it.each(ROLLS.flatMap((roll) => CRONS.map((cron) => [roll, cron] as const)))('%s: %s', (roll, cron) => {
    const random = new Random(SEED ^ (cron.length * 31 + roll.length));
    const from = Date.UTC(2025, random.int(0, 11), 1);
    const until = from + 150 * DAY;
    const edge = 20;
    const { days, calendar } = randomDays(random, from / DAY - edge, until / DAY + edge);
    const base = compileSchedule(schedule(cron, timezone), 'j');
    const label = `seed ${SEED}`;
    const near = walk(base, from - edge * DAY, until + edge * DAY);
    const expected = moved(near, days, { roll, timezone });
    const within = expected.kept.filter((at) => at > from && at <= until);
    const trigger = compileSchedule(schedule(cron, timezone, { exclude: [calendar], roll }), 'j');
    expect(walk(trigger, from, until), label).toEqual(within);
    // The same question gives the same answer, in whatever order it is asked.
    for (let asked = 0; asked < 40; asked += 1) {
      const at = from + random.int(0, 149) * DAY + random.int(0, DAY - 1);
      expect(trigger.next(at), label).toBe(expected.kept.find((slot) => slot > at) ?? trigger.next(at));
    }
    const stretches = trigger.days?.excluded(from, until) ?? [];
    const lost = expected.lost.filter((at) => at > from && at <= until);
    expect(
      stretches.reduce((sum, { count = 0 }) => sum + count, 0),
      label,
    ).toBe(lost.length);
    for (const stretch of stretches) {
      expect(lost.includes(stretch.from) && lost.includes(stretch.through), label).toBe(true);
      const between = near.filter((at) => at >= stretch.from && at <= stretch.through);
      expect(
        between.every((at) => lost.includes(at)),
        label,
      ).toBe(true);
    }
  });
});

describe('a slot', () => {
  const holidays: Calendar = {
    name: 'holidays',
    days: [{ from: Date.UTC(2026, 11, 25) / DAY, through: Date.UTC(2026, 11, 25) / DAY, name: 'Christmas' }],
  };
  const weekend: Calendar = { name: 'weekend', weekdays: [0, 6] };
  const rule = { exclude: [holidays, weekend], roll: 'next' } as const;
  const christmas = Date.UTC(2026, 11, 25, 9);
  const monday = Date.UTC(2026, 11, 28, 9);

  it('that moved is known at both ends', () => {
    const friday = schedule('0 9 * * 5', 'UTC', rule);
    const { days } = compileSchedule(friday, 'j');
    const refusal = { by: 'exclude', calendar: 'holidays', entry: 'Christmas' };
    expect(days?.fateOf(christmas)).toEqual({ kind: 'rolled', refusal, to: monday });
    expect(days?.rolledFrom(monday)).toEqual({ refusal, from: christmas });
    expect(slotNote(friday, monday)).toBe('moved from 2026-12-25: holidays excludes it (Christmas)');
    expect(days?.fateOf(christmas - 7 * DAY)).toBeUndefined();
    expect(days?.rolledFrom(christmas - 7 * DAY)).toBeUndefined();
  });

  it('that meets another one fires once, and counts as that other', () => {
    const daily = compileSchedule(schedule('0 9 * * *', 'UTC', rule), 'j');
    expect(walk(daily, christmas - DAY, monday)).toEqual([monday]);
    expect(daily.days?.rolledFrom(monday)).toBeUndefined();
  });

  it('that is left out is named with why', () => {
    const only = schedule('0 9 * * *', 'UTC', { only: [weekend], roll: 'skip' });
    const fate = compileSchedule(only, 'j').days?.fateOf(christmas);
    expect(fate).toEqual({ kind: 'excluded', refusal: { by: 'only', calendars: ['weekend'] } });
  });

  it('does not exist before start and after end, wherever it came from', () => {
    const bound = { ...schedule('0 9 * * 5', 'UTC', { ...rule, roll: 'previous' }), start: christmas };
    expect(compileSchedule(bound, 'j').next(christmas - 10 * DAY)).toBe(christmas + 6 * DAY + DAY);
  });
});

it('years of seconds cost no more than a moment to tell', () => {
  const weekend: Calendar = { name: 'weekend', weekdays: [0, 6] };
  const trigger = compileSchedule(schedule('* * * * * *', 'UTC', { exclude: [weekend], roll: 'skip' }), 'j');
  const until = Date.UTC(2026, 0, 1);
  const stretches = trigger.days?.excluded(Date.UTC(1990, 0, 1), until) ?? [];
  expect(stretches.length).toBeGreaterThan(150);
  expect(stretches.every(({ count = 0 }) => count <= 10_000)).toBe(true);
  expect(stretches.at(-1)).toEqual({
    from: Date.UTC(2025, 11, 27),
    through: Date.UTC(2025, 11, 28, 23, 59, 59),
  });
});
