/** What stands out in a simulation: who waits, when most goes on, where clocks change. Pure. */
import type { Duration, Instant, JobDefinition, JobId, RunRecord, SkipReason } from '../model.ts';
import { jitterOf } from '../schedule/jitter.ts';
import { MOMENT } from '../schedule/plan.ts';
import { LATEST, zoneOf } from '../schedule/zone.ts';
import type { Simulation } from './simulate.ts';
import { begunAt } from '../schedule/run-length.ts';

const MINUTE: Duration = 60_000;
/** Busiest minutes that are named. */
const MOST_BUSY = 5;
const APART: Duration = 15 * MINUTE;

export interface JobReport {
  readonly jobId: JobId;
  readonly runs: number;
  /** Slots that became no runs, by reason. */
  readonly skipped: Partial<Readonly<Record<SkipReason, number>>>;
  /** Runs that began later than a moment after they were due, and the longest such wait. */
  readonly waited: number;
  readonly longestWait: Duration;
  /** Of all its runs together, within the window. */
  readonly busy: Duration;
}

export interface BusyMinute {
  readonly at: Instant;
  /** Runs that were active at some moment of it. */
  readonly active: number;
  readonly jobs: readonly JobId[];
}

export interface ClockChange {
  readonly at: Instant;
  readonly timezone: string;
  /** Positive: clocks go forward. */
  readonly by: Duration;
}

export interface Report {
  /** Jobs with slots in the window, in the order of the file. */
  readonly jobs: readonly JobReport[];
  /** Minutes with most active runs, busiest first; none in which there are fewer than two. */
  readonly busiest: readonly BusyMinute[];
  readonly clockChanges: readonly ClockChange[];
}

export function reportOf(simulation: Simulation, jobs: readonly JobDefinition[]): Report {
  const runs = simulation.rows.flatMap((row) => ('run' in row ? [row.run] : []));
  const byJob = new Map<JobId, Counting>();
  const counting = (jobId: JobId): Counting => {
    const known = byJob.get(jobId) ?? { runs: 0, skipped: {}, waited: 0, longestWait: 0, busy: 0 };
    byJob.set(jobId, known);
    return known;
  };
  const jitters = new Map(jobs.map(({ id, schedule }) => [id, schedule.jitter]));
  for (const run of runs)
    count(counting(run.jobId), run, { simulation, jitter: jitters.get(run.jobId) ?? 0 });
  for (const row of simulation.rows) {
    if (!('skip' in row)) continue;
    const { skipped } = counting(row.skip.jobId);
    skipped[row.skip.reason] = (skipped[row.skip.reason] ?? 0) + (row.skip.count ?? 1);
  }
  const seen = jobs.flatMap(({ id }) => {
    const counted = byJob.get(id);
    return counted === undefined ? [] : [{ jobId: id, ...counted }];
  });
  return { jobs: seen, busiest: busiest(runs, simulation), clockChanges: clockChanges(simulation, jobs) };
}

interface Counting {
  runs: number;
  skipped: Partial<Record<SkipReason, number>>;
  waited: number;
  longestWait: Duration;
  busy: Duration;
}

function count(
  counted: Counting,
  run: RunRecord,
  { simulation, jitter }: { simulation: Simulation; jitter: Duration },
): void {
  counted.runs += 1;
  for (const [start, end] of spans(run, simulation)) counted.busy += end - start;
  const startedAt = begunAt(run) ?? simulation.to;
  const delay = jitter === 0 ? 0 : jitterOf(run.jobId, run.scheduledAt, jitter);
  const late = startedAt - run.scheduledAt - delay;
  if (late < MOMENT) return;
  counted.waited += 1;
  counted.longestWait = Math.max(counted.longestWait, late);
}

/** When its attempts went on, within the window. */
export function spans(
  { attempts, shards }: RunRecord,
  { to }: Pick<Simulation, 'to'>,
): [start: Instant, end: Instant][] {
  const all = shards?.flatMap((shard) => shard.attempts) ?? attempts;
  return all.map(({ startedAt, finishedAt = to }) => [startedAt, Math.min(finishedAt, to)]);
}

function busiest(runs: readonly RunRecord[], simulation: Simulation): readonly BusyMinute[] {
  const minutes = new Map<Instant, number>();
  const each = (run: RunRecord, visit: (minute: Instant) => void): void => {
    for (const [start, end] of spans(run, simulation)) {
      const first = Math.floor(start / MINUTE) * MINUTE;
      for (let minute = first; minute === first || minute < end; minute += MINUTE) visit(minute);
    }
  };
  // A run that goes on for days is busy in thousands of minutes; in which of them others are too is what is asked.
  for (const run of runs) each(run, (minute) => minutes.set(minute, (minutes.get(minute) ?? 0) + 1));
  const first = [...minutes].filter(([, active]) => active > 1).sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const chosen = new Map<Instant, Set<JobId>>();
  for (const [at] of first) {
    if (chosen.size === MOST_BUSY) break;
    // The minutes beside a busy one are as busy, most often, and tell nothing new.
    if (![...chosen.keys()].some((other) => Math.abs(other - at) < APART)) chosen.set(at, new Set());
  }
  for (const run of runs) each(run, (minute) => chosen.get(minute)?.add(run.jobId));
  return Array.from(chosen, ([at, jobs]) => ({ at, active: minutes.get(at) ?? 0, jobs: [...jobs].sort() }));
}

function clockChanges({ from, to }: Simulation, jobs: readonly JobDefinition[]): readonly ClockChange[] {
  const zones = new Set(jobs.map(({ schedule }) => schedule.timezone));
  const changes: ClockChange[] = [];
  for (const timezone of zones) {
    let span = zoneOf(timezone).at(from);
    while (span.until <= to && span.until < LATEST) {
      const { offset } = span;
      span = zoneOf(timezone).at(span.until);
      if (span.offset !== offset) changes.push({ at: span.from, timezone, by: span.offset - offset });
    }
  }
  return changes.sort((a, b) => a.at - b.at || (a.timezone < b.timezone ? -1 : 1));
}
