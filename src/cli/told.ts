/** What the daemon tells over its API, and how it comes back to what it is made of. The shapes are those of src/http/shapes.ts. */
import type { Diagnostic } from '../config/diagnostic.ts';
import type { JobState } from '../engine/ports-operator.ts';
import type { DaemonInfo } from '../store/daemon-file.ts';
import type {
  AttemptRecord,
  CancelledBy,
  Cause,
  Instant,
  Outcome,
  RunRecord,
  RunState,
  ShardRecord,
  SkipRecord,
  Waited,
} from '../model.ts';

interface ToldAttempt {
  readonly number: number;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly durationMs: number | null;
  readonly node: string | null;
  /** Not told by a daemon that is older. */
  readonly awaits?: readonly string[] | null;
  /** Nor this. */
  readonly cancelledBy?: CancelledBy | null;
  readonly pid: number | null;
  readonly outcome: ToldOutcome | null;
}

type ToldOutcome = Outcome & { readonly afterMs?: number };

export interface ToldRun {
  readonly id: string;
  readonly jobId: string;
  readonly scheduledAt: string;
  readonly claimedAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly cause: Cause;
  readonly state: RunState;
  readonly retryAt: string | null;
  readonly pool: NonNullable<RunRecord['pool']> | null;
  readonly waited: ToldWait | null;
  readonly outcome: ToldOutcome | null;
  readonly attempts: readonly ToldAttempt[];
  readonly shards: readonly ToldShard[] | null;
}

/** Slots that did not become runs, in a list of these. */
export interface ToldSkip {
  readonly state: 'skipped';
  readonly jobId: string;
  readonly scheduledAt: string;
  readonly through: string;
  readonly count: number | null;
  readonly reason: SkipRecord['reason'];
  readonly detail: string | null;
  readonly at: string;
}

export interface ToldShard extends Pick<
  ToldRun,
  'id' | 'state' | 'retryAt' | 'finishedAt' | 'outcome' | 'attempts'
> {
  readonly index: number;
  readonly total: number;
  readonly matrix: Readonly<Record<string, string>> | null;
}

export interface ToldWait {
  readonly limit: string;
  readonly since: string;
  readonly heldBy: readonly string[];
}

export interface ToldPool {
  readonly name: string;
  readonly slots: number;
  readonly used: number;
  readonly waiting: number;
  readonly holders: readonly {
    readonly run: string;
    readonly jobId: string;
    readonly since: string;
    readonly slots: number;
  }[];
}

export interface ToldPause {
  readonly since: string;
  readonly until: string | null;
  readonly reason: string | null;
}

export interface ParamsSchema {
  readonly properties?: Readonly<Record<string, { readonly type?: string }>>;
}

export interface ToldJob {
  readonly id: string;
  readonly description: string | null;
  readonly schedule: string;
  readonly scheduleInWords: string;
  readonly timezone: string;
  readonly nextAt: string | null;
  readonly state: JobState;
  readonly enabled: boolean;
  readonly pause: ToldPause | null;
  readonly fault: string | null;
  readonly task: string;
  readonly tags: readonly string[];
  /** JSON Schema of what its runs can be given. */
  readonly params: ParamsSchema | null;
  readonly origin: 'file' | 'added';
  readonly source: { readonly file: string; readonly line: number } | null;
  readonly active: readonly ToldRun[];
  readonly waiting: number;
  readonly waitsFor: ToldWait | null;
  readonly pool: string | null;
  readonly runsOn: readonly string[];
  readonly lastRun: ToldRun | null;
  readonly recent: readonly (Outcome['kind'] | 'active')[];
}

export interface ToldStatus {
  /** Of a cluster: the node that conducts, and the one that was asked if that is another. */
  readonly node: string | null;
  readonly via: string | null;
  readonly version: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly stopping: boolean;
  readonly file: string;
  readonly loadedAt: string;
  readonly fileProblem: { readonly since: string; readonly message: string } | null;
  readonly store: {
    readonly kind: 'well' | 'memory' | 'degraded';
    readonly since?: string;
    readonly message?: string;
    readonly hint?: string;
  };
  readonly jobs: Readonly<Record<JobState, number>>;
  readonly failing: readonly string[] | null;
  readonly active: number;
  readonly waiting: number;
  readonly next: { readonly jobId: string; readonly at: string } | null;
}

