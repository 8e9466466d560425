/**
 * What the engine needs from the world, declared by the engine. Adapters (tasks/, store/, observe/) implement these
 * and know nothing else of the engine; app.ts puts them together.
 */
import type { Join } from '../join.ts';
import type { Message, Told } from '../message.ts';
import type {
  AddedJob,
  Arguments,
  Cause,
  CancelledBy,
  Duration,
  Instant,
  JobDefinition,
  JobId,
  KeyedRequest,
  Notice,
  Outcome,
  OutputPolicy,
  Pause,
  Place,
  RunId,
  RunRecord,
  Shard,
  ShardRecord,
  SkipRecord,
  Surroundings,
  Task,
  Upstream,
} from '../model.ts';
import type { Replay, ReplayWithSlots } from '../replay.ts';

/** Time, as the engine and the adapters see it. The only source of it. */
export interface Clock {
  /** The wall clock. May step in either direction. */
  now(): Instant;
  /** Milliseconds since some fixed moment; never steps back, and does not count a suspend of the host. */
  monotonic(): Duration;
  /** Longest time for which the engine may leave it alone; absent: that within which a step has to be noticed. */
  readonly longestSleep?: Duration;
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
  /** What the run was given along, over the defaults of what its job declares: a module finds it among its own arguments, a process in its environment. */
  readonly with?: Arguments | undefined;
  /** Of these, those that the job declares. */
  readonly params?: Arguments | undefined;
  /** How the jobs ended that it follows or needs. */
  readonly upstream?: readonly Upstream[] | undefined;
  /** Which part of the run it is; `runId` is then the part's. */
  readonly shard?: Shard | undefined;
  readonly task: Task;
  readonly surroundings: Surroundings;
  readonly output: OutputPolicy;
  readonly successExitCodes: readonly number[];
  readonly killSignal: string;
  readonly killAfter: Duration;
  /** Its run is the one of the slot (jobId, scheduledAt), which `cause` does not say of a retry. Never of a part of a run. */
  readonly forSlot?: boolean | undefined;
  /** Labels that a node must have to run it, sorted; absent: any may. */
  readonly runsOn?: readonly string[] | undefined;
  /** As the job's policy has it; absent: 0. */
  readonly priority?: number | undefined;
  /** What becomes of it when the daemon that runs it stops, by itself or among others; absent: `wait`. */
  readonly onShutdown?: 'wait' | 'terminate' | 'leave' | undefined;
}

/** Why the engine ends an attempt; the first reason given is the one recorded. */
export type StopReason =
  | { readonly kind: 'timed_out'; readonly after: Duration }
  | { readonly kind: 'cancelled'; readonly by: CancelledBy };

export type AttemptReport =
  /**
   * `startTime` in clock ticks since boot, field 22 of /proc/PID/stat: tells a process from a later one of the same id. Both are of the
   * host of `node`, the node that began it by name; absent: of this daemon's.
   */
  | {
      readonly kind: 'started';
      readonly pid?: number;
      readonly startTime?: number;
      readonly node?: string;
    }
  /** Exactly one, always the last. Not before the whole process group is gone, or has been told to go by KILL. */
  | {
      readonly kind: 'ended';
      readonly outcome: Outcome;
      /** How long it ran, where another node measured that; absent: as long as it has been since `started`. */
      readonly ranFor?: Duration | undefined;
    };

export interface AttemptHandle {
  /** Asks the process group to end: `killSignal`, then KILL after `killAfter`. Later calls change nothing. */
  stop(reason: StopReason): void;
  /** KILL at once, whether or not `stop` was called. The reason counts only if `stop` gave none. */
  kill(reason: StopReason): void;
}

/** Takes up an attempt that an earlier daemon began. */
export type Follow = (report: (report: AttemptReport) => void) => AttemptHandle;

/** What an executor finds of an attempt that an earlier daemon began, or was about to begin. */
export type Recovery =
  /** It runs. `follow` takes it up: its reports are those of `start`, mostly without `started`. Call it once. */
  | {
      readonly kind: 'running';
      /** Absent where its node has not said it yet, or it has no process. */
      readonly pid?: number | undefined;
      readonly startTime?: number | undefined;
      /** As `started` has it. */
      readonly node?: string | undefined;
      /** How long it has been running, by the clock of the host's boot. */
      readonly ranFor: Duration;
      readonly follow: Follow;
    }
  /** Nobody has begun it, and it goes on waiting for a node: from the same `follow`, `started` is still to come. */
  | { readonly kind: 'queued'; readonly follow: Follow }
  /**
   * It has ended; `at` is when, if that is known, `ranFor` how long it ran, `node` which had it. `lost` where nobody wrote down how.
   */
  | {
      readonly kind: 'ended';
      readonly outcome: Outcome;
      readonly at?: Instant | undefined;
      readonly ranFor?: Duration | undefined;
      readonly node?: string | undefined;
    }
  /** It was never begun, and never will be: what an earlier daemon may still have on its way comes to nothing. */
  | { readonly kind: 'never_begun' };

