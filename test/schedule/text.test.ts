import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInstant } from '../../src/schedule/at.ts';
import { formatDuration, parseDuration } from '../../src/schedule/duration.ts';
import { suggest } from '../../src/schedule/suggest.ts';

describe('parseDuration', () => {
  it.each<[string, number]>([
    ['500ms', 500],
    ['30s', 30_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1w', 604_800_000],
    ['1h30m', 5_400_000],
    ['1w2d3h4m5s6ms', 788_645_006],
    ['1h 30m', 5_400_000],
    [' 5s ', 5000],
    ['1.5h', 5_400_000],
    ['0', 0],
    ['0s', 0],
  ])('reads %j', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each<[string, RegExp, RegExp]>([
    ['', /empty/, /write e\.g\. 500ms/],
    ['30', /30 has no unit/, /30s, 30m or 30h/],
    ['-5m', /cannot be negative/, /500ms/],
    ['5 minutes', /unknown unit "minutes"/, /write 5m$/],
    ['2hours', /unknown unit "hours"/, /write 2h$/],
    ['10M', /unknown unit "M"/, /write e\.g\./],
    ['10S', /unknown unit "S"/, /write 10s$/],
    ['1y', /unknown unit "y"/, /write e\.g\./],
    ['30m1h', /out of order/, /1h30m/],
    ['1h1h', /out of order/, /1h30m/],
    ['PT5M', /is not a duration/, /1h30m/],
    ['1h-30m', /is not a duration/, /1h30m/],
    ['abc', /is not a duration/, /1h30m/],
    ['99999999999999999999w', /too long/, /^$/],
  ])('refuses %j', (text, words, hint) => {
    expect(parseDuration(text)).toMatchObject({ message: expect.stringMatching(words) });
    const problem = parseDuration(text);
    expect(typeof problem === 'number' ? '' : (problem.hint ?? '')).toMatch(hint);
  });

  it('reads back what formatDuration writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e13 }), (duration) => {
        expect(parseDuration(formatDuration(duration))).toBe(duration);
      }),
    );
    expect([0, 1, 5_400_000, 604_800_000, -90_000].map(formatDuration)).toEqual([
      '0s',
      '1ms',
      '1h30m',
      '1w',
      '-1m30s',
    ]);
  });
});

describe('parseInstant', () => {
  it.each<[string, string, string]>([
    ['2027-01-31T02:00:00+01:00', 'UTC', '2027-01-31T01:00:00.000Z'],
    ['2027-01-31T01:00:00Z', 'Asia/Tokyo', '2027-01-31T01:00:00.000Z'],
    ['2027-01-31T02:00', 'Europe/Berlin', '2027-01-31T01:00:00.000Z'],
    ['2027-01-31 02:00:03.25', 'Europe/Berlin', '2027-01-31T01:00:03.250Z'],
    ['2027-07-01', 'America/New_York', '2027-07-01T04:00:00.000Z'],
    ['2027-01-31T02:00-0330', 'UTC', '2027-01-31T05:30:00.000Z'],
    ['2028-02-29T00:00Z', 'UTC', '2028-02-29T00:00:00.000Z'],
    // The day begins at 01:00.
    ['2026-04-24', 'Africa/Cairo', '2026-04-23T22:00:00.000Z'],
    // The day begins twice.
    ['2026-11-01', 'America/Havana', '2026-11-01T04:00:00.000Z'],
  ])('%s in %s', (text, timezone, expected) => {
    const parsed = parseInstant(text, timezone);
    expect('instant' in parsed && new Date(parsed.instant).toISOString()).toBe(expected);
    expect(parsed).not.toHaveProperty('note');
  });

  it('takes the first of two, and says so', () => {
    expect(parseInstant('2026-10-25T02:30', 'Europe/Berlin')).toEqual({
      instant: Date.parse('2026-10-25T00:30Z'),
      note: 'clocks in Europe/Berlin go back over 2026-10-25T02:30, so it comes twice; the first is taken (the second is 2026-10-25T01:30:00Z)',
    });
  });

  it.each<[string, RegExp, RegExp]>([
    [
      '2027-03-28T02:30',
      /does not exist in Europe\/Berlin: clocks go forward past it/,
      /write 2027-03-28T03:30:00/,
    ],
    ['2027-02-29T00:00', /has day 29, but that month has 28 days/, /^$/],
    ['2027-13-01T00:00', /has month 13/, /year-month-day/],
    ['2027-01-00T00:00', /has day 0/, /^$/],
    ['2027-01-31T24:00', /has hour 24/, /00 to 23/],
    ['2027-01-31T23:60', /has minute 60/, /00 to 59/],
    ['2027-01-31T23:59:60', /has second 60/, /00 to 59/],
    ['2027-01-31T02:00+25:00', /offset of \+25:00/, /write e\.g\./],
    ['tomorrow', /is not a time/, /write e\.g\./],
    ['31.01.2027 02:00', /is not a time/, /write e\.g\./],
    ['02:00', /is not a time/, /write e\.g\./],
    ['', /is not a time/, /write e\.g\./],
  ])('refuses %j in Berlin', (text, words, hint) => {
    const parsed = parseInstant(text, 'Europe/Berlin');
    expect(parsed).toMatchObject({ message: expect.stringMatching(words) });
    expect('message' in parsed ? (parsed.hint ?? '') : 'no problem').toMatch(hint);
  });
});

describe('suggest', () => {
  it('finds what was meant, and nothing where nothing is near', () => {
    const words = ['retry', 'timeout', 'timezone', 'cron', 'run'];
    expect(
      ['retires', 'timout', 'TimeZone', 'crom', 'rnu', 'xyz', ''].map((word) => suggest(word, words)),
    ).toEqual(['retry', 'timeout', 'timezone', 'cron', undefined, undefined, undefined]);
  });
});
