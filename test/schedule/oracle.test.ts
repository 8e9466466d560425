import { afterEach, describe, expect, it } from 'vitest';
import { intlSource, setOffsetSource } from '../../src/schedule/zone.ts';
import { disagreements, freshTrigger, iso, SEED } from '../support/cron-judge.ts';
import type { Reading, Rule, Window } from '../support/cron-oracle.ts';
import {
  clockChanges,
  firings,
  Random,
  randomExpression,
  readWall,
  readWindow,
  ruleOf,
} from '../support/cron-oracle.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
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

/** Up to `most` changes of the zone, drawn at random; a plain date where it has none. */
function someChanges(random: Random, zone: (typeof ZONES)[number], most: number): number[] {
  const [timezone, from, until] = zone;
  const changes = clockChanges(timezone, Date.UTC(from, 0, 1), Date.UTC(until, 0, 1));
  if (changes.length === 0) return [Date.UTC(from, 5, 15, 12)];
  while (changes.length > most) changes.splice(random.int(0, changes.length - 1), 1);
  return changes;
}

describe('every answer agrees with a walk over the wall clock', () => {
  for (const zone of ZONES) {
    const [timezone] = zone;
    it(`${timezone}, minute by minute`, () => {
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

    it(`${timezone}, second by second`, () => {
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

describe('asked months ahead', () => {
  for (const zone of ZONES) {
    const [timezone] = zone;
    it(`${timezone}: dates beside its clock changes`, () => {
      const random = new Random(SEED ^ hash(timezone) ^ 2);
      const found = someChanges(random, zone, 2).flatMap((change) => {
        const window = readWindow(timezone, {
          from: change - 3 * DAY,
          until: change + 3 * DAY,
          step: MINUTE,
        });
        return Array.from({ length: 16 }, () => {
          // A reading shortly before or after the change, or one of those it skips.
          const reading = readWall(timezone, change - MINUTE) + random.int(-120, 120) * MINUTE;
          const expression = onlyAt(reading);
          const rule = random.int(0, 1) === 0 ? ruleOf(expression) : randomRule(random);
          const after = change - random.int(3 * 24, 300 * 24) * HOUR;
          const [first] = firings(expression, window, rule);
          const answer = freshTrigger(expression, timezone, rule).next(after);
          const agreed =
            first === undefined ? answer === undefined || answer > change + 300 * DAY : answer === first;
          return agreed
            ? []
            : [
                `${expression} in ${timezone} ${JSON.stringify(rule)} after ${iso(after)}: ${iso(first)}, got ${iso(answer)}; seed ${SEED}`,
              ];
        }).flat();
      });
      expect(found).toEqual([]);
    });
  }
});

describe('zones made up', () => {
  afterEach(() => setOffsetSource(intlSource));

  it('may change at any moment by any size: no bound of the search shows', () => {
    const random = new Random(SEED ^ 3);
    const found = Array.from({ length: 60 }, () => {
      // Offsets are read in blocks of 96 days; the change falls close to where two of them meet.
      const change = random.int(150, 220) * 96 * DAY + random.int(-90, 90) * MINUTE;
      const before = random.int(-20, 20) * 30 * MINUTE;
      const size = random.pick([30, 60, 120, 24 * 60, -30, -60, -120, -24 * 60]) * MINUTE;
      const offsetAt = (instant: number): number => (instant < change ? before : before + size);
      setOffsetSource((_, read) => read(offsetAt));
      const from = change - 4 * DAY;
      const readings: Reading[] = Array.from(
        { length: (8 * DAY) / MINUTE },
        (_, i) => from + i * MINUTE + offsetAt(from + i * MINUTE),
      );
      const window: Window = {
        timezone: `Test/${before / MINUTE}${size / MINUTE}`,
        from,
        step: MINUTE,
        readings,
      };
      return Array.from({ length: 8 }, () => {
        const expression = randomExpression(random, { seconds: false, extended: false });
        const trial = {
          rule: randomRule(random),
          random,
          from: change - 2.5 * DAY,
          until: change + 2.5 * DAY,
        };
        return disagreements(expression, window, trial);
      }).flat();
    }).flat();
    expect(found).toEqual([]);
  });
});

/** The expression of one date and time in each year. */
function onlyAt(reading: Reading): string {
  const date = new Date(reading);
  return `${date.getUTCMinutes()} ${date.getUTCHours()} ${date.getUTCDate()} ${date.getUTCMonth() + 1} *`;
}

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
