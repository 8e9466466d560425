import { describe, expect, it } from 'vitest';
import { readCron } from '../../src/schedule/cron.ts';
import { clockChangeRule, CronTrigger } from '../../src/schedule/cron-trigger.ts';
import { Zone } from '../../src/schedule/zone.ts';
import type { Rule, Window } from '../support/cron-oracle.ts';
import {
  clockChanges,
  firings,
  Random,
  randomExpression,
  readWindow,
  ruleOf,
} from '../support/cron-oracle.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Zones, each with years in which its clocks changed in a telling way. */
const ZONES: readonly (readonly [timezone: string, from: number, until: number])[] = [
  ['Europe/Berlin', 2024, 2028],
  ['America/New_York', 2024, 2028],
  ['Australia/Lord_Howe', 2024, 2028], // half an hour
  ['Pacific/Chatham', 2024, 2028], // +12:45, changes at 02:45
  ['America/St_Johns', 2005, 2012], // changed at 00:01 until 2011
  ['Antarctica/Troll', 2024, 2028], // two hours
  ['Africa/Casablanca', 2022, 2028], // back for Ramadan: four changes in some years
  ['Europe/Dublin', 2024, 2028],
  ['Pacific/Apia', 2010, 2014], // no 2011-12-30 at all
  ['America/Havana', 2022, 2027], // back at 01:00 to 00:00
  ['America/Sao_Paulo', 2014, 2020], // midnight gap
  ['Asia/Tehran', 2016, 2023], // midnight gap, half-hour zone
  ['America/Nuuk', 2021, 2027],
  ['Africa/Cairo', 2023, 2027], // midnight gap
  ['Asia/Beirut', 2020, 2026],
  ['America/Santiago', 2020, 2026],
  ['Atlantic/Azores', 2022, 2026],
  ['Asia/Gaza', 2020, 2026],
  ['Asia/Pyongyang', 2014, 2019], // half an hour, for good
  ['America/Caracas', 2006, 2017],
  ['Europe/Moscow', 2009, 2015],
  ['Pacific/Kwajalein', 1992, 1995], // no 1993-08-21
  ['America/Adak', 2024, 2027],
  ['Asia/Shanghai', 2024, 2025],
];

const SEED = Number(process.env.TSCHED_TEST_SEED ?? Date.now() % 2 ** 31);
console.info(`oracle seed: TSCHED_TEST_SEED=${SEED}`);

function freshTrigger(expression: string, timezone: string, rule: Rule): CronTrigger {
  const { fields, errors } = readCron(expression, '');
  if (!fields) throw new Error(`${expression}: ${JSON.stringify(errors)}`);
  return new CronTrigger(fields, new Zone(timezone), clockChangeRule(fields, rule));
}

/** Up to `most` changes of the zone, drawn at random; a plain date where it has none. */
function someChanges(random: Random, zone: (typeof ZONES)[number], most: number): number[] {
  const [timezone, from, until] = zone;
  const changes = clockChanges(timezone, Date.UTC(from, 0, 1), Date.UTC(until, 0, 1));
  if (changes.length === 0) return [Date.UTC(from, 5, 15, 12)];
  while (changes.length > most) changes.splice(random.int(0, changes.length - 1), 1);
  return changes;
}

/** All answers in the trusted part of the window, each asked from the one before. */
function enumerate(trigger: CronTrigger, from: number, until: number): number[] {
  const found: number[] = [];
  for (let at = trigger.next(from); at !== undefined && at <= until; at = trigger.next(at)) found.push(at);
  return found;
}

interface Trial {
  readonly rule: Rule;
  readonly random: Random;
  readonly from: number;
  readonly until: number;
}

