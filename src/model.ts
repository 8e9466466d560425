/**
 * The words of tsched, as types. Everything else uses exactly these; this file imports only what is data too.
 *
 * job      what the file defines: id, trigger(s), task, policies
 * trigger  the rule that yields slots: cron, every, at, startup (by the clock), after (the end of others' runs)
 * slot     one instant a trigger yields for a job: the pair (job id, scheduled time); the identity of a firing
 * run      one execution for one slot, or for one manual request; a row of the history
 * attempt  one try inside a run
 * outcome  how an attempt or a run ended, one closed union
 * label    what a node of a cluster is good for, by name: a job runs on nodes that have all of its `runs_on`
 * skip     a slot that did not become a run, with its reason
 * task     what a run executes: a shell line, an argv, a module, an HTTP request
 * pool     a named number of slots that runs of several jobs share; a run holds its slots from its claim to its end
 * shard    a part of a run, with attempts of its own; the run ends when all have
 * misfire  a slot whose instant passed by more than a moment before it could be started
 * overlap  a slot that falls due while a run of the same job is active
 */
import type { DayRule } from './calendar.ts';
import type { AfterTrigger, NeedsPolicy } from './chain.ts';
import type { HttpTask } from './http-task.ts';
import type { Telling } from './notice.ts';
import type { Parameters } from './parameter.ts';
import type { PoolUse, Waited } from './pool.ts';
import type { Shard } from './shard.ts';

export type { AddedJob, KeyedRequest } from './kept.ts';
export type { Pools, PoolUse, Waited } from './pool.ts';
export type { Shard } from './shard.ts';

export type {
  Expectation,
  Notice,
  Notifier,
  Notifiers,
  NotifyPolicy,
  PingPolicy,
  Telling,
} from './notice.ts';

/** A point in time: epoch milliseconds. */
export type Instant = number;

/** A length of time: milliseconds. */
export type Duration = number;

/** The key of a job under `jobs:`; see config/ for the characters it may hold. */
export type JobId = string;

/** A UUIDv7. */
export type RunId = string;

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Where a definition stands in the job file; line and column count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
}

/** What a clock change does to a cron job; an absent key means "by the kind of expression" (schedule/cron.ts). */
export interface DstRule {
  readonly gap?: 'run_after' | 'skip';
  readonly overlap?: 'first' | 'both';
}

export type TriggerDefinition =
  | { readonly kind: 'cron'; readonly expressions: readonly string[] }
  /** Elapsed time: slots are `anchor + n * period`. */
  | { readonly kind: 'every'; readonly period: Duration; readonly anchor: Instant }
  | { readonly kind: 'at'; readonly instants: readonly Instant[] }
  /** Once per start of the daemon, or once per boot of the host. */
  | { readonly kind: 'startup'; readonly when: 'daemon' | 'boot' }
  | AfterTrigger;

/** When a job runs. Jobs written alike share one Schedule object. */
export interface Schedule {
  readonly triggers: readonly TriggerDefinition[];
  /** An IANA zone name, already checked. */
  readonly timezone: string;
  readonly dst: DstRule;
  /** Slots before `start` or after `end` do not exist. */
  readonly start?: Instant;
  readonly end?: Instant;
  /** On which days slots may be; absent: on any. `startup` keeps to it too, but never moves. */
  readonly days?: DayRule;
  /** Upper bound of the delay added to each slot's start; the slot keeps its nominal time. */
  readonly jitter: Duration;
}

export type Task =
  /** A shell line: `shell` is the argv it is appended to, e.g. ["/bin/sh", "-c"]. */
  | { readonly kind: 'run'; readonly script: string; readonly shell: readonly string[] }
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | {
      readonly kind: 'module';
      /** Absolute path of the TypeScript or JavaScript file. */
      readonly path: string;
      /** Name of the exported function, "default" unless said otherwise. */
      readonly exportName: string;
      readonly isolation: 'process' | 'thread';
      readonly with: Json;
    }
  | HttpTask;

/** Limits of a task's processes, set by ulimit; absent means inherited. Sizes in bytes, cpu in seconds. */
export interface ResourceLimits {
  readonly cpu?: number;
  readonly memory?: number;
  readonly file_size?: number;
  readonly open_files?: number;
  readonly processes?: number;
  readonly core?: number;
}

/** What a task finds around it. Jobs written alike share one object. */
export interface Surroundings {
  /** Absolute path. */
  readonly cwd: string;
  /** Variables added to the inherited environment: env files first, then `env`, already interpolated. */
  readonly env: Readonly<Record<string, string>>;
  readonly inheritEnv: boolean;
  readonly user?: string;
  readonly group?: string;
  /** e.g. 0o027 */
  readonly umask?: number;
  readonly nice?: number;
  readonly limits: ResourceLimits;
  /** Text given on standard input; /dev/null when absent. */
  readonly stdin?: string;
}

