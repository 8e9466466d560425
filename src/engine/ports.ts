/**
 * What the engine needs from the world, declared by the engine. Adapters (tasks/, store/, observe/) implement these
 * and know nothing else of the engine; app.ts puts them together.
 */
import type {
  Cause,
  CancelledBy,
  Duration,
  Instant,
  JobDefinition,
  JobId,
  Outcome,
  OutputPolicy,
  RunId,
  RunRecord,
  SkipRecord,
  Surroundings,
  Task,
} from '../model.ts';

/** Time, as the engine and the adapters see it. The only source of it. */
export interface Clock {
  /** The wall clock. May step in either direction. */
  now(): Instant;
  /** Milliseconds since some fixed moment; never steps back, and does not count a suspend of the host. */
  monotonic(): Duration;
  /** Calls `action` once, not before `delay` of monotonic time. Returns a function that calls it off. */
  after(delay: Duration, action: () => void): () => void;
}

/** All an executor needs to know of one attempt. */
export interface AttemptSpec {
  readonly runId: RunId;
  readonly jobId: JobId;
  /** From 1. */
  readonly attempt: number;
  readonly scheduledAt: Instant;
  readonly cause: Cause;
  readonly previousSuccessAt?: Instant | undefined;
  readonly task: Task;
  readonly surroundings: Surroundings;
  readonly output: OutputPolicy;
  readonly successExitCodes: readonly number[];
  readonly killSignal: string;
  readonly killAfter: Duration;
}

/** Why the engine ends an attempt; the first reason given is the one recorded. */
export type StopReason =
  | { readonly kind: 'timed_out'; readonly after: Duration }
  | { readonly kind: 'cancelled'; readonly by: CancelledBy };

export type AttemptReport =
  /** `startTime` in clock ticks since boot, field 22 of /proc/PID/stat: tells a process from a later one of the same id. */
  | { readonly kind: 'started'; readonly pid?: number; readonly startTime?: number }
  /** Exactly one, always the last. Not before the whole process group is gone, or has been told to go by KILL. */
  | { readonly kind: 'ended'; readonly outcome: Outcome };

export interface AttemptHandle {
  /** Asks the process group to end: `killSignal`, then KILL after `killAfter`. Later calls change nothing. */
  stop(reason: StopReason): void;
  /** KILL at once, whether or not `stop` was called. The reason counts only if `stop` gave none. */
  kill(reason: StopReason): void;
}

export interface Executor {
  /**
   * Starts one attempt. Never throws: what cannot be started ends as `not_started`. Reports may come before `start`
   * returns.
   */
  start(spec: AttemptSpec, report: (report: AttemptReport) => void): AttemptHandle;
  /** Lets go of what the executor holds (spawner, spare processes). Attempts still active are left to themselves. */
  close(): Promise<void>;
}

export interface HistoryQuery {
  readonly jobId?: JobId;
  readonly limit?: number;
}

/** Runs and skips, newest scheduled time first. */
export type HistoryRow = { readonly run: RunRecord } | { readonly skip: SkipRecord };

/** Where slots are claimed and history is kept. */
export interface Store {
  /**
   * Claims the runs' slots and records the skips, all in one transaction. One boolean for each run: false where a run
   * for (jobId, scheduledAt) was claimed before (never for a manual run). Rejects when nothing could be recorded.
   */
  claim(runs: readonly RunRecord[], skips: readonly SkipRecord[]): Promise<readonly boolean[]>;
  /** Records the newest state of a claimed run. */
  save(run: RunRecord): Promise<void>;
  /** For each job ever decided: its newest slot that was claimed or skipped. */
  watermarks(): Promise<ReadonlyMap<JobId, Instant>>;
  history(query: HistoryQuery): Promise<readonly HistoryRow[]>;
  /** Scheduled time of the job's newest run that succeeded. */
  previousSuccess(jobId: JobId): Instant | undefined;
  close(): Promise<void>;
}

/** Everything that happens. Observers switch over `kind`; a new event does not compile until each says what it means. */
export type EngineEvent =
  | { readonly kind: 'engine_started'; readonly jobs: number }
  | { readonly kind: 'engine_stopping'; readonly active: number }
  | { readonly kind: 'engine_stopped' }
  | {
      readonly kind: 'jobs_applied';
      readonly added: readonly JobId[];
      readonly changed: readonly JobId[];
      readonly removed: readonly JobId[];
      readonly unchanged: number;
    }
  | { readonly kind: 'clock_stepped'; readonly by: Duration; readonly at: Instant }
  | { readonly kind: 'slots_skipped'; readonly skip: SkipRecord }
  | { readonly kind: 'run_claimed'; readonly run: RunRecord; readonly late: Duration }
  | {
      readonly kind: 'run_waiting';
      readonly jobId: JobId;
      readonly scheduledAt: Instant;
      readonly reason: 'overlap' | 'limit';
    }
  | {
      readonly kind: 'attempt_started';
      readonly run: RunRecord;
      readonly attempt: number;
      readonly pid?: number;
    }
  | {
      readonly kind: 'attempt_ended';
      readonly run: RunRecord;
      readonly attempt: number;
      readonly outcome: Outcome;
      readonly duration: Duration;
    }
  | { readonly kind: 'retry_begun'; readonly run: RunRecord; readonly attempt: number }
  | {
      readonly kind: 'retry_scheduled';
      readonly run: RunRecord;
      readonly attempt: number;
      readonly at: Instant;
    }
  | {
      readonly kind: 'run_finished';
      readonly run: RunRecord;
      readonly outcome: Outcome;
      readonly definition: JobDefinition;
    }
  /** A trigger broke its contract (threw, or answered with an instant not later than asked): that job alone stops. */
  | { readonly kind: 'job_disabled'; readonly jobId: JobId; readonly message: string }
  | { readonly kind: 'store_failed'; readonly message: string };

export interface Observer {
  /** Must not throw and must not block. */
  observe(event: EngineEvent): void;
}
