/** How runs lie in time, out of the tables. */
import type { DatabaseSync } from 'node:sqlite';
import type { Hours, LanesQuery, Window } from '../../engine/ports-timeline.ts';
import type { Instant } from '../../model.ts';
import type { PastLane, PastLoad } from '../history.ts';
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
import { firstIdAt, type Row } from './rows.ts';
import { prepared } from './statements.ts';

const STARTED = "r.attempts ->> '$[0].startedAt' AS started_at";
const KIND = "coalesce(r.outcome ->> 'kind', 'active') AS kind";

export function hours(db: DatabaseSync, window: Window): Hours {
  const { since, until } = window;
  const counts = new HourCounts(window);
  // No slot is claimed before its time, and ids begin with the time of the claim.
  const rows = prepared(
    db,
    `SELECT r.scheduled_at, r.claimed_at, r.cause = 'schedule' AS on_schedule, ${STARTED}, ${KIND} FROM runs r
     WHERE r.id >= ? AND r.scheduled_at >= ? AND r.scheduled_at < ? ORDER BY r.id DESC LIMIT ?`,
  ).iterate(firstIdAt(since), since, until, MOST_READ);
  let read = 0;
  let oldest: Instant | undefined;
  for (const row of rows) {
    counts.run({
      scheduledAt: row['scheduled_at'] as number,
      startedAt: (row['started_at'] ?? undefined) as number | undefined,
      kind: row['kind'] as Placed['kind'],
      onSchedule: row['on_schedule'] === 1,
    });
    read += 1;
    if (read === MOST_READ) oldest = row['claimed_at'] as number;
  }
  const skips = prepared(
    db,
    'SELECT scheduled_at, count FROM skips WHERE scheduled_at >= ? AND scheduled_at < ? ORDER BY number DESC LIMIT ?',
  ).iterate(since, until, MOST_READ);
  for (const { scheduled_at, count } of skips)
    counts.skip({
      scheduledAt: scheduled_at as number,
      ...(count === null ? {} : { count: count as number }),
    });
  return { hours: counts.hours, countedFrom: oldest };
}

export function lanes(db: DatabaseSync, { jobIds, since, until, parts }: LanesQuery): PastLane[] {
  const part = (until - since) / parts;
  const runs = prepared(
    db,
    `SELECT r.id, r.scheduled_at, r.claimed_at, r.finished_at, ${STARTED}, ${KIND} FROM runs r
     WHERE r.job = (SELECT number FROM jobs WHERE id = ?) AND r.scheduled_at < ? ORDER BY r.scheduled_at DESC LIMIT ?`,
  );
  let left = MOST_BARS;
  return jobIds.map((jobId) => {
    if (left === 0) return { jobId, bars: [], complete: false };
    const { bars, complete } = barsOf(placed(runs.iterate(jobId, until, MOST_OF_ONE + 1)), { since, part });
    const told = bars.slice(Math.max(bars.length - left, 0));
    left -= told.length;
    return { jobId, bars: told, complete: complete && told.length === bars.length };
  });
}

function* placed(rows: Iterable<Row>): Generator<Placed> {
  for (const row of rows) {
    yield {
      id: row['id'] as string,
      scheduledAt: row['scheduled_at'] as number,
      claimedAt: row['claimed_at'] as number,
      startedAt: (row['started_at'] ?? undefined) as number | undefined,
      finishedAt: (row['finished_at'] ?? undefined) as number | undefined,
      kind: row['kind'] as Placed['kind'],
      onSchedule: true,
    };
  }
}

export function load(db: DatabaseSync, window: Window): PastLoad {
  const { since, until } = window;
  const counts = new MinuteCounts(window);
  const begun = prepared(
    db,
    'SELECT claimed_at, finished_at FROM runs WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?',
  ).iterate(firstIdAt(since - LONG), firstIdAt(until), MOST_READ);
  let read = 0;
  for (const { claimed_at, finished_at } of begun) {
    counts.run(claimed_at as number, (finished_at ?? undefined) as number | undefined);
    read += 1;
  }
  const older = prepared(
    db,
    "SELECT claimed_at FROM runs WHERE state <> 'finished' AND id < ? ORDER BY id",
  ).iterate(firstIdAt(since - LONG));
  for (const { claimed_at } of older) counts.run(claimed_at as number, undefined);
  return { active: counts.active, complete: read < MOST_READ };
}