export interface OutputPolicy {
  /** Bytes kept of one attempt's output, head and tail. */
  readonly maxSize: number;
  /** Runs of this job whose output is kept. */
  readonly keep: number;
  /** Whose output is copied to the daemon's log. */
  readonly log: 'none' | 'failures' | 'all';
}

export interface MisfirePolicy {
  readonly run: 'latest' | 'all' | 'none';
  /** Oldest lateness at which a missed slot may still run; absent: any. */
  readonly grace?: Duration;
  /** Most slots caught up at once when `run` is "all". */
  readonly max: number;
}

/** What may be retried: an exit code or the status of an answer, a signal name, or a kind of outcome. */
export type RetryCondition = number | string;

export interface RetryPolicy {
  /** Retries after the first attempt; 0 = none. */
  readonly limit: number;
  readonly delay: Duration;
  readonly backoff: 'constant' | 'linear' | 'exponential';
  readonly maxDelay: Duration;
  /** Full jitter: the delay is drawn evenly from 0 to its computed value. */
  readonly jitter: boolean;
  /** Absent: every outcome but `succeeded` and `cancelled`. */
  readonly on?: readonly RetryCondition[];
}

export type OverlapPolicy = 'skip' | 'queue' | 'replace' | 'allow';

/** How a job's slots become runs. Jobs written alike share one object. */
export interface Policy {
  readonly misfire: MisfirePolicy;
  readonly overlap: OverlapPolicy;
  readonly maxInstances: number;
  readonly retry: RetryPolicy;
  /** Per attempt, counted in real (monotonic) time; absent: none. */
  readonly timeout?: Duration;
  /** From the first signal to KILL. */
  readonly killAfter: Duration;
  readonly killSignal: string;
  readonly onShutdown: 'wait' | 'terminate' | 'leave';
  readonly successExitCodes: readonly number[];
  /** Higher starts first when slots fall due together or wait for a limit. */
  readonly priority: number;
  readonly pool?: PoolUse;
}

/** One job of the file: plain data, safe to send between processes. */
export interface JobDefinition {
  readonly id: JobId;
  readonly source: SourceLocation;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly enabled: boolean;
  readonly schedule: Schedule;
  readonly task: Task;
  /** What it declares to take; absent: whatever it is given. */
  readonly params?: Parameters;
  readonly surroundings: Surroundings;
  readonly policy: Policy;
  readonly output: OutputPolicy;
  /** Absent: nobody hears of it. */
  readonly telling?: Telling;
  readonly needs?: NeedsPolicy;
  /** The parts of each run; absent: it is one. */
  readonly shards?: readonly Shard[];
  /** Labels that a node must have to run it, sorted and each once, never empty; absent: any node may. */
  readonly runsOn?: readonly string[];
}

export type Cause = 'schedule' | 'catch_up' | 'manual' | 'retry' | 'dependency' | 'replay';

export type CancelledBy = 'operator' | 'shutdown' | 'replaced';

/** How an attempt or a run ended. Text is for people; `kind` and the codes are for programs. */
export type Outcome =
  | {
      readonly kind: 'succeeded';
      readonly exitCode?: number;
      readonly status?: number;
      readonly result?: Json;
      readonly hint?: string;
    }
  /** A process has an exit code, an HTTP request the status of its answer; without one there was no answer, or not a whole one. */
  | { readonly kind: 'failed'; readonly exitCode?: number; readonly status?: number; readonly hint?: string }
  | { readonly kind: 'killed'; readonly signal: string; readonly hint?: string }
  | { readonly kind: 'timed_out'; readonly after: Duration }
  /** A module threw, rejected, called process.exit or never settled. */
  | { readonly kind: 'threw'; readonly message: string; readonly stack?: string }
  /** Nothing came to be, e.g. no such file, no such user, too many processes; nobody to take the request. */
  | { readonly kind: 'not_started'; readonly message: string }
  | { readonly kind: 'cancelled'; readonly by: CancelledBy }
  /** The host, the store or the spawner died under it. */
  | { readonly kind: 'lost'; readonly message: string };

export interface AttemptRecord {
  /** From 1. */
  readonly number: number;
  readonly startedAt: Instant;
  readonly finishedAt?: Instant;
  /** Monotonic length; never negative, unmoved by clock changes. With an outcome but without this, it never began. */
  readonly duration?: Duration;
  readonly pid?: number;
  /** Of process `pid`, in clock ticks since the host's boot: tells it from a later one of the same number. */
  readonly startTime?: number;
  /** Name of the node of a cluster that had it: `pid` is one of its host. Absent: this daemon's, or no node has begun it yet. */
  readonly node?: string;
  /** It was handed to the nodes of a cluster, and none has begun it: the labels that it needs of one. `startedAt`: since then. */
  readonly awaits?: readonly string[];
  /** The time-out it began with, so that it holds whatever becomes of the job file and the daemon. */
  readonly timeout?: Duration;
  /** It was asked to end; its run ends with it, whoever is there to see that. */
  readonly cancelledBy?: CancelledBy;
  /** It was asked to end since its time-out was over, and for nothing else before. */
  readonly timedOut?: true;
  readonly outcome?: Outcome;
}

