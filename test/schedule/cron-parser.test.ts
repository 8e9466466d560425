import { CronExpressionParser } from 'cron-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCron } from '../../src/schedule/cron.ts';
import type { CronFields } from '../../src/schedule/cron-fields.ts';
import { parseByLibrary } from '../../src/schedule/cron-parser.ts';
import { NominalWalk } from '../../src/schedule/walk.ts';
import { Random, randomExpression } from '../support/cron-oracle.ts';

const FROM = Date.UTC(1996, 0, 1);
const UNTIL = Date.UTC(2105, 0, 1);

function fieldsOf(expression: string, jobId = 'job'): CronFields {
  const { fields, errors } = readCron(expression, jobId);
  if (!fields) throw new Error(`${expression}: ${JSON.stringify(errors)}`);
  return fields;
}

/** Undefined where the library gives up: after 10,000 steps, which some rare dates need, and on values named twice. */
function nextByLibrary(expression: string, from: number): number | undefined {
  try {
    const options = { tz: 'UTC', currentDate: from, hashSeed: 'job' };
    return CronExpressionParser.parse(expression, options).next().getTime();
  } catch (error) {
    if (/loop limit|duplicate values/.test(String(error))) return undefined;
    throw error;
  }
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

const HASHED = ['H', 'H/7', 'H(3-20)', 'H(2-20)/5', 'H(0-5),30'];

/** Random expressions, some with H. */
function expressionFrom(random: Random): string {
  const expression = randomExpression(random, { seconds: random.int(0, 3) === 0, extended: true });
  return random.int(0, 3) > 0
    ? expression
    : expression.replace(/^\S+ \S+/, `${random.pick(HASHED)} ${random.pick(HASHED.slice(0, 4))}`);
}

describe('cron-parser, asked in UTC, is the reference', () => {
  it('walks to the same times', () => {
    let compared = 0;
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = new Random(seed);
        const expression = expressionFrom(random);
        const walk = new NominalWalk(fieldsOf(expression));
        for (let i = 0; i < 4; i += 1) {
          const from = FROM + Math.floor((random.int(0, 2 ** 31) / 2 ** 31) * (UNTIL - FROM));
          const expected = nextByLibrary(expression, from);
          if (expected === undefined) continue;
          compared += 1;
          expect(
            new Date(walk.after(from)).toISOString(),
            `${expression} after ${new Date(from).toISOString()}`,
          ).toBe(new Date(expected).toISOString());
        }
      }),
      { numRuns: 1500 },
    );
    expect(compared).toBeGreaterThan(4000);
  });

  it('reads the plain forms as the front door does', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = new Random(seed);
        const expression = randomExpression(random, { seconds: true, extended: false });
        fc.pre(!/\b0(,\d)*,7|7(,\d)*,0\b/.test(expression.slice(expression.lastIndexOf(' ')))); // refused there
        const unique = (values: readonly number[]): number[] => [...new Set(values)].sort((a, b) => a - b);
        const theirs = parseByLibrary(expression, 'job');
        const ours = fieldsOf(expression);
        expect({ ...ours, days: [] }, expression).toEqual({
          ...theirs,
          weekdays: unique(theirs.weekdays),
          days: [],
        });
        // With a single month they leave out the days it never has.
        expect(ours.days, expression).toEqual(expect.arrayContaining([...theirs.days]));
      }),
      { numRuns: 1000 },
    );
  });

  it('draws H from the job id, the same every time', () => {
    const minutes = (jobId: string): readonly number[] => fieldsOf('H * * * *', jobId).minutes;
    expect(minutes('a')).toEqual(minutes('a'));
    expect(new Set(Array.from({ length: 50 }, (_, i) => minutes(`job-${i}`)[0])).size).toBeGreaterThan(20);
    const theirs = CronExpressionParser.parse('0 H * * * *', { tz: 'UTC', hashSeed: 'a' }).fields.minute
      .values;
    expect(minutes('a')).toEqual(theirs);
  });

  it('keeps H fixed even for an empty id', () => {
    expect(fieldsOf('H H * * *', '')).toEqual(fieldsOf('H H * * *', ''));
  });
});

describe('the walk', () => {
  const next = (expression: string, from: string): string => {
    const at = new NominalWalk(fieldsOf(expression)).after(Date.parse(from));
    return at === Number.POSITIVE_INFINITY ? 'never' : new Date(at).toISOString();
  };

  it.each([
    ['0 0 29 2 *', '2096-02-29T00:00:00Z', '2104-02-29T00:00:00.000Z'], // 2100 is no leap year
    ['0 0 29 2 *', '1999-12-31T00:00:00Z', '2000-02-29T00:00:00.000Z'],
    ['0 0 * 2 MON#5', '2044-03-01T00:00:00Z', '2072-02-29T00:00:00.000Z'],
    ['0 0 * 2 MON#5', '2072-03-01T00:00:00Z', '2112-02-29T00:00:00.000Z'], // across 2100: 40 years
    ['0 0 31 * *', '2026-01-31T00:00:00Z', '2026-03-31T00:00:00.000Z'],
    ['59 59 23 31 12 *', '2026-12-31T23:59:58.999Z', '2026-12-31T23:59:59.000Z'],
    ['59 59 23 31 12 *', '2026-12-31T23:59:59Z', '2027-12-31T23:59:59.000Z'],
    ['0 0 L 2 *', '2027-03-01T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['0 0 * * 5L', '2026-11-01T00:00:00Z', '2026-11-27T00:00:00.000Z'],
    ['0 0 13 * 5', '2026-11-27T00:00:00Z', '2026-12-04T00:00:00.000Z'],
    ['0 0 1 1 *', '1969-06-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
    ['0 0 1 1 *', '0099-12-31T00:00:00Z', '0100-01-01T00:00:00.000Z'],
  ])('%s after %s is %s', (expression, from, expected) => {
    expect(next(expression, from)).toBe(expected);
  });

  it('says never, and soon, when no date fits', () => {
    const fields = { ...fieldsOf('0 0 1 2 *'), days: [30] };
    expect(new NominalWalk(fields).after(Date.UTC(2026, 0, 1))).toBe(Number.POSITIVE_INFINITY);
  });
});