/** What the store knows of an attempt to be recovered. */
export interface KnownProcess {
  readonly pid?: number | undefined;
  /** As AttemptRecord has it. */
  readonly startTime?: number | undefined;
  /** What it was asked to end for: if it has ended, that is why. */
  readonly asked?: StopReason | undefined;
}

export interface Executor {
  /**
   * Attempts may wait for a node: each begins with its `started`, from which its time-out counts, and not when `start` is called.
   */
  readonly reportsStart?: boolean;
  /**
   * Starts one attempt. Never throws: what cannot be started ends as `not_started`. Reports may come before `start`
   * returns.
   */
  start(spec: AttemptSpec, report: (report: AttemptReport) => void): AttemptHandle;
  /** Finds out what became of an attempt under an earlier daemon. Never rejects. */
  recover(spec: AttemptSpec, known: KnownProcess): Promise<Recovery>;
  /** Lets go of what the executor holds (spawner, spare processes). Attempts still active are left to themselves. */
  close(): Promise<void>;
}

export interface HistoryQuery {
  readonly jobId?: JobId;
  readonly limit?: number;
}

/** One row of the history. */
export type HistoryRow = { readonly run: RunRecord } | { readonly skip: SkipRecord };

/** What a change of the loaded set means for the places of jobs in time. */
export interface Placement {
  /** Jobs that begin a new place, by id. */
  readonly placed: ReadonlyMap<JobId, Place>;
  /** Jobs that have none any more: they left, or rest by `enabled: false`. */
  readonly gone: readonly JobId[];
}

/** What is to be told from now on, and what is known of jobs by that; null: nothing any more. */
export interface Posting {
  readonly messages: readonly Message[];
  readonly told: ReadonlyMap<JobId, Told | null>;
}

/** Where slots are claimed and history is kept. */
export interface Store {
  /** Whether what it holds is there for the next daemon: runs to be adopted, retries that wait. */
  readonly durable: boolean;
  /**
   * Claims the runs' slots and records the skips, all in one transaction. One boolean for each run: false where a run
   * for (jobId, scheduledAt) was claimed before (never for a manual run; for one of a replay, by that replay). Rejects when nothing could be recorded.
   * `undecided`: of jobs among these, the oldest slot that still waits for its turn; their places stay before it.
   */
  claim(
    runs: readonly RunRecord[],
    skips: readonly SkipRecord[],
    undecided?: ReadonlyMap<JobId, Instant>,
  ): Promise<readonly boolean[]>;
  /** Records the newest state of a claimed run. Rejects when it could not be recorded. */
  save(run: RunRecord): Promise<void>;
  /** Every run that is not finished, oldest claim first: what an earlier daemon left. Asked once, at the start. */
  unfinished(): Promise<readonly RunRecord[]>;
  /** Where each job stands. Claims and skips move it on. */
  places(): Promise<ReadonlyMap<JobId, Place>>;
  place(placement: Placement): Promise<void>;
  pauses(): Promise<ReadonlyMap<JobId, Pause>>;
  /** Undefined: the job is resumed. */
  pause(jobId: JobId, pause: Pause | undefined): Promise<void>;
  /** Jobs that were added while the daemon ran. */
  added(): Promise<ReadonlyMap<JobId, AddedJob>>;
  /** Undefined: it is removed again. */
  setAdded(jobId: JobId, job: AddedJob | undefined): Promise<void>;
  /** What was asked for by this key within the last day. */
  request(key: string, now: Instant): KeyedRequest | undefined;
  /** Is known at once, and recorded together with the next claim, or not at all: that of the run it was begun for. */
  keepRequest(request: KeyedRequest): void;
  /** What is known of slots of jobs that follow others. Asked once, at the start. */
  joins(): Promise<readonly Join[]>;
  /** Records together, or not at all, with what was saved and claimed in the same turn of the loop. Those that are over go. */
  join(joins: readonly Join[]): Promise<void>;
  /** Messages that nobody has settled, oldest first. Asked once, at the start. */
  messages(): Promise<readonly Message[]>;
  /** Asked once, at the start. */
  told(): Promise<ReadonlyMap<JobId, Told>>;
  /** Records together, or not at all, with what was saved in the same turn of the loop. Resolves when a message may be delivered. */
  post(posting: Posting): Promise<void>;
  /** Messages that were delivered, or never will be. */
  settle(ids: readonly string[]): Promise<void>;
  /** Resolves when all that was asked of it is recorded, or counts as recorded. Undefined: nothing outlives the process. */
  recorded?(): Promise<void>;
  /** Replays that are under way, and the newest of those that are over. Asked once, at the start. */
  replays(): Promise<readonly ReplayWithSlots[]>;
  /**
   * Records how a replay stands, together, or not at all, with what was claimed and saved in the same turn of the loop. `slots`: only
   * of a new one.
   */
  setReplay(replay: Replay, slots?: readonly Instant[]): Promise<void>;
  /** Newest first: of one job by scheduled time, of all by the moment of decision. */
  history(query: HistoryQuery): Promise<readonly HistoryRow[]>;
  /** Of each of these jobs the newest run that is over; of runs by hand only those that succeeded. */
  latest(jobIds: readonly JobId[]): Promise<readonly RunRecord[]>;
  /** Scheduled time of the job's newest run that succeeded. */
  previousSuccess(jobId: JobId): Instant | undefined;
  /** Resolves when all that was asked for is recorded, or cannot be. */
  close(): Promise<void>;
}

