import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fingerprint } from '../../src/schedule/fingerprint.ts';
import { job } from '../support/jobs.ts';
import { going, printed, ran, skipped, stateWith } from './past.ts';
import { directory, project, tsched } from './tsched.ts';

const at = '2026-11-23 12:00:00';
const berlin = { timezone: 'Europe/Berlin' };
const place = {
  schedule: fingerprint(job('backup', { cron: '30 2 * * *', schedule: berlin }).schedule),
  from: Date.parse('2026-11-23T01:30:00Z'),
};

/** As the runs of UX sketch: a good one, one that failed twice, a caught-up one, skips and one that goes on. */
function someHistory(): string {
  const failed = { kind: 'failed', exitCode: 1 } as const;
  const timedOut = { kind: 'timed_out', after: 2_700_000 } as const;
  const first = Date.parse('2026-11-22T01:33:02Z');
  const retried = ran('backup', '2026-11-22T01:30:00Z', {
    attempts: [
      { number: 1, startedAt: first, finishedAt: first + 9000, duration: 9000, outcome: failed },
      {
        number: 2,
        startedAt: first + 39_000,
        finishedAt: first + 2_739_000,
        duration: 2_700_000,
        outcome: timedOut,
      },
    ],
    finishedAt: first + 2_739_000,
    outcome: timedOut,
  });
  const runs = [
    ran('backup', '2026-11-21T01:30:00Z', { cause: 'catch_up' }),
    retried,
    ran('backup', '2026-11-23T01:30:00Z'),
    ran('report', '2026-11-23T07:00:00Z', { outcome: { kind: 'killed', signal: 'SIGKILL' } }),
    going('slow', '2026-11-23T10:59:00Z'),
  ];
  const state = stateWith({
    runs,
    skips: [
      skipped('slow', '2026-11-23T11:00:00Z'),
      skipped('report', '2026-11-20T07:00:00Z', {
        reason: 'misfire',
        through: Date.parse('2026-11-22T07:00:00Z'),
        count: 3,
        at: Date.parse('2026-11-22T10:00:00Z'),
      }),
    ],
    placed: [['backup', place]],
  });
  printed(state, retried, ['x'.repeat(300), 'y'.repeat(210_500)]);
  printed(state, runs[2] ?? retried, ['z'.repeat(4100)]);
  return state;
}

/** Ids differ from run to run of the test. */
function withoutIds(text: string): string {
  return text
    .replace(/01[0-9a-f]{6}(?:-[0-9a-f]+)*(?= )/g, 'RUN')
    .replaceAll(/logs 01[0-9a-f-]+/g, 'logs RUN');
}

interface Row {
  readonly id: string | null;
  readonly jobId: string;
  readonly state: string;
  readonly [name: string]: unknown;
}

function rows(state: string, ...args: readonly string[]): Row[] {
  const { out, err } = tsched(['history', ...args, '--json', '--state-dir', state], { at });
  expect(err).toBe('');
  return (JSON.parse(out) as { runs: Row[] }).runs;
}