/**
 *  claimed ──▶ running ──▶ finished
 *     │        ▲ │  ▲
 *     │        │ ▼  │
 *     │        │ retrying ──▶ finished (cancelled)
 *  waiting ────┘    (claimed, and in line for its pool: by hand)
 *     └──▶ finished (cancelled before its start)
 */
export type RunState = 'claimed' | 'waiting' | 'running' | 'retrying' | 'finished';

/** What somebody who asks for a run gives it along, by name. */
export type Arguments = { readonly [name: string]: Json };

/** What became of a job that another one follows or needs, with what its run handed over; without `runId` there was no run. */
export interface Upstream {
  readonly jobId: JobId;
  readonly runId?: RunId;
  readonly outcome: Outcome['kind'] | 'skipped';
  readonly result?: Json;
}

export interface RunRecord {
  readonly id: RunId;
  readonly jobId: JobId;
  /** The slot's nominal time; for a run by hand, when it was asked for, or the time of the run that it repeats. */
  readonly scheduledAt: Instant;
  readonly cause: Cause;
  /** Of a run by hand: what it was given along. */
  readonly with?: Arguments;
  /** Of a run that follows or needs others: how they ended. */
  readonly upstream?: readonly Upstream[];
  /** What it takes of a pool, so that it counts whatever becomes of the job file. */
  readonly pool?: Pick<PoolUse, 'name' | 'slots'>;
  readonly waited?: Waited;
  /** The id of the replay it belongs to. */
  readonly replay?: string;
  /** Of a run in parts, which has no attempts of its own: how each stands. */
  readonly shards?: readonly ShardRecord[];
  /** Of a part, where it is looked at as a run. */
  readonly shard?: Shard;
  readonly claimedAt: Instant;
  readonly state: RunState;
  readonly attempts: readonly AttemptRecord[];
  /** While `retrying`: when the next attempt starts. */
  readonly retryAt?: Instant;
  readonly finishedAt?: Instant;
  readonly outcome?: Outcome;
}

/** A part of a run, as it stands. */
export interface ShardRecord
  extends Shard, Pick<RunRecord, 'state' | 'attempts' | 'retryAt' | 'finishedAt' | 'outcome'> {}

/**
 * Why a slot did not become a run.
 * misfire            missed by more than its policy forgives (downtime, suspend, clock step, overload)
 * overlap            a run of the job was active
 * limit              `max_instances` of the job were active, or it waited for a pool as long as `max_wait` allows
 * paused             an operator paused the job
 * shutdown           the daemon was stopping while the slot waited for its turn
 * excluded           calendars exclude its day
 * removed            the job left the file, or changed, while the slot waited for its turn
 * claimed_elsewhere  the slot had been claimed before
 * dependency         the jobs it follows or needs did not end as it wants
 */
export type SkipReason =
  | 'misfire'
  | 'overlap'
  | 'limit'
  | 'paused'
  | 'shutdown'
  | 'excluded'
  | 'removed'
  | 'claimed_elsewhere'
  | 'dependency';

/** One skipped slot, or a stretch of consecutive ones that share a reason. */
export interface SkipRecord {
  readonly jobId: JobId;
  readonly scheduledAt: Instant;
  /** The last slot of the stretch; equal to `scheduledAt` for a single slot. */
  readonly through: Instant;
  /** Slots in the stretch; absent when there were too many to count within a tick. */
  readonly count?: number;
  readonly reason: SkipReason;
  /** What stood in the way, by name: the limit that it waited for. */
  readonly detail?: string;
  /** The moment of the decision. */
  readonly at: Instant;
}

/** Where a job stands in time. A job without one starts at now. */
export interface Place {
  /** What its schedule was, as `fingerprint` of schedule/ writes it: a slot of another schedule was never missed. */
  readonly schedule: string;
  /** Every slot up to here is decided. */
  readonly from: Instant;
  /** Stretches of slots after `from` that are decided too, in no order: an older one was still waiting for its turn. */
  readonly decided?: readonly (readonly [Instant, Instant])[];
  /** Of a new place: slots not after `from` that are to be claimed all the same, those of a start. No table keeps them. */
  readonly undecided?: readonly Instant[];
}

/** How much history is kept. Runs that are not finished stay whatever it says. */
export interface Retention {
  /** Runs, and stretches of skipped slots, of each job. */
  readonly keep: number;
  /** Absent: any. */
  readonly maxAge?: Duration;
}

/** An operator's word that a job is to rest. */
export interface Pause {
  readonly since: Instant;
  /** When it ends by itself; absent: never. */
  readonly until?: Instant;
  readonly reason?: string;
}