/** What the trigger and the oracle disagree on: nothing, one hopes. */
function disagreements(expression: string, window: Window, trial: Trial): string[] {
  const { rule, random, from, until } = trial;
  const label = `${expression} in ${window.timezone} ${JSON.stringify(rule)} seed ${SEED}`;
  const expected = firings(expression, window, rule).filter((at) => at > from && at <= until);
  const trigger = freshTrigger(expression, window.timezone, rule);
  const found: string[] = [];
  const answers = enumerate(trigger, from, until);
  const different = expected.find((at, i) => answers[i] !== at) ?? answers[expected.length];
  if (different !== undefined) found.push(`${label}: the series differs at ${iso(different)}`);
  for (let i = 0; i < 6; i += 1) {
    const near = random.int(0, 1) === 0 && expected.length > 0;
    const after = near ? random.pick(expected) - random.int(0, 1) : from + random.int(0, until - from);
    const next = expected.find((at) => at > after);
    if (next === undefined) continue;
    // A daemon started at that very moment, knowing nothing, and one that has run for days agree.
    for (const asked of [freshTrigger(expression, window.timezone, rule), trigger]) {
      const answer = asked.next(after);
      if (answer !== next) found.push(`${label}: after ${iso(after)} comes ${iso(next)}, got ${iso(answer)}`);
    }
  }
  return found;
}

function iso(instant: number | undefined): string {
  return instant === undefined ? 'never' : new Date(instant).toISOString();
}

describe('every answer agrees with a walk over the wall clock', () => {
  for (const zone of ZONES) {
    const [timezone] = zone;
    it(`${timezone}, minute by minute`, { timeout: 60_000 }, () => {
      const random = new Random(SEED ^ hash(timezone));
      const found = someChanges(random, zone, 3).flatMap((change) => {
        const window = readWindow(timezone, {
          from: change - 4 * DAY,
          until: change + 4 * DAY,
          step: 60_000,
        });
        return Array.from({ length: 24 }, (_, i) => {
          const expression =
            i === 0 ? '*/15 * * * *' : randomExpression(random, { seconds: false, extended: true });
          const rule = i % 3 > 0 ? ruleOf(expression) : randomRule(random);
          const trial = { rule, random, from: change - 2.5 * DAY, until: change + 2.5 * DAY };
          return disagreements(expression, window, trial);
        }).flat();
      });
      expect(found).toEqual([]);
    });

    it(`${timezone}, second by second`, { timeout: 60_000 }, () => {
      const random = new Random(SEED ^ hash(timezone) ^ 1);
      const found = someChanges(random, zone, 1).flatMap((change) => {
        const window = readWindow(timezone, {
          from: change - 27 * HOUR,
          until: change + 4 * HOUR,
          step: 1000,
        });
        return Array.from({ length: 6 }, () => {
          // One minute in the hour, so that the series stays short.
          const expression = randomExpression(random, { seconds: true, extended: false }).replace(
            /^(\S+) \S+/,
            `$1 ${random.int(0, 59)}`,
          );
          const trial = {
            rule: ruleOf(expression),
            random,
            from: change - 2 * HOUR,
            until: change + 3 * HOUR,
          };
          return disagreements(expression, window, trial);
        }).flat();
      });
      expect(found).toEqual([]);
    });
  }

  it('has clock changes to look at', () => {
    const random = new Random(SEED);
    const sizes = ZONES.map((zone) => someChanges(random, zone, 100).length);
    expect(sizes.filter((size) => size >= 1).length).toBe(ZONES.length);
    expect(
      clockChanges('Europe/Berlin', Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1)).map((at) =>
        new Date(at).toISOString(),
      ),
    ).toEqual(['2026-03-29T01:00:00.000Z', '2026-10-25T01:00:00.000Z']);
    expect(
      clockChanges('Pacific/Apia', Date.UTC(2011, 11, 20), Date.UTC(2012, 0, 5)).map((at) =>
        new Date(at).toISOString(),
      ),
    ).toEqual(['2011-12-30T10:00:00.000Z']);
  });
});

function randomRule(random: Random): Rule {
  return {
    gap: random.pick(['run_after', 'skip'] as const),
    overlap: random.pick(['first', 'both'] as const),
  };
}

function hash(text: string): number {
  let value = 7;
  for (const char of text) value = (value * 31 + (char.codePointAt(0) ?? 0)) | 0;
  return value;
}
