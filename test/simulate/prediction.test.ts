/** A week is recorded, and the next one foretold from that: then the engine does it. */
import { describe, expect, it } from 'vitest';
import { loadJobFile, type LoadedFile } from '../../src/config/load.ts';
import type { AttemptSpec, HistoryRow } from '../../src/engine/ports.ts';
import type { RunRecord } from '../../src/model.ts';
import { stateWith } from '../cli/past.ts';
import { project, tsched } from '../cli/tsched.ts';
import { rig } from '../support/engine.ts';
import { join } from 'node:path';

const MINUTE = 60_000;
const WEEK = 7 * 24 * 60 * MINUTE;
/** Clocks go forward in the second week; at this time of the day nothing runs. */
const START = '2027-03-17T05:10:00Z';

const jobs = `
timezone: Europe/Berlin
pools: { database: 1 }
calendars:
  weekend: { weekdays: [sat, sun] }
  holidays: { dates: [2027-03-26, 2027-03-29], known_until: 2030-01-01 }
jobs:
  backup: { cron: "30 2 * * *", run: x }
  hourly: { cron: "0 * * * *", run: x, overlap: queue }
  slow: { every: 25m, run: x, overlap: skip }
  eager: { cron: "0,40 * * * *", run: x, overlap: replace }
  many: { cron: "*/10 8-17 * * *", run: x, overlap: allow, max_instances: 2, pool: database, exclude: [weekend, holidays] }
  moved: { cron: "15 9 * * 5-7", run: x, exclude: [weekend, holidays], roll: next }
  spread: { cron: "0 13 * * *", run: x, jitter: 2h, pool: database }
  urgent: { cron: "0 9,13 * * *", run: x, priority: 5 }
  cut: { cron: "0 4 * * *", run: x, timeout: 10m, retry: { limit: 1, delay: 5m, jitter: false } }
  tail: { after: backup, run: x, exclude: weekend }
  wants: { cron: "0 3 * * *", run: x, needs: backup, needs_timeout: 3h, misfire: { grace: 3h } }
  off: { cron: "0 5 * * *", run: x, enabled: false }
`;
/** Minutes. */
const lengths: Readonly<Record<string, number>> = {
  backup: 95,
  hourly: 61,
  slow: 26,
  eager: 30,
  many: 25,
  moved: 3,
  spread: 50,
  urgent: 12,
  cut: 8,
  tail: 7,
  wants: 5,
};

/** What became of each slot, and when. */
function told(rows: readonly HistoryRow[]): string[] {
  const iso = (at: number | undefined): string => (at === undefined ? '-' : new Date(at).toISOString());
  return rows
    .map((row) => {
      if ('skip' in row) {
        const { jobId, scheduledAt, through, count, reason } = row.skip;
        return `${jobId} ${iso(scheduledAt)} ${iso(through)} ${count} ${reason}`;
      }
      const { jobId, scheduledAt, attempts, finishedAt, outcome, state } = row.run;
      const starts = attempts.map(({ startedAt }) => iso(startedAt)).join(' ');
      return `${jobId} ${iso(scheduledAt)} ${starts} ${iso(finishedAt)} ${outcome?.kind ?? state}`;
    })
    .sort();
}

interface Foretold {
  readonly whole: boolean;
  readonly assumed: readonly string[];
  readonly runs: readonly Record<string, unknown>[];
  readonly skips: readonly Record<string, unknown>[];
  readonly busiest: readonly { readonly at: string; readonly active: number }[];
  readonly waits: readonly { readonly limit: string | null }[];
  readonly clockChanges: readonly unknown[];
  readonly jobs: readonly { readonly jobId: string; readonly waited: number; readonly skipped: object }[];
}

