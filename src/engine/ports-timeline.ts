/** What may be asked of a running daemon about how runs lie in time, past ones and coming ones. */
import type { Duration, Instant, JobId, Outcome, RunId } from '../model.ts';

export interface Window {
  readonly since: Instant;
  /** Not included. */
  readonly until: Instant;
}

/** What became of the slots and runs of one hour, by scheduled time. */
export interface Hour {
  /** Its beginning. */
  readonly at: Instant;
  readonly succeeded: number;
  /** Every unsuccessful end but `cancelled`. */
  readonly failed: number;
  readonly cancelled: number;
  readonly active: number;
  /** Slots. */
  readonly skipped: number;
  /** From the scheduled time to the start of the first attempt, of runs on schedule; undefined where none started. */
  readonly delay: { readonly p50: Duration; readonly p99: Duration } | undefined;
}

export interface Hours {
  /** Every hour of the window, oldest first. */
  readonly hours: readonly Hour[];
  /** Runs claimed before this were too many to be read; undefined: all were. */
  readonly countedFrom: Instant | undefined;
}

/** One run; or several short ones of a job that are too close together to be told apart at this scale. */
export interface Bar {
  /** The newest of its runs that failed, else the newest. */
  readonly runId: RunId;
  /** Of the oldest of its runs, as `startedAt`. */
  readonly scheduledAt: Instant;
  /** Undefined: its first attempt never began, or has not yet. */
  readonly startedAt: Instant | undefined;
  /** The latest end; undefined while one of them is active. */
  readonly finishedAt: Instant | undefined;
  /** A failure's, if there is one. */
  readonly kind: Outcome['kind'] | 'active';
  readonly runs: number;
  readonly failed: number;
}

/** A job's row of the timeline. */
export interface Lane {
  readonly jobId: JobId;
  /** Oldest first. */
  readonly bars: readonly Bar[];
  /** Times to come, no two closer than can be told apart. */
  readonly planned: readonly Instant[];
  /** Not so: older runs in the window are left out. */
  readonly complete: boolean;
}

export interface LanesQuery extends Window {
  readonly jobIds: readonly JobId[];
  /** Into how many parts the window is cut: what lies within one of them need not be told apart. */
  readonly parts: number;
}

/** The minutes of the window in which most runs were active or will start. */
export interface BusyMinute {
  readonly at: Instant;
  /** Runs that were active at any time in it; of minutes to come, those that are planned to start. */
  readonly runs: number;
  readonly planned: boolean;
}

/** How much runs at a time, minute by minute. */
export interface Load {
  /** How long a part is: whole minutes. */
  readonly step: Duration;
  /** Of each part, the most runs that were active in a minute of it. */
  readonly active: readonly number[];
  /** Of each part, the most planned starts in a minute of it. */
  readonly planned: readonly number[];
  /** Busiest first; only minutes of more than one run. */
  readonly busiest: readonly BusyMinute[];
  /** Not so: there is more than could be looked at. */
  readonly complete: boolean;
}

/** What became of a job's slots and runs on one day of the calendar, by scheduled time. */
export interface JobDay {
  /** e.g. `2027-03-28`, in the job's zone. */
  readonly day: string;
  readonly since: Instant;
  /** Not included. */
  readonly until: Instant;
  readonly succeeded: number;
  /** Every unsuccessful end but `cancelled`. */
  readonly failed: number;
  readonly cancelled: number;
  readonly active: number;
  /** Slots; undefined: some, of which history does not say how many were on this day. */
  readonly skipped: number | undefined;
}

export interface JobDays {
  readonly timezone: string;
  /** Those on which anything was, oldest first. */
  readonly days: readonly JobDay[];
}
