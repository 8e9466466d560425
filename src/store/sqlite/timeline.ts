/** How runs lie in time, out of the tables. */
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import type { Hours, LanesQuery, Window } from '../../engine/ports-timeline.ts';
import type { Instant, JobId } from '../../model.ts';
import type { PastLane, PastLoad } from '../history.ts';
import { firstIdAt } from '../rows.ts';
import {
  barsOf,
  HourCounts,
  LONG,
  MinuteCounts,
  MOST_BARS,
  MOST_OF_ONE,
  MOST_READ,
  type Placed,
} from '../timeline.ts';
import { prepared } from './statements.ts';

/** Of a run in parts about: its parts begin with it, or wait. */
export const STARTED =
  "coalesce(r.attempts ->> '$[0].startedAt', CASE WHEN r.shards IS NOT NULL THEN r.claimed_at END)";
/** How a run ended; NULL of one that has not. */
export const OUTCOME = "r.outcome ->> 'kind'";
const KIND = `coalesce(${OUTCOME}, 'active')`;

/** How many runs of each hour ended how, and how late they started. */
export function hours(db: DatabaseSync, window: Window): Hours {
  const { since, until } = window;
  const counts = new HourCounts(window);
  // No slot is claimed before its time, and ids begin with the time of the claim.
  const runs = select(
    db,
    `SELECT r.scheduled_at, ${STARTED}, ${KIND}, r.cause = 'schedule', r.claimed_at FROM runs r
     WHERE r.id >= ? AND r.scheduled_at >= ? AND r.scheduled_at < ? ORDER BY r.id DESC LIMIT ?`,
    [firstIdAt(since), since, until, MOST_READ],
  );
  let read = 0;
  let countedFrom: Instant | undefined;
  for (const [scheduledAt, startedAt, kind, onSchedule, claimedAt] of runs) {
    counts.run({
      scheduledAt: scheduledAt as number,
      startedAt: orUndefined(startedAt),
      kind: kind as Placed['kind'],
      onSchedule: onSchedule === 1,
    });
    read += 1;
    if (read === MOST_READ) countedFrom = claimedAt as number;
  }
  const skips = select(
    db,
    'SELECT scheduled_at, count FROM skips WHERE scheduled_at >= ? AND scheduled_at < ? ORDER BY number DESC LIMIT ?',
    [since, until, MOST_READ],
  );
  for (const [at, count] of skips) counts.skip(at as number, orUndefined(count));
  return { hours: counts.hours, countedFrom };
}

/** The bars of some jobs, in the order of the ids. */
export function lanes(db: DatabaseSync, { jobIds, since, until, parts }: LanesQuery): PastLane[] {
  const part = (until - since) / parts;
  let left = MOST_BARS;
  return jobIds.map((jobId) => {
    if (left === 0) return { jobId, bars: [], complete: false };
    const { bars, complete } = barsOf(runsOf(db, jobId, until), { since, part });
    const told = bars.slice(Math.max(bars.length - left, 0));
    left -= told.length;
    return { jobId, bars: told, complete: complete && told.length === bars.length };
  });
}

/** Newest first, those scheduled before a moment. */
function* runsOf(db: DatabaseSync, jobId: JobId, before: Instant): Generator<Placed> {
  const rows = select(
    db,
    `SELECT r.id, r.scheduled_at, r.claimed_at, r.finished_at, ${STARTED}, ${KIND} FROM runs r
     WHERE r.job = (SELECT number FROM jobs WHERE id = ?) AND r.scheduled_at < ? ORDER BY r.scheduled_at DESC LIMIT ?`,
    [jobId, before, MOST_OF_ONE + 1],
  );
  for (const [id, scheduledAt, claimedAt, finishedAt, startedAt, kind] of rows) {
    yield {
      id: id as string,
      scheduledAt: scheduledAt as number,
      claimedAt: claimedAt as number,
      startedAt: orUndefined(startedAt),
      finishedAt: orUndefined(finishedAt),
      kind: kind as Placed['kind'],
      onSchedule: true,
    };
  }
}

/** How many runs were active in each minute. */
export function load(db: DatabaseSync, window: Window): PastLoad {
  const counts = new MinuteCounts(window);
  const first = firstIdAt(window.since - LONG);
  let read = 0;
  const begun = 'SELECT claimed_at, finished_at FROM runs WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?';
  for (const [from, until] of select(db, begun, [first, firstIdAt(window.until), MOST_READ])) {
    counts.run(from as number, orUndefined(until));
    read += 1;
  }
  const older = "SELECT claimed_at FROM runs WHERE state <> 'finished' AND id < ? ORDER BY id";
  for (const [from] of select(db, older, [first])) counts.run(from as number, undefined);
  return { active: counts.active, complete: read < MOST_READ };
}

/** As arrays, which take half the time of objects. */
function select(
  db: DatabaseSync,
  sql: string,
  values: readonly SQLInputValue[],
): Iterable<readonly SQLOutputValue[]> {
  const statement = prepared(db, sql);
  statement.setReturnArrays(true);
  return statement.iterate(...values) as Iterable<unknown> as Iterable<readonly SQLOutputValue[]>;
}

function orUndefined(value: SQLOutputValue | undefined): number | undefined {
  return value === null ? undefined : (value as number);
}
