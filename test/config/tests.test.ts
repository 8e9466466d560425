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
  then: { after: [report, daily], run: x }
  first: { startup: daemon, run: x }
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
      '12:20 error tests.0.fires_at: report does not fire at Fri 2027-01-01 09:00 | it fires at Thu 2026-12-31 09:00 and Mon 2027-01-04 09:00',
    ],
    [
      'job: daily, never_at: 2027-01-01T09:30',
      '12:19 error tests.0.never_at: daily fires at Fri 2027-01-01 09:30',
    ],
    [
      'job: daily, never_on: holidays',
      '12:19 error tests.0.never_on: daily fires at Fri 2026-12-25 09:30, which is in holidays (2026-12-25)',
    ],
    [
      'job: daily, never_on: { weekdays: sun }',
      '12:19 error tests.0.never_on: daily fires at Sun 2026-06-07 09:30, which is in never_on (Sunday)',
    ],
    [
      'job: report, never_within: { gap: 45m, of: [daily] }',
      '12:20 error tests.0.never_within: report fires at Mon 2026-06-01 09:00, 30m from daily at Mon 2026-06-01 09:30',
    ],
    [
      'job: often, never_within: 11m',
      '12:19 error tests.0.never_within: often fires at Mon 2026-06-01 02:00, 10m from often at Mon 2026-06-01 02:10',
    ],
    [
      'job: often, never_within: 5m, to: 2036-05-31',
      '12:19 error tests.0.never_within: more than 200000 slots are compared | choose a shorter window by from: and to:',
    ],
    [
      'job: repot, never_at: 2027-01-01',
      '12:7 error tests.0.job: there is no job "repot" | did you mean "report"?',
    ],
    ['never_at: 2027-01-01', '12:5 error tests.0: nothing says which job | add job:'],
    [
      'job: daily, never_on: weekends',
      '12:19 error tests.0.never_on: there is no calendar "weekends" | did you mean "weekend"?',
    ],
    [
      'job: daily, never_at: 2027-03-28T02:30',
      '12:19 error tests.0.never_at: 2027-03-28T02:30 does not exist in Europe/Berlin: clocks go forward past it | write 2027-03-28T03:30:00, or give an offset',
    ],
    [
      'job: daily, from: 2027-01-01, to: 2026-01-01, never_on: weekend',
      '12:37 error tests.0.to: the window ends before it begins, or is longer than ten years',
    ],
    [
      'job: then, never_on: weekend',
      '12:7 error tests.0.job: then runs when others end, so it has no slots of its own to look at | test what it follows: report, daily',
    ],
    [
      'job: first, never_within: 1h',
      '12:7 error tests.0.job: first runs when tsched starts, so it has no slots to look at | remove this test',
    ],
    [
      'job: daily, never_within: { gap: 5m, of: then }',
      '12:19 error tests.0.never_within: then runs when others end, so it has no slots of its own to look at | test what it follows: report, daily',
    ],
    [
      'job: daily, from: 2027-01-01',
      '12:5 error tests.0: nothing is held against its slots | add fires_at:, never_at:, never_on: or never_within:',
    ],
    [
      'job: daily, never_on: {}',
      '12:19 error tests.0.never_on: nothing says on which days | write the name of a calendar, or add weekdays: or dates:',
    ],
    [
      'job: daily, never_within: { of: report }',
      '12:19 error tests.0.never_within: nothing says how near | add gap:',
    ],
    [
      'job: daily, never_on: { weekdays: sa }',
      '12:41 error tests.0.never_on.weekdays: "sa" is not a day of the week | write e.g. sat, or mon-fri',
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
