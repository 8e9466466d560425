/** The columns that records are made of (../rows.ts), and back. */
import type { SQLInputValue } from 'node:sqlite';
import type { RunRecord } from '../../model.ts';

/** What `runOf` needs of a run, where `j` is its job. */
export const RUN_COLUMNS =
  'r.id, j.id AS job_id, r.scheduled_at, r.cause, r.arguments, r.upstream, r.replay, r.pool, r.waited, r.claimed_at, r.state, r.attempts, r.retry_at, r.finished_at, r.outcome, r.shards';

export const SKIP_COLUMNS = 'j.id AS job_id, s.scheduled_at, s.through, s.count, s.reason, s.detail, s.at';

/** The columns that change in a run's life, in the order of `state, attempts, retry_at, finished_at, outcome, shards`. */
export function changing({
  state,
  attempts,
  retryAt,
  finishedAt,
  outcome,
  shards,
}: RunRecord): SQLInputValue[] {
  return [
    state,
    JSON.stringify(attempts),
    retryAt ?? null,
    finishedAt ?? null,
    outcome === undefined ? null : JSON.stringify(outcome),
    shards === undefined ? null : JSON.stringify(shards),
  ];
}
