import { afterEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { dateSource } from '../../src/cli/offsets.ts';
import { table } from '../../src/cli/table.ts';
import { fromNow, localDateTime, localIso, shortTime } from '../../src/observe/when.ts';
import { intlSource } from '../../src/schedule/zone.ts';

describe('offsets from Date', () => {
  const before = process.env.TZ;
  afterEach(() => {
    process.env.TZ = before ?? 'UTC';
  });

  it('are those of Intl, in any zone at any time, and TZ stays as it was', () => {
    process.env.TZ = 'UTC';
    const zones = [
      ...Intl.supportedValuesOf('timeZone'),
      'UTC',
      'US/Eastern',
      'Asia/Kolkata',
      'europe/berlin',
    ];
    const instants = fc.integer({ min: Date.UTC(1965, 0), max: Date.UTC(2060, 0) });
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.array(instants, { minLength: 1, maxLength: 5 }),
        (zone, times) => {
          const read = (offsetAt: (instant: number) => number): number[] => times.map(offsetAt);
          expect(dateSource(zone, read)).toEqual(intlSource(zone, read));
          expect(process.env.TZ).toBe('UTC');
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('times for people', () => {
  const now = Date.UTC(2026, 9, 24, 12);
  const minute = 60_000;

  it.each([
    [0, 'in 0s'],
    [45_000, 'in 45s'],
    [4 * minute, 'in 4m'],
    [4 * minute + 5000, 'in 4m 5s'],
    [59 * minute, 'in 59m'],
    [65 * minute, 'in 1h 5m'],
    [26 * 60 * minute, 'in 26h'],
    [31 * 1440 * minute, 'in 31d'],
    [1500 * 1440 * minute, 'in 4y'],
  ])('%d ms from now is "%s"', (by, words) => expect(fromNow(now + by, now)).toBe(words));

  it.each([
    [Date.UTC(2026, 9, 24, 14, 25), '16:25'],
    [Date.UTC(2026, 9, 24, 14, 25, 30), '16:25:30'],
    [Date.UTC(2026, 9, 25, 1, 33), 'Sun 02:33'],
    [Date.UTC(2026, 11, 24, 17), '24 Dec 18:00'],
    [Date.UTC(2027, 11, 31, 23), '1 Jan 2028 00:00'],
  ])('is as short as it can be understood', (instant, words) => {
    expect(shortTime(instant, 'Europe/Berlin', now)).toBe(words);
  });

  it('knows years of more than four digits', () => {
    const far = Date.UTC(174_458, 1, 21, 4, 5, 6);
    expect(localDateTime(far, 'UTC')).toBe('Thu +174458-02-21 04:05:06 +00:00');
    expect(shortTime(far, 'UTC', now)).toBe('21 Feb 174458 04:05:06');
  });

  it('carries the offset of its zone', () => {
    expect(localIso(now, 'America/St_Johns')).toBe('2026-10-24T09:30:00-02:30');
    expect(localDateTime(now, 'Pacific/Chatham')).toBe('Sun 2026-10-25 01:45:00 +13:45');
    expect(localIso(now + 5, 'UTC')).toBe('2026-10-24T12:00:00.005+00:00');
  });
});

describe('a table', () => {
  it('aligns what a terminal shows, wide and invisible characters too', () => {
    const rows = [
      [{ text: '报告' }, { text: 'x' }],
      [{ text: 'e\u0301' }, { text: 'y' }, { text: '' }],
    ];
    expect(table(['ID', 'B', 'C'], rows, (_, text) => text)).toBe('ID    B  C\n报告  x\ne\u0301     y\n');
  });
});