/** The daemon's own bounds, as limits are named; no pool can be called so. */
export const BOUNDS = { runs: '_runs', processes: '_processes', threads: '_threads' } as const;

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
      readonly reason: 'overlap' | 'limit' | 'dependency';
      /** Of `dependency`: the jobs that it needs and waits for. */
      readonly jobs?: readonly JobId[];
      /** Of `limit`: which, a pool or a bound of the daemon. */
      readonly limit?: string;
      /** Jobs whose runs have it now, a few of them. */
      readonly heldBy?: readonly JobId[];
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
  /** An earlier daemon had left it: how it stands now. */
  | {
      readonly kind: 'run_recovered';
      readonly run: RunRecord;
      readonly found: 'running' | 'queued' | 'ended' | 'never_begun' | 'waiting';
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
  | { readonly kind: 'replay_begun'; readonly replay: Replay }
  /** All its slots have become runs that are over, or somebody has cancelled it. */
  | { readonly kind: 'replay_ended'; readonly replay: Replay }
  /** Something became of a part of a run. Of the run as a whole there is `attempt_started`, once, and `run_finished`. */
  | {
      readonly kind: 'shard_changed';
      readonly run: RunRecord;
      readonly shard: ShardRecord;
      readonly change: 'started' | 'attempt_ended' | 'retry_scheduled' | 'finished';
    }
  /** A trigger broke its contract (threw, or answered with an instant not later than asked): that job alone stops. */
  | { readonly kind: 'job_disabled'; readonly jobId: JobId; readonly message: string }
  | { readonly kind: 'job_paused'; readonly jobId: JobId; readonly pause: Pause }
  | { readonly kind: 'job_resumed'; readonly jobId: JobId }
  | { readonly kind: 'store_failed'; readonly message: string }
  /** From now on history waits in memory; said again when the reason is another. */
  | {
      readonly kind: 'store_degraded';
      readonly since: Instant;
      readonly message: string;
      readonly hint?: string;
      /** Nothing is begun meanwhile. */
      readonly blocks?: true;
    }
  | {
      readonly kind: 'message_delivered';
      readonly to: string;
      readonly jobId: JobId;
      readonly notice: Notice | 'test' | 'ping';
      /** From the decision to the receiver's answer. */
      readonly after: Duration;
      /** The receiver took it, but not for all. */
      readonly note?: string;
    }
  /** Told once for each reason until it is over; further tries follow by themselves. */
  | {
      readonly kind: 'delivery_failed';
      readonly to: string;
      readonly message: string;
      readonly again: Duration;
    }
  /** Nobody will hear of it. */
  | {
      readonly kind: 'message_dropped';
      readonly to: string;
      readonly jobId: JobId;
      readonly notice: Notice | 'test' | 'ping';
      readonly message: string;
    }
  /** `caughtUp` rows that had waited are recorded; `dropped` were too many to wait. */
  | { readonly kind: 'store_healed'; readonly caughtUp: number; readonly dropped: number };

export interface Observer {
  /** Must not throw and must not block. */
  observe(event: EngineEvent): void;
}

/** Somebody who wants to know that the loop turns. */
export interface Supervisor {
  /** The loop turns at least this often, though nothing be due. */
  readonly every: Duration;
  /** All that was due is done. Must not throw and must not block. */
  rung(): void;
}

/** What the engine is made of; app.ts supplies the real ones. */
export interface EnginePorts {
  readonly clock: Clock;
  readonly executor: Executor;
  readonly store: Store;
  readonly observer: Observer;
  /** A new UUIDv7 of that moment. */
  readonly newRunId: (at: Instant) => RunId;
  /** Draws from [0, 1). */
  readonly random: () => number;
  readonly supervisor?: Supervisor | undefined;
}
