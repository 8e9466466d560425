import { describe, expect, it } from 'vitest';
import type { DstRule, Schedule } from '../../src/model.ts';
import { clockChangeNote } from '../../src/schedule/notes.ts';
import { compileSchedule } from '../../src/schedule/trigger.ts';

function schedule(cron: string | readonly string[], timezone: string, dst: DstRule = {}): Schedule {
  const expressions = typeof cron === 'string' ? [cron] : cron;
  return { triggers: [{ kind: 'cron', expressions }], timezone, dst, jitter: 0 };
}

/** The next `count` slots as UTC, shortened to the minute. */
function slots(of: Schedule, from: string, count: number): string[] {
  const trigger = compileSchedule(of, 'job');
  const found: string[] = [];
  let at = Date.parse(from);
  while (found.length < count) {
    const next = trigger.next(at);
    if (next === undefined) break;
    expect(next).toBeGreaterThan(at);
    found.push(new Date(next).toISOString().replace(/:00\.000Z$/, 'Z'));
    at = next;
  }
  return found;
}

describe('hour-bound expressions fire each named time once', () => {
  it('clocks go back: the first of two readings (Berlin 2026-10-25)', () => {
    expect(slots(schedule('30 2 * * *', 'Europe/Berlin'), '2026-10-24T00:00:00Z', 4)).toEqual([
      '2026-10-24T00:30Z',
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
      '2026-10-27T01:30Z',
    ]);
  });

  it('clocks go forward: later by the size of the gap (Berlin 2027-03-28)', () => {
    expect(slots(schedule('30 2 * * *', 'Europe/Berlin'), '2027-03-27T00:00:00Z', 4)).toEqual([
      '2027-03-27T01:30Z',
      '2027-03-28T01:30Z',
      '2027-03-29T00:30Z',
      '2027-03-30T00:30Z',
    ]);
  });

  it('a shifted time that lands on another fires once', () => {
    expect(slots(schedule('30 2,3 * * *', 'Europe/Berlin'), '2027-03-28T00:00:00Z', 3)).toEqual([
      '2027-03-28T01:30Z',
      '2027-03-29T00:30Z',
      '2027-03-29T01:30Z',
    ]);
  });

  it('0 3 fires once on the day of the gap, at the first moment after it', () => {
    expect(slots(schedule('0 3 * * *', 'Europe/Berlin'), '2024-03-30T12:00:00Z', 2)).toEqual([
      '2024-03-31T01:00Z',
      '2024-04-01T01:00Z',
    ]);
  });

  it.each<[string, string, string, string[]]>([
    // Half an hour: 02:15 does not exist and lands on 02:45, which fires once.
    [
      '15,45 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-03T12:00:00Z',
      ['2026-10-03T15:45Z', '2026-10-04T15:15Z', '2026-10-04T15:45Z'],
    ],
    // Two hours: 01:30 becomes 03:30.
    ['30 1 * * *', 'Antarctica/Troll', '2027-03-28T00:00:00Z', ['2027-03-28T01:30Z', '2027-03-28T23:30Z']],
    // 2011-12-30 does not exist: its noon falls on the noon of the 31st.
    [
      '0 12 * * *',
      'Pacific/Apia',
      '2011-12-29T00:00:00Z',
      ['2011-12-29T22:00Z', '2011-12-30T22:00Z', '2011-12-31T22:00Z'],
    ],
    ['0 12 30 12 *', 'Pacific/Apia', '2011-06-01T00:00:00Z', ['2011-12-30T22:00Z', '2012-12-29T22:00Z']],
    // Midnight comes twice in Havana and is missing in Cairo.
    ['0 0 * * *', 'America/Havana', '2026-10-31T12:00:00Z', ['2026-11-01T04:00Z', '2026-11-02T05:00Z']],
    ['0 0 * * *', 'Africa/Cairo', '2026-04-23T00:00:00Z', ['2026-04-23T22:00Z', '2026-04-24T21:00Z']],
    [
      '45 2 * * *',
      'Pacific/Chatham',
      '2026-09-25T12:00:00Z',
      ['2026-09-25T14:00Z', '2026-09-26T14:00Z', '2026-09-27T13:00Z'],
    ],
    ['30 1 * * *', 'Europe/Dublin', '2026-10-24T12:00:00Z', ['2026-10-25T00:30Z', '2026-10-26T01:30Z']],
    // Forward at 00:01 to 01:01.
    ['30 0 * * *', 'America/St_Johns', '2010-03-13T12:00:00Z', ['2010-03-14T04:00Z', '2010-03-15T03:00Z']],
  ])('%s in %s', (cron, timezone, from, expected) => {
    expect(slots(schedule(cron, timezone), from, expected.length)).toEqual(expected);
  });
});

