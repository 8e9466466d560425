import { describe, expect, it } from 'vitest';
import type { Told } from '../../src/message.ts';
import type { Expectation } from '../../src/model.ts';
import { judge } from '../../src/schedule/expect.ts';
import { untold } from '../../src/schedule/tell.ts';
import { job } from '../support/jobs.ts';

const DAILY = job('a', { cron: '0 2 * * *', schedule: { timezone: 'Europe/Berlin' } });
const WORKDAYS = job('a', { cron: '0 2 * * 1-5', schedule: { timezone: 'Europe/Berlin' } });

function at(text: string): number {
  return Date.parse(text);
}

function judged(
  expectation: Expectation,
  now: string,
  standing: Partial<Told> = {},
  running: readonly string[] = [],
  definition = DAILY,
) {
  const told = { ...untold(at('2026-01-01T00:00Z')), ...standing };
  const { late, lookAt } = judge(definition, expectation, { told, running: running.map(at), now: at(now) });
  const time = (instant: number): string => new Date(instant).toISOString().slice(0, 16);
  return [
    ...late.map(({ what, since }) => `${what} ${time(since)}`),
    lookAt === undefined ? '-' : time(lookAt),
  ];
}

describe('what is expected of a job', () => {
  it('duration: from the very moment a run has taken longer', () => {
    const expectation = { duration: 1_800_000 };
    expect(judged(expectation, '2026-06-01T00:00Z')).toEqual(['-']);
    expect(judged(expectation, '2026-06-01T00:29Z', {}, ['2026-06-01T00:00Z'])).toEqual(['2026-06-01T00:30']);
    expect(judged(expectation, '2026-06-01T00:30Z', {}, ['2026-06-01T00:00Z', '2026-06-01T00:20Z'])).toEqual([
      'duration 2026-06-01T00:00',
      '2026-06-01T00:50',
    ]);
  });

  it('every: counts from the last success, or from where the job became known', () => {
    const expectation = { every: 25 * 3_600_000 };
    expect(judged(expectation, '2026-01-02T00:00Z')).toEqual(['2026-01-02T01:00']);
    expect(judged(expectation, '2026-01-02T01:00Z')).toEqual(['every 2026-01-01T00:00', '-']);
    const succeededAt = at('2026-03-01T06:00Z');
    expect(judged(expectation, '2026-03-02T06:59Z', { succeededAt })).toEqual(['2026-03-02T07:00']);
    expect(judged(expectation, '2026-03-02T07:00Z', { succeededAt })).toEqual([
      'every 2026-03-01T06:00',
      '-',
    ]);
  });

  it('finished_by: by the clock of the zone, through clock changes', () => {
    const expectation = { finishedBy: '06:00' };
    // 06:00 is 05:00Z in winter and 04:00Z in summer; clocks change on 29 March.
    expect(judged(expectation, '2026-03-28T04:59Z', { succeededSlot: at('2026-03-27T01:00Z') })).toEqual([
      '2026-03-28T05:00',
    ]);
    expect(judged(expectation, '2026-03-28T05:00Z', { succeededSlot: at('2026-03-27T01:00Z') })).toEqual([
      'finishedBy 2026-03-28T05:00',
      '2026-03-29T04:00',
    ]);
    expect(judged(expectation, '2026-03-28T05:00Z', { succeededSlot: at('2026-03-28T01:00Z') })).toEqual([
      '2026-03-29T04:00',
    ]);
  });

  it('finished_by: a success of yesterday that came too late is none of today', () => {
    const standing = { succeededSlot: at('2026-06-01T00:00Z'), succeededAt: at('2026-06-01T05:00Z') };
    expect(judged({ finishedBy: '06:00' }, '2026-06-02T04:00Z', standing)[0]).toBe(
      'finishedBy 2026-06-02T04:00',
    );
  });

  it('finished_by: owes nothing on days without a slot, nor before it was known for a day', () => {
    const friday = { succeededSlot: at('2026-06-05T00:00Z') };
    expect(judged({ finishedBy: '06:00' }, '2026-06-07T05:00Z', friday, [], WORKDAYS)).toEqual([
      '2026-06-08T04:00',
    ]);
    expect(judged({ finishedBy: '06:00' }, '2026-06-08T04:00Z', friday, [], WORKDAYS)[0]).toBe(
      'finishedBy 2026-06-08T04:00',
    );
    expect(
      judged({ finishedBy: '06:00' }, '2026-06-08T04:00Z', { since: at('2026-06-07T20:00Z') }, [], WORKDAYS),
    ).toEqual(['2026-06-09T04:00']);
  });
});
