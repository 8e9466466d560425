import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastDays } from '../../src/schedule/days.ts';
import { readWall } from '../support/cron-oracle.ts';

const HOUR = 3_600_000;
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/Sao_Paulo', // midnight does not come
  'America/Havana', // midnight comes twice
  'Pacific/Apia', // a day does not come
  'Australia/Lord_Howe',
];

function dayAt(instant: number, timezone: string): string {
  return new Date(readWall(timezone, instant)).toISOString().slice(0, 10);
}

describe('the last days of a zone', () => {
  it('follow each other without a gap, and each holds what the wall says is of it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ZONES),
        fc.integer({ min: Date.UTC(2010, 0), max: Date.UTC(2030, 0) }),
        fc.integer({ min: 1, max: 400 }),
        (timezone, now, count) => {
          const days = lastDays(timezone, { now, count });
          expect(days.at(-1)?.day).toBe(dayAt(now, timezone));
          expect(days.slice(1).map(({ since }) => since)).toEqual(
            days.slice(0, -1).map(({ until }) => until),
          );
          for (const { day, since, until } of days) {
            expect(dayAt(since, timezone)).toBe(day);
            expect(dayAt(until - 1, timezone)).toBe(day);
          }
        },
      ),
    );
  });

  it('have 23 or 25 hours where the clocks change, and leave out what a zone left out', () => {
    const lengths = (timezone: string, now: number): [string, number][] =>
      lastDays(timezone, { now, count: 3 }).map(({ day, since, until }) => [day, (until - since) / HOUR]);
    expect(lengths('Europe/Berlin', Date.UTC(2026, 2, 30, 12))).toEqual([
      ['2026-03-28', 24],
      ['2026-03-29', 23],
      ['2026-03-30', 24],
    ]);
    expect(lengths('America/Havana', Date.UTC(2026, 10, 1, 12))[2]).toEqual(['2026-11-01', 25]);
    expect(lengths('Pacific/Apia', Date.UTC(2011, 11, 31, 0))).toEqual([
      ['2011-12-29', 24],
      ['2011-12-31', 24],
    ]);
  });
});
