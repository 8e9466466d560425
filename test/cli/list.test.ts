import { describe, expect, it } from 'vitest';
import { mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDaemon } from '../support/daemon.ts';
import { going, ran, stateWith } from './past.ts';
import { directory, project, tsched } from './tsched.ts';

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

      10 jobs, 1 disabled in jobs.yaml. Times in each job's zone.  No daemon is running.
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

  it('tells where jobs come from, where that is not one file', () => {
    const main = 'include: [jobs.d/*.yaml]\njobs:\n  a: { every: 1h, run: "true" }\n';
    const cwd = project(main);
    expect(tsched(['list'], { cwd, at }).out).not.toContain('FROM');
    mkdirSync(join(cwd, 'jobs.d'));
    writeFileSync(join(cwd, 'jobs.d/more.yaml'), 'jobs:\n  b: { every: 1h, run: "true" }\n');
    expect(tsched(['list'], { cwd, at }).out).toMatch(
      /^ID .* FROM\na .* jobs\.yaml:3\nb .* jobs\.d\/more\.yaml:2\n/,
    );
  });

  it('has a stable shape for programs', () => {
    const cwd = realpathSync(project(jobs));
    const { out } = tsched(['list', '--json'], { cwd, at });
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
      pool: null,
      runsOn: [],
      waitsFor: null,
      tags: ['db'],
      params: null,
      origin: 'file',
      source: { file: join(cwd, 'jobs.yaml'), line: expect.any(Number) },
      lastRun: null,
      recent: [],
    });
    const states = Object.fromEntries(listed.jobs.map((job) => [job.id, [job.state, job.nextAt]]));
    expect(states).toMatchObject({
      off: ['disabled', null],
      first: ['scheduled', null],
      past: ['ended', null],
      year: ['scheduled', '2026-12-31T23:00:00Z'],
    });
  });

  it('shows what the last runs came to, and who rests', () => {
    const failed = { kind: 'failed', exitCode: 1 } as const;
    const day = (index: number): string => new Date(Date.UTC(2026, 9, 10 + index, 0, 30)).toISOString();
    const backups = Array.from({ length: 12 }, (_, index) => ran('backup', day(index)));
    const state = stateWith({
      runs: [
        ...backups,
        ran('backup', day(13), { outcome: failed }),
        ran('nick', day(13), { outcome: { kind: 'cancelled', by: 'operator' } }),
        going('often', '2026-10-24T11:59:00Z'),
      ],
      pauses: [
        ['year', { since: 5 }],
        ['off', { since: 5 }],
        ['past', { since: 5, until: 6 }],
      ],
    });
    const cwd = project(jobs);
    const { code, out } = tsched(['list', '--state-dir', state], { cwd, at });
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "ID        SCHEDULE                                                      ZONE           NEXT                 LAST                RESULT           RECENT      DESCRIPTION
      backup    At 02:30                                                      Europe/Berlin  in 12h    Sun 02:30  35h ago  Fri 02:30  exit 1     1.5s  •••••••••x  A copy of the database
      either    At 00:00, on day 13 of the month, and on Friday (either one)  Europe/Berlin  in 5d     Fri 00:00  never
      hashed    At 04:59                                                      Europe/Berlin  in 15h    Sun 04:59  never
      nick      At 00:00, Monday through Friday                               Europe/Berlin  in 35h    Mon 00:00  35h ago  Fri 02:30  cancelled  1.5s  -
      shanghai  At 09:30, Monday through Friday; At 12:00, only on Saturday   Asia/Shanghai  in 37h    Mon 09:30  never
      often     Every 1h30m                                                   Europe/Berlin  in 30m    14:30      1m ago   13:59      running          …
      off       Every 5m                                                      Europe/Berlin  disabled             never
      first     Once after each boot                                          Europe/Berlin  at start             never
      past      Once, at 2020-01-01 01:00:00+01:00                            Europe/Berlin  never                never
      year      At 00:00, on day 1 of the month, only in January              Europe/Berlin  paused               never

      10 jobs, 1 failing, 1 paused, 1 disabled in jobs.yaml. Times in each job's zone.  No daemon is running.
      "
    `);
    const json = tsched(['list', '--json'], { cwd, at, env: { TSCHED_STATE_DIR: state } });
    const listed = JSON.parse(json.out) as { jobs: { id: string; [name: string]: unknown }[] };
    const of = (id: string) => listed.jobs.find((job) => job.id === id);
    expect(of('backup')).toMatchObject({
      lastRun: {
        scheduledAt: '2026-10-23T00:30:00Z',
        startedAt: '2026-10-23T00:30:00.012Z',
        finishedAt: '2026-10-23T00:30:01.512Z',
        outcome: failed,
      },
      recent: ['failed', ...Array.from({ length: 9 }, () => 'succeeded')],
    });
    expect(of('often')).toMatchObject({ lastRun: { finishedAt: null, outcome: null }, recent: ['active'] });
    expect(of('either')).toMatchObject({ lastRun: null, recent: [] });
    expect([of('year')?.['state'], of('off')?.['state'], of('past')?.['state']]).toEqual([
      'paused',
      'disabled',
      'ended',
    ]);
  });

  it('says who runs, and lists all the same when the history cannot be read', async () => {
    const daemon = await startDaemon({ jobs: 'jobs:\n  a: { every: 1h, run: x }\n' }).ready();
    const args = ['list', '--state-dir', daemon.stateDirectory];
    const own = tsched([...args, '--file', daemon.file]);
    expect(own.out).toMatch(new RegExp(`Daemon: running for \\d+s \\(pid ${daemon.pid}\\)\\.\n$`));
    expect(tsched(args, { cwd: project(jobs) }).out).toContain(`It runs another file: ${daemon.file}.`);
    await daemon.stop();
    expect(tsched([...args, '--file', daemon.file]).out).toContain('No daemon is running.');

    const state = stateWith({});
    writeFileSync(join(state, 'tsched.db'), 'garbage! '.repeat(100));
    const damaged = tsched(['list', '--state-dir', state], { cwd: project(jobs), at });
    expect(damaged.code).toBe(0);
    expect(damaged.err).toMatch(/^tsched: the history is not shown: .* is damaged: .*tsched db check.*$/m);
    const none = tsched(['list', '--state-dir', join(directory(), 'none')], { cwd: project(jobs), at });
    expect(damaged.out).toBe(none.out);
  });

  it('takes the file of the last daemon where there is none, as next does, and says so', async () => {
    const daemon = await startDaemon({ jobs: 'jobs: { a: { cron: "30 2 * * *", run: x } }\n' }).ready();
    expect(await daemon.stop()).toBe(0);
    const cwd = directory();
    const state = ['--state-dir', daemon.stateDirectory];
    const said = `tsched: there is no job file here; this is ${daemon.file}, which the newest daemon of ${daemon.stateDirectory} runs or ran\n`;
    const listed = tsched(['list', '--json', ...state], { cwd });
    expect(listed).toMatchObject({ code: 0, err: said });
    expect(JSON.parse(listed.out)).toMatchObject({ jobs: [{ id: 'a' }] });
    expect(tsched(['ls', ...state], { cwd, env: { TSCHED_TZ: 'UTC' } })).toMatchObject({
      code: 0,
      err: said,
    });
    const next = tsched(['next', '--json', '-n', '1', ...state], { cwd });
    expect(next).toMatchObject({ code: 0, err: said });
    expect(JSON.parse(next.out)).toMatchObject({ times: [{ jobId: 'a' }] });
    rmSync(daemon.file);
    for (const command of ['list', 'next']) {
      const { code, err } = tsched([command, ...state], { cwd });
      expect({ code, err }).toMatchObject({ code: 66, err: expect.stringContaining('no job file') });
    }
  });
});