describe('every-hour expressions follow the wall clock', () => {
  it('repeated readings repeat: eight quarter hours in two real hours', () => {
    expect(slots(schedule('*/15 * * * *', 'Europe/Berlin'), '2024-10-26T23:59:00Z', 9)).toEqual([
      '2024-10-27T00:00Z',
      '2024-10-27T00:15Z',
      '2024-10-27T00:30Z',
      '2024-10-27T00:45Z',
      '2024-10-27T01:00Z',
      '2024-10-27T01:15Z',
      '2024-10-27T01:30Z',
      '2024-10-27T01:45Z',
      '2024-10-27T02:00Z',
    ]);
  });

  it('skipped readings are skipped', () => {
    expect(slots(schedule('*/30 * * * *', 'Europe/Berlin'), '2024-03-31T00:00:00Z', 3)).toEqual([
      '2024-03-31T00:30Z',
      '2024-03-31T01:00Z',
      '2024-03-31T01:30Z',
    ]);
  });

  it('0-23 allows every hour as * does, 0-22 does not', () => {
    expect(slots(schedule('30 0-23 * * *', 'Europe/Berlin'), '2026-10-25T00:00:00Z', 2)).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-25T01:30Z',
    ]);
    expect(slots(schedule('30 0-22 * * *', 'Europe/Berlin'), '2026-10-25T00:00:00Z', 2)).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-25T02:30Z',
    ]);
  });
});

describe('dst: overrides either side', () => {
  it.each<[string, DstRule, string, string[]]>([
    ['30 2 * * *', { gap: 'skip' }, '2027-03-27T12:00:00Z', ['2027-03-29T00:30Z', '2027-03-30T00:30Z']],
    [
      '30 2 * * *',
      { overlap: 'both' },
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30Z', '2026-10-25T01:30Z', '2026-10-26T01:30Z'],
    ],
    ['30 * * * *', { overlap: 'first' }, '2026-10-25T00:00:00Z', ['2026-10-25T00:30Z', '2026-10-25T02:30Z']],
    [
      '50 * 28 3 *',
      { gap: 'run_after' },
      '2027-03-28T00:00:00Z',
      ['2027-03-28T00:50Z', '2027-03-28T01:50Z', '2027-03-28T02:50Z'],
    ],
  ])('%s with %j', (cron, dst, from, expected) => {
    expect(slots(schedule(cron, 'Europe/Berlin', dst), from, expected.length)).toEqual(expected);
  });
});

describe('a start inside the touched hour', () => {
  it('in the second pass repeats nothing', () => {
    expect(slots(schedule('30 2 * * *', 'Europe/Berlin'), '2024-10-27T01:05:00Z', 1)).toEqual([
      '2024-10-28T01:30Z',
    ]);
  });

  it('in the landing hour does not lose the shifted run', () => {
    expect(slots(schedule('30 2 * * *', 'Europe/Berlin'), '2024-03-31T01:05:00Z', 2)).toEqual([
      '2024-03-31T01:30Z',
      '2024-04-01T00:30Z',
    ]);
  });
});