/** A daemon that was asked to stop. */
export interface ToldStop {
  readonly pid: number;
  /** It is a node, and the cluster goes on without it. */
  readonly cluster: boolean;
}

export interface ToldPlan {
  readonly kind: 'unchanged' | 'applied' | 'planned';
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly rescheduled: readonly string[];
  readonly removed: readonly string[];
  readonly unchanged: number;
  readonly changedKeys: Readonly<Record<string, readonly string[]>>;
  readonly activeRuns: readonly ToldRun[];
  readonly warnings: readonly Diagnostic[];
}

export function runOf(told: ToldRun): RunRecord {
  const { id, jobId, scheduledAt, claimedAt, cause, state, retryAt, finishedAt, outcome, attempts } = told;
  const { pool, waited, shards } = told;
  return {
    id,
    jobId,
    scheduledAt: Date.parse(scheduledAt),
    claimedAt: Date.parse(claimedAt),
    cause,
    ...(pool === null ? {} : { pool }),
    ...(waited === null ? {} : { waited: waitOf(waited) }),
    state,
    attempts: attempts.map(attemptOf),
    ...(shards === null ? {} : { shards: shards.map(shardOf) }),
    ...(retryAt === null ? {} : { retryAt: Date.parse(retryAt) }),
    ...(finishedAt === null ? {} : { finishedAt: Date.parse(finishedAt) }),
    ...(outcome === null ? {} : { outcome: outcomeOf(outcome) }),
  };
}

function shardOf({
  index,
  total,
  matrix,
  state,
  attempts,
  retryAt,
  finishedAt,
  outcome,
}: ToldShard): ShardRecord {
  return {
    index,
    total,
    ...(matrix === null ? {} : { values: matrix }),
    state,
    attempts: attempts.map(attemptOf),
    ...(retryAt === null ? {} : { retryAt: Date.parse(retryAt) }),
    ...(finishedAt === null ? {} : { finishedAt: Date.parse(finishedAt) }),
    ...(outcome === null ? {} : { outcome: outcomeOf(outcome) }),
  };
}

export function skipOf({ jobId, scheduledAt, through, count, reason, detail, at }: ToldSkip): SkipRecord {
  return {
    jobId,
    scheduledAt: Date.parse(scheduledAt),
    through: Date.parse(through),
    ...(count === null ? {} : { count }),
    reason,
    ...(detail === null ? {} : { detail }),
    at: Date.parse(at),
  };
}

export function waitOf(told: ToldWait): Waited {
  return { ...told, since: Date.parse(told.since) };
}

function attemptOf(told: ToldAttempt): AttemptRecord {
  const { number, startedAt, finishedAt, durationMs, node, pid, outcome } = told;
  const { awaits = null, cancelledBy = null } = told;
  return {
    number,
    startedAt: Date.parse(startedAt),
    ...(finishedAt === null ? {} : { finishedAt: Date.parse(finishedAt) }),
    ...(durationMs === null ? {} : { duration: durationMs }),
    ...(node === null ? {} : { node }),
    ...(awaits === null ? {} : { awaits }),
    ...(pid === null ? {} : { pid }),
    ...(cancelledBy === null ? {} : { cancelledBy }),
    ...(outcome === null ? {} : { outcome: outcomeOf(outcome) }),
  };
}

function outcomeOf(told: ToldOutcome): Outcome {
  return told.kind === 'timed_out' ? { kind: told.kind, after: told.afterMs ?? 0 } : told;
}

export function instantOf(text: string | null): Instant | undefined {
  return text === null ? undefined : Date.parse(text);
}

/** What the daemon says of itself, as its file in the state directory has it. */
export function daemonOf(status: ToldStatus): DaemonInfo {
  const { pid, startedAt, version, file, jobs, loadedAt, fileProblem, store } = status;
  const { kind, since = startedAt, message = '', hint } = store;
  const degraded = { since: Date.parse(since), message, ...(hint === undefined ? {} : { hint }) };
  return {
    pid,
    startedAt: Date.parse(startedAt),
    version,
    file,
    jobs: Object.values(jobs).reduce((sum, count) => sum + count, 0),
    loadedAt: Date.parse(loadedAt),
    ...(fileProblem === null
      ? {}
      : { fileProblem: { ...fileProblem, since: Date.parse(fileProblem.since) } }),
    store: kind === 'degraded' ? { kind, ...degraded } : { kind },
  };
}
