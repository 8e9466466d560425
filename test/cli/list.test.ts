import { describe, expect, it } from 'vitest';
import { project, tsched } from './tsched.ts';

const jobs = `
timezone: Europe/Berlin
jobs:
  backup:
    description: A copy of the database
    cron: "30 2 * * *"
    run: echo
    tags: [db]
  either:
    cron: "0 0 13 * 5"
    run: echo
  hashed:
    cron: H 4 * * *
    run: echo
  nick:
    cron: "@weekdays"
    run: echo
  shanghai:
    cron: ["30 9 * * 1-5", "0 12 * * 6"]
    timezone: Asia/Shanghai
    run: echo
  often:
    every: 1h30m
    run: echo
  off:
    every: 5m
    enabled: false
    run: echo
  first:
    startup: boot
    run: echo
  past:
    at: 2020-01-01T00:00:00Z
    run: echo
  year:
    cron: "0 0 1 1 *"
    run: echo
`;
const at = '2026-10-24 12:00:00';

describe('tsched list', () => {
  it('shows every job, its schedule in words and when it is next due, in its zone', () => {
    const { code, out } = tsched(['list'], { cwd: project(jobs), at });
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "ID        SCHEDULE                                                      ZONE           NEXT                        DESCRIPTION
      backup    At 02:30                                                      Europe/Berlin  in 12h    Sun 02:30         A copy of the database
      either    At 00:00, on day 13 of the month, and on Friday (either one)  Europe/Berlin  in 5d     Fri 00:00
      hashed    At 04:59                                                      Europe/Berlin  in 15h    Sun 04:59
      nick      At 00:00, Monday through Friday                               Europe/Berlin  in 35h    Mon 00:00
      shanghai  At 09:30, Monday through Friday; At 12:00, only on Saturday   Asia/Shanghai  in 37h    Mon 09:30
      often     Every 1h30m                                                   Europe/Berlin  in 30m    14:30
      off       Every 5m                                                      Europe/Berlin  disabled
      first     Once after each boot                                          Europe/Berlin  at start
      past      Once, at 2020-01-01 01:00:00+01:00                            Europe/Berlin  never
      year      At 00:00, on day 1 of the month, only in January              Europe/Berlin  in 68d    1 Jan 2027 00:00

      10 jobs, 1 disabled in jobs.yaml. Times in each job's zone.
      "
    `);
  });

  it('shows all times in one zone when asked', () => {
    const { out } = tsched(['ls', '--tz', 'America/New_York'], { cwd: project(jobs), at });
    expect(out).toMatch(/^backup .* 20:30 /m);
    expect(out).toContain('Times in America/New_York.');
  });

  it('does so for programs too', () => {
    const cwd = project('jobs:\n  a: { cron: "0 0 1 1 *", timezone: UTC, run: x }\n');
    const { out } = tsched(['list', '--tz', 'Asia/Tokyo', '--json'], { cwd });
    const [job] = (JSON.parse(out) as { jobs: { timezone: string; nextLocal: string }[] }).jobs;
    expect(job?.timezone).toBe('UTC');
    expect(job?.nextLocal).toMatch(/-01-01T09:00:00\+09:00$/);
  });

  it('has a stable shape for programs', () => {
    const { out } = tsched(['list', '--json'], { cwd: project(jobs), at });
    const listed = JSON.parse(out) as { jobs: Record<string, unknown>[] };
    expect(listed.jobs[0]).toEqual({
      id: 'backup',
      description: 'A copy of the database',
      schedule: '30 2 * * *',
      scheduleInWords: 'At 02:30',
      timezone: 'Europe/Berlin',
      nextAt: '2026-10-25T00:30:00Z',
      nextLocal: '2026-10-25T02:30:00+02:00',
      state: 'scheduled',
      enabled: true,
      task: 'run',
      tags: ['db'],
      lastRun: null,
    });
    const states = Object.fromEntries(listed.jobs.map((job) => [job.id, [job.state, job.nextAt]]));
    expect(states).toMatchObject({
      off: ['disabled', null],
      first: ['scheduled', null],
      past: ['ended', null],
      year: ['scheduled', '2026-12-31T23:00:00Z'],
    });
  });
});