describe('far slots', () => {
  it('reach over years, and over the clock changes between', () => {
    expect(slots(schedule('0 0 1 1 *', 'America/New_York'), '2026-01-01T12:00:00Z', 2)).toEqual([
      '2027-01-01T05:00Z',
      '2028-01-01T05:00Z',
    ]);
    expect(slots(schedule('30 2 29 2 *', 'Europe/Berlin'), '2028-03-01T00:00:00Z', 1)).toEqual([
      '2032-02-29T01:30Z',
    ]);
    expect(slots(schedule('0 0 29 2 *', 'Pacific/Chatham'), '2097-01-01T00:00:00Z', 1)).toEqual([
      '2104-02-28T10:15Z',
    ]);
  });

  it('are never where every named time falls into a gap', () => {
    const of = schedule('30 2 * 3 SUNL', 'Europe/Berlin', { gap: 'skip' });
    expect(slots(of, '2026-01-01T00:00:00Z', 1)).toEqual([]);
    expect(slots({ ...of, dst: {} }, '2026-01-01T00:00:00Z', 1)).toEqual(['2026-03-29T01:30Z']);
  });

  it('are at most 40 years away', () => {
    expect(slots(schedule('0 0 * 2 MON#5', 'Europe/Berlin'), '2072-03-01T00:00:00Z', 1)).toEqual([
      '2112-02-28T23:00Z',
    ]);
  });

  it('end with the dates JavaScript knows', () => {
    const trigger = compileSchedule(schedule('0 0 1 1 *', 'Europe/Berlin'), 'job');
    for (const after of [8.64e15, 8.64e15 - 1, Number.POSITIVE_INFINITY, Number.NaN])
      expect(trigger.next(after)).toBeUndefined();
    expect(trigger.next(Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(-8.64e15);
  });
});

describe('clockChangeNote', () => {
  /** Notes beside each of the next slots. */
  function notes(of: Schedule, from: string, count: number): (string | undefined)[] {
    return slots(of, from, count).map((at) => clockChangeNote(of, Date.parse(at), 'job'));
  }

  it.each<[string, string, DstRule, string, (string | undefined)[]]>([
    [
      '30 2 * * *',
      'Europe/Berlin',
      {},
      '2026-10-24T00:00:00Z',
      [undefined, 'clocks go back at 03:00; the second 02:30 is not used', undefined],
    ],
    [
      '30 2 * * *',
      'Europe/Berlin',
      { overlap: 'both' },
      '2026-10-24T12:00:00Z',
      [
        'clocks go back at 03:00; this is the first of two 02:30',
        'clocks went back at 03:00; this is the second 02:30',
        undefined,
      ],
    ],
    [
      '30 2 * * *',
      'Europe/Berlin',
      {},
      '2027-03-27T12:00:00Z',
      ['clocks go forward from 02:00 to 03:00; 02:30 does not exist, so it runs at 03:30', undefined],
    ],
    [
      '30 2 * * *',
      'Europe/Berlin',
      { gap: 'skip' },
      '2027-03-27T12:00:00Z',
      ['clocks go forward from 02:00 to 03:00; 2027-03-28 02:30 does not exist and is left out', undefined],
    ],
    [
      '*/30 * * * *',
      'Europe/Berlin',
      {},
      '2027-03-28T00:00:00Z',
      [undefined, 'clocks go forward from 02:00 to 03:00; 02:00 does not exist and is left out', undefined],
    ],
    [
      '0 12 * * *',
      'Pacific/Apia',
      {},
      '2011-12-30T00:00:00Z',
      [
        'clocks go forward from 2011-12-30 00:00 to 00:00; 2011-12-30 12:00 does not exist, so it runs at 12:00',
        undefined,
      ],
    ],
    ['0 4 * * *', 'Europe/Berlin', {}, '2027-03-27T12:00:00Z', [undefined, undefined]],
    ['0 4 * * *', 'UTC', {}, '2027-03-27T12:00:00Z', [undefined, undefined]],
    ['0 4 * * *', 'Asia/Shanghai', {}, '2027-03-27T12:00:00Z', [undefined, undefined]],
  ])('%s in %s with %j', (cron, timezone, dst, from, expected) => {
    expect(notes(schedule(cron, timezone, dst), from, expected.length)).toEqual(expected);
  });

  it('says nothing of instants the schedule does not have, nor of intervals', () => {
    const daily = schedule('30 2 * * *', 'Europe/Berlin');
    expect(clockChangeNote(daily, Date.parse('2027-03-28T01:31:00Z'))).toBeUndefined();
    const interval: Schedule = { ...daily, triggers: [{ kind: 'every', period: 1_800_000, anchor: 0 }] };
    expect(clockChangeNote(interval, Date.parse('2027-03-28T01:30:00Z'))).toBeUndefined();
  });
});
