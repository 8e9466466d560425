import { describe, expect, it } from 'vitest';
import { Files, lines } from './support.ts';

const JOBS = `timezone: Europe/Berlin
calendars:
  holidays: { dates: [2027-01-01, 2026-12-25], known_until: 2030-01-01 }
  weekend: { weekdays: [sat, sun] }
jobs:
  report: { cron: "0 9 * * *", run: x, exclude: [holidays, weekend] }
  daily: { cron: "30 9 * * *", run: x }
  often: { every: 10m, run: x }
tests:
`;

/** What is found with one test; at 2026-06-01. */
async function said(test: string, tests = true): Promise<string[]> {
  using files = new Files();
  return lines(await files.load(`${JOBS}  - { ${test} }\n`, { tests }));
}

describe('tests of a job file', () => {
  it.each([
    'job: report, fires_at: 2027-01-04T09:00',
    'job: report, fires_at: [2027-01-04T09:00, 2027-01-05T08:00:00Z], never_at: 2027-01-01T09:00',
    'job: report, never_on: holidays',
    'job: report, never_on: [holidays, weekend]',
    'job: daily, never_on: { dates: 2027-01-01 }, to: 2026-12-31',
    'job: report, never_within: { gap: 30m, of: daily }',
    'job: often, never_within: 10m, to: 2026-06-08',
  ])('hold: %s', async (test) => {
    expect(await said(test)).toEqual([]);
  });

  it.each([
    [
      'job: report, fires_at: [2027-01-04T09:00, 2027-01-01T09:00]',
      '10:20 error tests.0.fires_at: report does not fire at Fri 2027-01-01 09:00 | it fires at Thu 2026-12-31 09:00 and Mon 2027-01-04 09:00',
    ],
    [
      'job: daily, never_at: 2027-01-01T09:30',
      '10:19 error tests.0.never_at: daily fires at Fri 2027-01-01 09:30',
    ],
    [
      'job: daily, never_on: holidays',
      '10:19 error tests.0.never_on: daily fires at Fri 2026-12-25 09:30, which is in holidays (2026-12-25)',
    ],
    [
      'job: daily, never_on: { weekdays: sun }',
      '10:19 error tests.0.never_on: daily fires at Sun 2026-06-07 09:30, which is in never_on (Sunday)',
    ],
    [
      'job: report, never_within: { gap: 45m, of: [daily] }',
      '10:20 error tests.0.never_within: report fires at Mon 2026-06-01 09:00, 30m from daily at Mon 2026-06-01 09:30',
    ],
    [
      'job: often, never_within: 11m',
      '10:19 error tests.0.never_within: often fires at Mon 2026-06-01 02:00, 10m from often at Mon 2026-06-01 02:10',
    ],
    [
      'job: often, never_within: 5m, to: 2036-05-31',
      '10:19 error tests.0.never_within: more than 200000 slots are compared | choose a shorter window by from: and to:',
    ],
    [
      'job: repot, never_at: 2027-01-01',
      '10:7 error tests.0.job: there is no job "repot" | did you mean "report"?',
    ],
    ['never_at: 2027-01-01', '10:5 error tests.0: nothing says which job | add job:'],
    [
      'job: daily, never_on: weekends',
      '10:19 error tests.0.never_on: there is no calendar "weekends" | did you mean "weekend"?',
    ],
    [
      'job: daily, never_at: 2027-03-28T02:30',
      '10:19 error tests.0.never_at: 2027-03-28T02:30 does not exist in Europe/Berlin: clocks go forward past it | write 2027-03-28T03:30:00, or give an offset',
    ],
    [
      'job: daily, from: 2027-01-01, to: 2026-01-01, never_on: weekend',
      '10:37 error tests.0.to: the window ends before it begins, or is longer than ten years',
    ],
  ])('fail: %s', async (test, expected) => {
    expect((await said(test)).filter((line) => line.includes(' error '))).toEqual([expected]);
  });

  it('are no business of a daemon', async () => {
    expect(await said('job: daily, never_on: holidays', false)).toEqual([]);
  });

  it('may stand in included files, for jobs of any', async () => {
    using files = new Files();
    files.write(
      'more.yaml',
      'jobs: { b: { every: 1h, run: x } }\ntests:\n  - { job: a, fires_at: 2027-01-01T00:30 }\n',
    );
    const result = await files.load('include: more.yaml\njobs: { a: { every: 1h, run: x } }\n', {
      tests: true,
    });
    expect(lines(result)).toEqual([
      '3:15 error tests.0.fires_at: a does not fire at Fri 2027-01-01 00:30 | it fires at Fri 2027-01-01 00:00 and Fri 2027-01-01 01:00',
    ]);
  });
});
