/** Rows of the tables, of whichever driver, to the records of model.ts. */
import type {
  Arguments,
  AttemptRecord,
  Cause,
  Instant,
  Outcome,
  Pause,
  RunRecord,
  RunState,
  ShardRecord,
  SkipReason,
  SkipRecord,
  Upstream,
  Waited,
} from '../model.ts';

/** Documents in it are JSON text, or what that holds. */
export type Row = Readonly<Record<string, unknown>>;

/** What `runOf` needs of a run, where `j` is its job. */
export const RUN_COLUMNS =
  'r.id, j.id AS job_id, r.scheduled_at, r.cause, r.arguments, r.upstream, r.replay, r.pool, r.waited, r.claimed_at, r.state, r.attempts, r.retry_at, r.finished_at, r.outcome, r.shards';

export const SKIP_COLUMNS = 'j.id AS job_id, s.scheduled_at, s.through, s.count, s.reason, s.detail, s.at';

export function runOf(row: Row): RunRecord {
  const { arguments: given, upstream, replay, pool, waited, retry_at, finished_at, outcome, shards } = row;
  return {
    id: row['id'] as string,
    jobId: row['job_id'] as string,
    scheduledAt: row['scheduled_at'] as number,
    cause: row['cause'] as Cause,
    ...(given === null ? {} : { with: document(given) as Arguments }),
    ...(upstream === null ? {} : { upstream: document(upstream) as readonly Upstream[] }),
    ...(pool === null ? {} : { pool: document(pool) as NonNullable<RunRecord['pool']> }),
    ...(waited === null ? {} : { waited: document(waited) as Waited }),
    ...(replay === null ? {} : { replay: replay as string }),
    claimedAt: row['claimed_at'] as number,
    state: row['state'] as RunState,
    attempts: document(row['attempts']) as readonly AttemptRecord[],
    ...(retry_at === null ? {} : { retryAt: retry_at as number }),
    ...(finished_at === null ? {} : { finishedAt: finished_at as number }),
    ...(outcome === null ? {} : { outcome: document(outcome) as Outcome }),
    ...(shards === null ? {} : { shards: document(shards) as readonly ShardRecord[] }),
  };
}

/** None of ours is a string. */
function document(value: unknown): unknown {
  return typeof value === 'string' ? JSON.parse(value) : value;
}

export function skipOf(row: Row): SkipRecord {
  const { count, detail } = row;
  return {
    jobId: row['job_id'] as string,
    scheduledAt: row['scheduled_at'] as number,
    through: row['through'] as number,
    ...(count === null ? {} : { count: count as number }),
    reason: row['reason'] as SkipReason,
    ...(detail === null ? {} : { detail: detail as string }),
    at: row['at'] as number,
  };
}

export function pauseOf({ since, until, reason }: Row): Pause {
  return {
    since: since as number,
    ...(until === null ? {} : { until: until as number }),
    ...(reason === null ? {} : { reason: reason as string }),
  };
}

/** Before the id of every run that is claimed from that moment on: UUIDv7s begin with their time. */
export function firstIdAt(at: Instant): string {
  const time = Math.max(0, Math.floor(at)).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8, 12)}`;
}
