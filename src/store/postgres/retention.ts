/** Removes history beyond what is to be kept, a slice at a time, for many jobs with one statement. */
import type { RunId } from '../../model.ts';
import type { Queryable } from '../../postgres/database.ts';
import type { Pruned, PruneRequest } from '../pruner.ts';
import { firstIdAt } from '../rows.ts';

/** Rows of a kind in one transaction, at most. */
const SLICE = 500;
/** Jobs looked at in one transaction. */
const JOBS = 100;

/** Prunes one slice: so many rows at most. */
export async function prune(tx: Queryable, request: PruneRequest): Promise<Pruned> {
  const { now, keep, maxAge, from = 0 } = request;
  const runs: RunId[] = [];
  let isFull = false;
  const remove = async (sql: string, values: readonly unknown[]): Promise<void> => {
    const gone = await tx.query<{ gone: RunId | number }>(sql, values);
    for (const { gone: id } of gone) if (typeof id === 'string') runs.push(id);
    if (gone.length === SLICE) isFull = true;
  };
  if (maxAge !== undefined) {
    await remove(OLD_RUNS, [firstIdAt(now - maxAge)]);
    await remove(OLD_SKIPS, [now - maxAge]);
  }
  const { numbers, next } = await jobsFrom(tx, request);
  for (const sql of numbers.length === 0 ? [] : [RUNS, REPLAYED, SKIPS]) await remove(sql, [numbers, keep]);
  return isFull ? { runs, more: true, next: from } : { runs, more: next !== undefined, next: next ?? 0 };
}

/** The jobs of a slice, by number, and where the next one begins: a number, or a place among those that are named. */
async function jobsFrom(
  tx: Queryable,
  { jobs, from = 0 }: PruneRequest,
): Promise<{ readonly numbers: readonly number[]; readonly next: number | undefined }> {
  const found =
    jobs === undefined
      ? await tx.query<{ number: number }>(
          `SELECT number FROM jobs WHERE number >= $1 ORDER BY number LIMIT ${JOBS}`,
          [from],
        )
      : await tx.query<{ number: number }>('SELECT number FROM jobs WHERE id = ANY ($1)', [
          jobs.slice(from, from + JOBS),
        ]);
  const numbers = found.map(({ number }) => number);
  const last = numbers.at(-1);
  if (jobs !== undefined) return { numbers, next: from + JOBS < jobs.length ? from + JOBS : undefined };
  return { numbers, next: numbers.length < JOBS || last === undefined ? undefined : last + 1 };
}

/** What was decided before a moment: ids begin with the time, and skips are numbered in its order. */
const OLD_RUNS = `DELETE FROM runs WHERE id IN (
  SELECT id FROM runs WHERE id < $1 AND state = 'finished' LIMIT ${SLICE}) RETURNING id AS gone`;
const OLD_SKIPS = `DELETE FROM skips WHERE number IN (
  SELECT number FROM skips WHERE at < $1 AND number < (SELECT min(number) FROM skips) + 10000 LIMIT ${SLICE}) RETURNING number AS gone`;

/** Beyond so many of a job. */
const RUNS = `DELETE FROM runs WHERE id IN (
  SELECT r.id FROM unnest($1::bigint[]) AS job
  CROSS JOIN LATERAL (SELECT scheduled_at FROM runs WHERE runs.job = job.job AND manual >= 0 ORDER BY scheduled_at DESC LIMIT 1 OFFSET $2) AS last
  JOIN runs r ON r.job = job.job AND r.scheduled_at <= last.scheduled_at AND r.manual >= 0 AND r.state = 'finished'
  LIMIT ${SLICE}) RETURNING id AS gone`;

/** Slots of replays are old from the beginning: of them the newest replays stay. */
const REPLAYED = `DELETE FROM runs WHERE id IN (
  SELECT r.id FROM unnest($1::bigint[]) AS job
  CROSS JOIN LATERAL (SELECT replay, scheduled_at FROM runs WHERE runs.job = job.job AND replay IS NOT NULL
    ORDER BY replay DESC, scheduled_at DESC LIMIT 1 OFFSET $2) AS last
  JOIN runs r ON r.job = job.job AND r.replay IS NOT NULL AND (r.replay, r.scheduled_at) <= (last.replay, last.scheduled_at) AND r.state = 'finished'
  LIMIT ${SLICE}) RETURNING id AS gone`;

const SKIPS = `DELETE FROM skips WHERE number IN (
  SELECT s.number FROM unnest($1::bigint[]) AS job
  CROSS JOIN LATERAL (SELECT scheduled_at FROM skips WHERE skips.job = job.job ORDER BY scheduled_at DESC LIMIT 1 OFFSET $2) AS last
  JOIN skips s ON s.job = job.job AND s.scheduled_at <= last.scheduled_at
  LIMIT ${SLICE}) RETURNING number AS gone`;
