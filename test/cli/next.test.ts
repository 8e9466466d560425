import { describe, expect, it } from 'vitest';
import { project, tsched } from './tsched.ts';

const berlin = 'jobs:\n  backup:\n    cron: "30 2 * * *"\n    timezone: Europe/Berlin\n    run: echo\n';

function times(
  args: readonly string[],
  jobs = berlin,
): { jobId: string; at: string; local: string; note: string | null }[] {
  const { out } = tsched(['next', ...args, '--json'], { cwd: project(jobs) });
  return (JSON.parse(out) as { times: { jobId: string; at: string; local: string; note: string | null }[] })
    .times;
}

describe('tsched next', () => {
  it('runs once at each clock change, and says what happened', () => {
    expect(times(['--from', '2026-10-24T00:00:00Z', '--count', '4'])).toEqual([
      { jobId: 'backup', at: '2026-10-24T00:30:00Z', local: '2026-10-24T02:30:00+02:00', note: null },
      {
        jobId: 'backup',
        at: '2026-10-25T00:30:00Z',
        local: '2026-10-25T02:30:00+02:00',
        note: 'clocks go back at 03:00; the second 02:30 is not used',
      },
      { jobId: 'backup', at: '2026-10-26T01:30:00Z', local: '2026-10-26T02:30:00+01:00', note: null },
      { jobId: 'backup', at: '2026-10-27T01:30:00Z', local: '2026-10-27T02:30:00+01:00', note: null },
    ]);
    const spring = times(['backup', '--from', '2027-03-27', '-n', '3']);
    expect(spring.map(({ at, local }) => [at, local.slice(11, 16)])).toEqual([
      ['2027-03-27T01:30:00Z', '02:30'],
      ['2027-03-28T01:30:00Z', '03:30'],
      ['2027-03-29T00:30:00Z', '02:30'],
    ]);
    expect(spring[1]?.note).toContain('02:30 does not exist');
  });

  it('keeps to calendars, and marks what moved', () => {
    const jobs = `calendars: { weekend: { weekdays: [sat, sun] } }
jobs:
  a: { cron: "0 9 1 * *", timezone: Europe/Berlin, run: x, exclude: weekend, roll: previous }
`;
    const found = times(['a', '--from', '2027-07-01', '-n', '3'], jobs);
    expect(found.map(({ local, note }) => [local, note])).toEqual([
      ['2027-07-01T09:00:00+02:00', null],
      ['2027-07-30T09:00:00+02:00', 'moved from 2027-08-01: weekend excludes it (Sunday)'],
      ['2027-09-01T09:00:00+02:00', null],
    ]);
  });

  it('starts at a local time of the one job, else of the file, else of --tz', () => {
    const jobs = `timezone: Europe/Berlin\njobs:\n  a: { cron: "0 * * * *", timezone: Asia/Shanghai, run: x }\n`;
    const first = (...args: string[]): string | undefined =>
      times([...args, '-n', '1', '--from', '2027-01-01'], jobs)[0]?.at;
    expect(first('a')).toBe('2026-12-31T16:00:00Z');
    expect(first()).toBe('2026-12-31T23:00:00Z');
    expect(first('a', '--tz', 'America/New_York')).toBe('2027-01-01T05:00:00Z');
  });

  it('shows one job with its schedule and the notes', () => {
    const { out } = tsched(['next', 'backup', '-n', '2', '--from', '2026-10-24T12:00:00Z'], {
      cwd: project(berlin),
    });
    expect(out).toBe(
      [
        'backup   30 2 * * *   "At 02:30"   Europe/Berlin',
        '  Sun 2026-10-25 02:30:00 +02:00   clocks go back at 03:00; the second 02:30 is not used',
        '  Mon 2026-10-26 02:30:00 +01:00',
        '',
      ].join('\n'),
    );
  });

  it('merges all enabled jobs by time, and a disabled one only when named', () => {
    const jobs = `
timezone: UTC
jobs:
  a: { every: 10m, run: echo }
  b: { every: 15m, run: echo, jitter: 1m }
  c: { every: 1m, run: echo, enabled: false }
`;
    const all = times(['--from', '2026-01-01T00:01:00Z', '-n', '4'], jobs);
    expect(all.map(({ jobId, at }) => `${jobId} ${at.slice(11, 16)}`)).toEqual([
      'a 00:10',
      'b 00:15',
      'a 00:20',
      'a 00:30',
    ]);
    expect(all[1]?.note).toMatch(/^starts \d.* later \(jitter\)$/);
    expect(times(['c', '--from', '2026-01-01T00:01:00Z', '-n', '1'], jobs)[0]?.at).toBe(
      '2026-01-01T00:01:00Z',
    );
    const { out } = tsched(['next', 'c'], { cwd: project(jobs) });
    expect(out).toContain('disabled');
  });

  it('shows other times in another zone when asked', () => {
    const [first] = times(['--from', '2026-07-01T00:00:00Z', '--tz', 'Asia/Tokyo']);
    expect(first).toMatchObject({ at: '2026-07-01T00:30:00Z', local: '2026-07-01T09:30:00+09:00' });
  });

  it('refuses a time that is none, and an id that is none, with what to write', () => {
    const time = tsched(['next', '--from', 'tomorrow'], { cwd: project(berlin) });
    expect(time.code).toBe(64);
    expect(time.err).toContain('--from: "tomorrow" is not a time; write e.g. 2027-01-31T02:00');
    const id = tsched(['next', 'bakup'], { cwd: project(berlin) });
    expect(id.code).toBe(64);
    expect(id.err).toBe('tsched: there is no job "bakup" in jobs.yaml; did you mean "backup"?\n');
  });

  it('holds no more than it shows, however many jobs there are', () => {
    const jobs = Array.from({ length: 2000 }, (_, index) => `  j${index}: { every: 1s, run: x }\n`).join('');
    const env = { NODE_OPTIONS: '--max-old-space-size=200' };
    const cwd = project(`jobs:\n${jobs}`);
    const { code, out } = tsched(['next', '-n', '5000', '--from', '2027-01-01', '--json'], { cwd, env });
    expect(code).toBe(0);
    const { times } = JSON.parse(out) as { times: { jobId: string; at: string }[] };
    expect(times).toHaveLength(5000);
    expect(times[2000]).toMatchObject({ jobId: 'j0', at: '2027-01-01T00:00:01Z' });
    expect(times.at(-1)).toMatchObject({ jobId: 'j999', at: '2027-01-01T00:00:02Z' });
  });
});
