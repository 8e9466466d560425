/** Rows of the tables, of whichever driver, to the records of model.ts. Documents come as JSON text. */
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

export type Row = Readonly<Record<string, unknown>>;

export function runOf(row: Row): RunRecord {
  const { arguments: given, upstream, replay, pool, waited, retry_at, finished_at, outcome, shards } = row;
  return {
    id: row['id'] as string,
    jobId: row['job_id'] as string,
    scheduledAt: row['scheduled_at'] as number,
    cause: row['cause'] as Cause,
    ...(given === null ? {} : { with: JSON.parse(given as string) as Arguments }),
    ...(upstream === null ? {} : { upstream: JSON.parse(upstream as string) as readonly Upstream[] }),
    ...(pool === null ? {} : { pool: JSON.parse(pool as string) as NonNullable<RunRecord['pool']> }),
    ...(waited === null ? {} : { waited: JSON.parse(waited as string) as Waited }),
    ...(replay === null ? {} : { replay: replay as string }),
    claimedAt: row['claimed_at'] as number,
    state: row['state'] as RunState,
    attempts: JSON.parse(row['attempts'] as string) as readonly AttemptRecord[],
    ...(retry_at === null ? {} : { retryAt: retry_at as number }),
    ...(finished_at === null ? {} : { finishedAt: finished_at as number }),
    ...(outcome === null ? {} : { outcome: JSON.parse(outcome as string) as Outcome }),
    ...(shards === null ? {} : { shards: JSON.parse(shards as string) as readonly ShardRecord[] }),
  };
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