describe('tsched history', () => {
  it('shows the runs of a job in its zone, their attempts and figures', () => {
    const { code, out } = tsched(['history', 'backup', '--state-dir', someHistory()], { at });
    expect(code).toBe(0);
    expect(withoutIds(out)).toMatchInlineSnapshot(`
      "RUN       SCHEDULED         START   DURATION  ATT  RESULT   CAUSE     OUTPUT
      RUN  Mon 23 Nov 02:30  +12ms   1.5s      1    ok       schedule  4.1 KB
      RUN  Sun 22 Nov 02:30  +3m02s  45m39s    2    timeout  schedule  211 KB
                  ├ attempt 1     +3m02s  9s             exit 1             300 B
                  └ attempt 2     +3m41s  45m00s         timeout            211 KB
      RUN  Sat 21 Nov 02:30  +12ms   1.5s      1    ok       catch-up

      3 runs: 2 ok, 1 failed.  p50 1.5s  p95 45m39s  tsched logs RUN
      "
    `);
  });

  it('shows all jobs, the newest decision first, skips with their reason', () => {
    const { out } = tsched(['history', '--state-dir', someHistory()], { at });
    expect(withoutIds(out)).toMatchInlineSnapshot(`
      "RUN       JOB     SCHEDULED                            START   DURATION  ATT  RESULT                      CAUSE     OUTPUT
      -         slow    Mon 23 Nov 11:00                                            skipped: overlap
      RUN  slow    Mon 23 Nov 10:59                     +12ms   1h01m     1    running                     schedule
      RUN  report  Mon 23 Nov 07:00                     +12ms   1.5s      1    SIGKILL                     schedule
      RUN  backup  Mon 23 Nov 02:30                     +12ms   1.5s      1    ok                          schedule  4.1 KB
      -         report  Fri 20 Nov 07:00 … Sun 22 Nov 07:00                         skipped: misfire (3 slots)
      RUN  backup  Sun 22 Nov 02:30                     +3m02s  45m39s    2    timeout                     schedule  211 KB
                          ├ attempt 1                        +3m02s  9s             exit 1                                300 B
                          └ attempt 2                        +3m41s  45m00s         timeout                               211 KB
      RUN  backup  Sat 21 Nov 02:30                     +12ms   1.5s      1    ok                          catch-up

      5 runs: 2 ok, 2 failed, 1 active; 2 skips.  p50 1.5s  p95 45m39s  tsched logs RUN
      "
    `);
  });

  it('has a stable shape for programs', () => {
    const [run, retried] = rows(someHistory(), 'backup');
    expect(run).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      jobId: 'backup',
      scheduledAt: '2026-11-23T01:30:00Z',
      claimedAt: '2026-11-23T01:30:00.012Z',
      startedAt: '2026-11-23T01:30:00.012Z',
      finishedAt: '2026-11-23T01:30:01.512Z',
      retryAt: null,
      durationMs: 1500,
      cause: 'schedule',
      state: 'finished',
      replay: null,
      pool: null,
      shards: null,
      waited: null,
      outcome: { kind: 'succeeded', exitCode: 0 },
      outputBytes: 4100,
      attempts: [
        {
          number: 1,
          startedAt: '2026-11-23T01:30:00.012Z',
          finishedAt: '2026-11-23T01:30:01.512Z',
          durationMs: 1500,
          node: null,
          awaits: null,
          pid: 7,
          cancelledBy: null,
          outcome: { kind: 'succeeded', exitCode: 0 },
        },
      ],
      upstream: [],
    });
    expect(retried).toMatchObject({
      outputBytes: 210_800,
      outcome: { kind: 'timed_out', afterMs: 2_700_000 },
      attempts: [{ number: 1 }, { number: 2, outcome: { kind: 'timed_out', afterMs: 2_700_000 } }],
    });
  });

  it('tells skips as rows', () => {
    const skips = rows(someHistory(), '--status', 'skipped');
    expect(skips).toMatchObject([
      { jobId: 'slow', state: 'skipped', reason: 'overlap', count: 1, id: null, attempts: [] },
      {
        jobId: 'report',
        scheduledAt: '2026-11-20T07:00:00Z',
        through: '2026-11-22T07:00:00Z',
        count: 3,
        state: 'skipped',
        reason: 'misfire',
        decidedAt: '2026-11-22T10:00:00Z',
        startedAt: null,
        finishedAt: null,
        outcome: null,
      },
    ]);
  });

  it('narrows by status, time and number', () => {
    const state = someHistory();
    const jobs = (...args: readonly string[]): string[] => rows(state, ...args).map((row) => row.jobId);
    expect(jobs('--status', 'failed')).toEqual(['report', 'backup']);
    expect(jobs('--status', 'timed_out, active')).toEqual(['slow', 'backup']);
    expect(jobs('--last', '1d')).toEqual(['slow', 'slow', 'report', 'backup']);
    expect(jobs('--limit', '1')).toEqual(['slow']);
    const scheduled = (...args: readonly string[]): unknown[] =>
      rows(state, 'backup', ...args).map((row) => row['scheduledAt']);
    // 02:30 in Berlin is 01:30 in UTC: a time without offset is local to the job.
    expect(scheduled('--since', '2026-11-22T02:30', '--until', '2026-11-22T02:30')).toEqual([
      '2026-11-22T01:30:00Z',
    ]);
    expect(scheduled('--since', '2026-11-22T02:30', '--tz', 'UTC')).toEqual(['2026-11-23T01:30:00Z']);
  });

  it('says what to write instead of what it does not know', () => {
    const state = someHistory();
    const said = (...args: readonly string[]): [number | null, string] => {
      const { code, err } = tsched(['history', ...args, '--state-dir', state]);
      return [code, err.split('\n')[0] ?? ''];
    };
    expect(said('--status', 'faild')).toEqual([
      64,
      expect.stringContaining('Did you mean "failed"?') as string,
    ]);
    expect(said('--status', 'ok')[1]).toContain('Did you mean "succeeded"?');
    expect(said('--last', '7')).toEqual([64, expect.stringContaining('has no unit') as string]);
    expect(said('--since', 'yesterday')).toEqual([64, expect.stringContaining('is not a time') as string]);
    expect(said('--last', '1d', '--since', '2026-01-01')[0]).toBe(64);
    expect(said('bakup')).toEqual([
      64,
      'tsched: no job and no run is called "bakup"; did you mean "backup"?',
    ]);
  });

  it('is empty, and no error, where no daemon has run or the job has not', () => {
    const cwd = project('jobs:\n  fresh: { every: 1h, run: x }\n');
    const state = join(directory(), 'none');
    const none = tsched(['history', '--state-dir', state], { cwd });
    expect(none).toMatchObject({ code: 0, err: '' });
    expect(none.out).toContain(`no history yet in ${state}`);
    expect(rows(state)).toEqual([]);
    const { code, out } = tsched(['history', 'fresh', '--state-dir', someHistory()], { cwd });
    expect({ code, out }).toEqual({ code: 0, out: 'No history yet of fresh: no daemon has run it.\n' });
    expect(tsched(['history', 'frehs', '--state-dir', state], { cwd }).err).toContain(
      'did you mean "fresh"?',
    );
  });

  it('is harmless and valid whatever a job made its outcome say', () => {
    const message = 'a\u001b[2Jb\u0000\u202e\r\n\ud800';
    const state = stateWith({
      runs: [ran('a', '2026-11-23T01:30:00Z', { outcome: { kind: 'threw', message } })],
    });
    const { out } = tsched(['history', '--json', '--state-dir', state]);
    expect(out).toMatch(/^[\u0020-\u007e]+\n$/);
    expect((JSON.parse(out) as { runs: unknown[] }).runs).toMatchObject([{ outcome: { kind: 'threw' } }]);
  });

  it('shortens ids as far as they stay the only ones, now and later', () => {
    const claimedAt = Date.parse('2026-11-23T11:59:59.500Z');
    const old = Date.parse('2026-11-20T11:59:59.500Z');
    const runs = [
      ran('a', '2026-11-23T11:59:59Z', { claimedAt }),
      ran('b', '2026-11-23T11:59:59Z', { claimedAt }),
      ran('c', '2026-11-20T11:59:59Z', { claimedAt: old }),
    ];
    const state = stateWith({ runs });
    const { out } = tsched(['history', '--state-dir', state], { at });
    const shown = out.match(/^01[0-9a-f-]+/gm) ?? [];
    expect(shown.map((id) => id.length).sort((a, b) => a - b)).toEqual([
      8,
      expect.any(Number),
      expect.any(Number),
    ]);
    for (const id of shown) {
      expect(runs.filter((run) => run.id.startsWith(id))).toHaveLength(1);
      expect(tsched(['logs', id, '--state-dir', state]).err).toContain('is gone');
    }
    const both = tsched(['logs', runs[0]?.id.slice(0, 10) ?? '', '--state-dir', state]);
    expect(both).toMatchObject({
      code: 64,
      err: expect.stringContaining('several runs begin with') as string,
    });
  });
});
