/** How runs lie in time: counted by the hour, as bars, and minute by minute. Pure; drivers bring the runs. */
import type { Bar, Hour, Window } from '../engine/ports-timeline.ts';
import type { Duration, Instant, Outcome, RunId, RunRecord } from '../model.ts';
import { FAILED } from './history.ts';

export const HOUR: Duration = 3_600_000;
export const MINUTE: Duration = 60_000;
/** Runs read for one question at most; the newest are. */
export const MOST_READ = 200_000;
/** Of one job, for its bars. */
export const MOST_OF_ONE = 2000;
/** Bars of one answer. */
export const MOST_BARS = 5000;
/** Runs of a job scheduled before a window that may reach into it. */
export const LOOKED_BACK = 8;
/** A run that is over and began longer before a window than this is not counted among what was active in it. */
export const LONG: Duration = 24 * HOUR;

/** A run, as far as its place in time goes. */
export interface Placed {
  readonly id: RunId;
  readonly scheduledAt: Instant;
  readonly claimedAt: Instant;
  readonly startedAt: Instant | undefined;
  readonly finishedAt: Instant | undefined;
  readonly kind: Outcome['kind'] | 'active';
  readonly onSchedule: boolean;
}

export function placedOf({ attempts: [first], outcome, cause, ...run }: RunRecord): Placed {
  const { id, scheduledAt, claimedAt, finishedAt } = run;
  const kind = outcome?.kind ?? 'active';
  return {
    id,
    scheduledAt,
    claimedAt,
    startedAt: first?.startedAt,
    finishedAt,
    kind,
    onSchedule: cause === 'schedule',
  };
}

type Counted = Exclude<keyof Hour, 'at' | 'delay'>;

/** Of an hour's delays, in their order, the one that stands for all: at that part of them. */
export const DELAYS = { p50: 0.5, p99: 0.99 } as const;

type Counts = Record<Counted, number> & { delay: Hour['delay']; readonly delays: Duration[] };

/** Runs and skips in any order, counted into the hours of a window. */
export class HourCounts {
  /** Beginning of the first hour. */
  readonly first: Instant;
  readonly #hours: Counts[];

  constructor({ since, until }: Window) {
    this.first = Math.floor(since / HOUR) * HOUR;
    this.#hours = Array.from({ length: Math.ceil((until - this.first) / HOUR) }, () => ({
      succeeded: 0,
      failed: 0,
      cancelled: 0,
      active: 0,
      skipped: 0,
      delay: undefined,
      delays: [],
    }));
  }

  run({ scheduledAt, startedAt, kind, onSchedule }: Omit<Placed, 'id' | 'claimedAt' | 'finishedAt'>): void {
    const hour = this.#hours[this.#hourOf(scheduledAt)];
    if (hour === undefined) return;
    hour[counted(kind)] += 1;
    if (onSchedule && startedAt !== undefined) hour.delays.push(Math.max(startedAt - scheduledAt, 0));
  }

  /** A stretch of slots, all at its beginning; one that was not counted is one. */
  skip(scheduledAt: Instant, count = 1): void {
    const hour = this.#hours[this.#hourOf(scheduledAt)];
    if (hour !== undefined) hour.skipped += count;
  }

  /** What was counted elsewhere, of the hour of that index. */
  add(index: number, kind: Placed['kind'] | 'skipped', count: number): void {
    const hour = this.#hours[index];
    if (hour !== undefined) hour[counted(kind)] += count;
  }

  /** Found elsewhere, of the hour of that index. */
  late(index: number, delay: Partial<Hour['delay']>): void {
    const hour = this.#hours[index];
    if (hour !== undefined) hour.delay = { p50: 0, p99: 0, ...hour.delay, ...delay };
  }

  get hours(): readonly Hour[] {
    return this.#hours.map(({ delays, delay, ...counts }, index) => {
      delays.sort((one, other) => one - other);
      const at = (part: number): Duration => delays[Math.floor(delays.length * part)] ?? 0;
      return {
        at: this.first + index * HOUR,
        ...counts,
        delay: delays.length === 0 ? delay : { p50: at(DELAYS.p50), p99: at(DELAYS.p99) },
      };
    });
  }

  #hourOf(at: Instant): number {
    return Math.floor((at - this.first) / HOUR);
  }
}