/** The rows of the command's JSON, as the store has them. */
function rowsOf({ runs, skips }: Foretold): HistoryRow[] {
  const at = (text: unknown): number | undefined => (typeof text === 'string' ? Date.parse(text) : undefined);
  const timed = (value: unknown): object => {
    const { scheduledAt, through, finishedAt, startedAt, ...rest } = value as Record<string, unknown>;
    return {
      ...rest,
      scheduledAt: at(scheduledAt),
      through: at(through ?? null),
      finishedAt: at(finishedAt ?? null),
      startedAt: at(startedAt ?? null),
      outcome: rest['outcome'] ?? undefined,
    };
  };
  return [
    ...runs.map((run) => ({ run: { ...timed(run), attempts: (run['attempts'] as object[]).map(timed) } })),
    ...skips.map((skip) => ({ skip: timed(skip) })),
  ] as unknown as HistoryRow[];
}

/** Databases want ids as daemons make them. */
function withId(run: RunRecord, index: number): RunRecord {
  return { ...run, id: `00000000-0000-7000-8000-${String(index).padStart(12, '0')}` };
}

async function fileAt(path: string): Promise<LoadedFile> {
  const loaded = await loadJobFile(path, { environment: {}, hostTimezone: 'UTC', now: Date.parse(START) });
  if (!loaded.ok) throw new Error(loaded.errors[0]?.message);
  return loaded.file;
}

describe('a week with a recorded history', () => {
  it('foretells what the engine does in the next, slot for slot', async () => {
    const cwd = project(jobs);
    const script = ({ jobId }: AttemptSpec) => ({ lasts: (lengths[jobId] ?? 0) * MINUTE });
    const settings = { maxConcurrentRuns: 4 };
    const real = rig({ start: START, script, settings });
    const file = await fileAt(join(cwd, 'jobs.yaml'));
    real.engine.resizePools(file.pools);
    await real.engine.start(file.jobs);
    await real.clock.advance(WEEK);
    const before = await real.store.history({});

    const runs = before.flatMap((row, index) =>
      'run' in row && row.run.state === 'finished' ? [withId(row.run, index)] : [],
    );
    const state = stateWith({ runs });
    const second = Date.parse(START) + WEEK;
    const from = new Date(second).toISOString();
    const to = new Date(second + WEEK).toISOString();
    const args = ['--from', from, '--to', to, '--max-concurrent-runs', '4', '--state-dir', state];
    const { code, out, err } = tsched(['simulate', ...args, '--json'], { cwd });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const foretold = JSON.parse(out) as Foretold;

    const next = rig({ start: new Date(second - 1).toISOString(), script, settings });
    next.engine.resizePools(file.pools);
    await next.engine.start(file.jobs);
    await next.clock.advance(WEEK + 1);
    const cut = next.events.length;
    await next.engine.apply([]);
    // What leaving the set makes of slots that wait is not of that week.
    const late = new Set(
      next.events
        .slice(cut)
        .flatMap((event) => ('skip' in event && event.skip.reason !== 'excluded' ? [event.skip] : [])),
    );
    const done = (await next.store.history({})).filter((row) => !('skip' in row) || !late.has(row.skip));
    const happened = told(done);
    expect(told(rowsOf(foretold))).toEqual(happened);

    // It was a week worth foretelling.
    expect(foretold).toMatchObject({ whole: true, assumed: [] });
    expect(foretold.clockChanges).toEqual([
      { at: '2027-03-28T01:00:00Z', timezone: 'Europe/Berlin', byMs: 3_600_000 },
    ]);
    for (const kind of ['succeeded', 'cancelled', 'overlap', 'limit', 'excluded'])
      expect(happened.filter((row) => row.endsWith(` ${kind}`)).length, kind).toBeGreaterThan(0);
    expect(foretold.waits.some(({ limit }) => limit === 'database')).toBe(true);
    expect(foretold.jobs.find(({ jobId }) => jobId === 'hourly')?.waited).toBeGreaterThan(10);
    expect(foretold.busiest[0]?.active).toBeGreaterThanOrEqual(4);
    const text = tsched(['simulate', ...args], { cwd });
    expect(text.code).toBe(0);
    expect(text.out).toContain('clocks in Europe/Berlin go forward by 1h: Sun 2027-03-28 03:00:00 +02:00');
    expect(text.out).toMatch(/busiest: .* runs: /);
  });
});