function counted(kind: Placed['kind'] | 'skipped'): Counted {
  return FAILED.has(kind) ? 'failed' : (kind as Counted);
}

/**
 * The runs of one job that reach into a window, as bars. Oldest first; short ones within the same part of the window become one bar.
 * `runs` come newest first by scheduled time, and none scheduled after the window.
 */
export function barsOf(
  runs: Iterable<Placed>,
  { since, part }: { readonly since: Instant; readonly part: Duration },
): { bars: Bar[]; complete: boolean } {
  const found: Placed[] = [];
  let before = 0;
  let complete = true;
  for (const run of runs) {
    if (run.scheduledAt < since && (before += 1) > LOOKED_BACK) break;
    complete = found.length < MOST_OF_ONE;
    if (!complete) break;
    if (run.finishedAt === undefined || run.finishedAt >= since) found.push(run);
  }
  found.sort((one, other) => beginOf(one) - beginOf(other));
  const bars: Bar[] = [];
  let place = Number.NaN;
  for (const run of found) {
    const isShort = run.finishedAt !== undefined && run.finishedAt - run.scheduledAt < part;
    const here = isShort ? Math.floor((beginOf(run) - since) / part) : Number.NaN;
    const last = bars.at(-1);
    if (last !== undefined && here === place) bars[bars.length - 1] = joined(last, run);
    else bars.push(barOf(run));
    place = here;
  }
  return { bars, complete };
}

function beginOf({ startedAt, claimedAt }: Placed): Instant {
  return startedAt ?? claimedAt;
}

function barOf({ id, scheduledAt, startedAt, finishedAt, kind }: Placed): Bar {
  return { runId: id, scheduledAt, startedAt, finishedAt, kind, runs: 1, failed: FAILED.has(kind) ? 1 : 0 };
}

function joined(bar: Bar, run: Placed): Bar {
  const failed = FAILED.has(run.kind);
  const [finishedAt, end] = [bar.finishedAt ?? 0, run.finishedAt ?? 0];
  return {
    ...bar,
    ...(failed || bar.failed === 0 ? { runId: run.id, kind: run.kind } : {}),
    startedAt: bar.startedAt ?? run.startedAt,
    finishedAt: Math.max(finishedAt, end),
    runs: bar.runs + 1,
    failed: bar.failed + (failed ? 1 : 0),
  };
}

/** How many runs were active in each minute of a window. */
export class MinuteCounts {
  /** Beginning of the first minute. */
  readonly first: Instant;
  readonly #changes: Int32Array;

  constructor({ since, until }: Window) {
    this.first = Math.floor(since / MINUTE) * MINUTE;
    this.#changes = new Int32Array(Math.ceil((until - this.first) / MINUTE) + 1);
  }

  /** Index of the last minute. */
  get last(): number {
    return this.#changes.length - 2;
  }

  /** A run that was active from one moment to the other; `until` undefined: it still is. */
  run(from: Instant, until: Instant | undefined): void {
    const { first, last } = this;
    const begin = Math.max(Math.floor((from - first) / MINUTE), 0);
    const end = until === undefined ? last : Math.min(Math.floor((until - first) / MINUTE), last);
    if (begin > end) return;
    this.change(begin, 1);
    this.change(end + 1, -1);
  }

  /** From the minute of that index on so many more were active. */
  change(minute: number, by: number): void {
    this.#changes[minute] = (this.#changes[minute] ?? 0) + by;
  }

  /** By minute, from the one that `since` is in. */
  get active(): number[] {
    let sum = 0;
    return Array.from(this.#changes.subarray(0, -1), (change) => (sum += change));
  }
}
