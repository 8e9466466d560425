/** How runs lie in time, out of the tables. Counted by the database: what comes back is as long as the window, not as the history. */
import type { Hours, LanesQuery, Window } from '../../engine/ports-timeline.ts';
import type { Instant, JobId } from '../../model.ts';
import type { PastLane, PastLoad } from '../history.ts';
import { firstIdAt } from '../rows.ts';
import {
  barsOf,
  DELAYS,
  HOUR,
  HourCounts,
  LONG,
  LOOKED_BACK,
  MINUTE,
  MinuteCounts,
  MOST_BARS,
  MOST_OF_ONE,
  MOST_READ,
  type Placed,
} from '../timeline.ts';
import type { Asking } from './asking.ts';
import { OUTCOME, STARTED } from './columns.ts';

interface Figure {
  readonly hour: number;
  /** A kind of outcome, `p50`, `p99`, or `from`: when the oldest run that was counted was claimed, where not all were. */
  readonly name: string;
  readonly value: number;
}

// No slot is claimed before its time, and ids begin with the time of the claim.
const FIGURES = `
  WITH given AS (SELECT ?::bigint AS first),
  read AS MATERIALIZED (
    SELECT (r.scheduled_at - first) / ${HOUR} AS hour, coalesce(${OUTCOME}, 'active') AS kind, r.claimed_at, r.id,
           CASE WHEN r.cause = 'schedule' THEN ${STARTED} - r.scheduled_at END AS delay
    FROM runs r, given
    WHERE r.id >= ? AND r.scheduled_at >= ? AND r.scheduled_at < ? ORDER BY r.id DESC LIMIT ${MOST_READ}
  ),
  ranked AS (
    SELECT hour, greatest(delay, 0) AS delay, row_number() OVER (PARTITION BY hour ORDER BY delay) - 1 AS rank, count(*) OVER (PARTITION BY hour) AS of
    FROM read WHERE delay IS NOT NULL
  )
  SELECT hour, kind AS name, count(*) AS value FROM read GROUP BY 1, 2
  UNION ALL SELECT hour, 'p50', delay FROM ranked WHERE rank = floor(of * ${DELAYS.p50}::float8)
  UNION ALL SELECT hour, 'p99', delay FROM ranked WHERE rank = floor(of * ${DELAYS.p99}::float8)
  UNION ALL (
    SELECT hour, 'from', claimed_at FROM read WHERE (SELECT count(*) FROM read) = ${MOST_READ} ORDER BY id LIMIT 1
  )`;

const SKIPPED = `
  SELECT (scheduled_at - ?::bigint) / ${HOUR} AS hour, sum(coalesce(count, 1))::bigint AS skipped
  FROM (
    SELECT scheduled_at, count FROM skips WHERE scheduled_at >= ? AND scheduled_at < ? ORDER BY number DESC LIMIT ${MOST_READ}
  ) s GROUP BY 1`;

/** How many runs of each hour ended how, and how late they started. */
export async function hours(asking: Asking, window: Window): Promise<Hours> {
  const { since, until } = window;
  const counts = new HourCounts(window);
  let countedFrom: Instant | undefined;
  const [figures, skipped] = await Promise.all([
    asking.all<Figure>(FIGURES, counts.first, firstIdAt(since), since, until),
    asking.all<{ hour: number; skipped: number }>(SKIPPED, counts.first, since, until),
  ]);
  for (const { hour, name, value } of figures) {
    if (name === 'from') countedFrom = value;
    else if (name === 'p50' || name === 'p99') counts.late(hour, { [name]: value });
    else counts.add(hour, name as Placed['kind'], value);
  }
  for (const each of skipped) counts.add(each.hour, 'skipped', each.skipped);
  return { hours: counts.hours, countedFrom };
}

/** Jobs whose runs are asked for at once. */
const JOBS_AT_ONCE = 10;

/** The bars of some jobs, in the order of the ids. */
export async function lanes(
  asking: Asking,
  { jobIds, since, until, parts }: LanesQuery,
): Promise<readonly PastLane[]> {
  const part = (until - since) / parts;
  const lanes: PastLane[] = [];
  let left = MOST_BARS;
  for (let begin = 0; begin < jobIds.length; begin += JOBS_AT_ONCE) {
    const ids = jobIds.slice(begin, begin + JOBS_AT_ONCE);
    const placed = left === 0 ? [] : await runsOf(asking, ids, { since, until });
    for (const [index, jobId] of ids.entries()) {
      if (left === 0) {
        lanes.push({ jobId, bars: [], complete: false });
        continue;
      }
      const { bars, complete } = barsOf(placed[index] ?? [], { since, part });
      const told = bars.slice(Math.max(bars.length - left, 0));
      left -= told.length;
      lanes.push({ jobId, bars: told, complete: complete && told.length === bars.length });
    }
  }
  return lanes;
}

interface PlacedRow {
  readonly place: number;
  readonly id: string;
  readonly scheduled_at: number;
  readonly claimed_at: number;
  readonly finished_at: number | null;
  readonly started_at: number | null;
  readonly kind: Placed['kind'];
}

/** Of a job, those of a span, newest first. */
const newest = (span: string, most: number): string => `
  (SELECT r.id, r.scheduled_at, r.claimed_at, r.finished_at, r.manual, ${STARTED} AS started_at, coalesce(${OUTCOME}, 'active') AS kind
   FROM runs r WHERE r.job = (SELECT number FROM jobs WHERE jobs.id = wanted.id) AND ${span}
   ORDER BY r.scheduled_at DESC, r.manual DESC LIMIT ${most})`;

const PLACED = `
  WITH given AS (SELECT ?::bigint AS since, ?::bigint AS until)
  SELECT wanted.place, found.* FROM given, unnest(?::text[]) WITH ORDINALITY AS wanted(id, place)
  CROSS JOIN LATERAL (
    ${newest('r.scheduled_at >= since AND r.scheduled_at < until', MOST_OF_ONE + 1)}
    UNION ALL ${newest('r.scheduled_at < since', LOOKED_BACK + 1)}
  ) found
  ORDER BY wanted.place, found.scheduled_at DESC, found.manual DESC`;

/** For each of the ids, its runs that may reach into the window, newest first. */
async function runsOf(asking: Asking, ids: readonly JobId[], { since, until }: Window): Promise<Placed[][]> {
  const placed: Placed[][] = ids.map(() => []);
  for (const row of await asking.all<PlacedRow>(PLACED, since, until, ids)) {
    placed[row.place - 1]?.push({
      id: row.id,
      scheduledAt: row.scheduled_at,
      claimedAt: row.claimed_at,
      startedAt: row.started_at ?? undefined,
      finishedAt: row.finished_at ?? undefined,
      kind: row.kind,
      onSchedule: true,
    });
  }
  return placed.map((runs) => runs.slice(0, MOST_OF_ONE + 1));
}

/** With a row of minute -1, which has how many runs were read. */
const CHANGES = `
  WITH given AS (SELECT ?::bigint AS first, ?::int AS last),
  read AS MATERIALIZED (
    SELECT claimed_at, finished_at FROM runs WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ${MOST_READ}
  ),
  spans AS (
    SELECT greatest(floor((claimed_at - first) / ${MINUTE}::float8), 0) AS "from",
           least(coalesce(floor((finished_at - first) / ${MINUTE}::float8), last), last) AS "to"
    FROM read, given
  )
  SELECT minute, sum(change)::int AS change FROM (
    SELECT "from" AS minute, 1 AS change FROM spans WHERE "from" <= "to"
    UNION ALL SELECT "to" + 1, -1 FROM spans WHERE "from" <= "to"
    UNION ALL SELECT -1, 1 FROM read
  ) changes GROUP BY 1`;
const OLDER = "SELECT claimed_at FROM runs WHERE state <> 'finished' AND id < ?";

/** How many runs were active in each minute. */
export async function load(asking: Asking, window: Window): Promise<PastLoad> {
  const counts = new MinuteCounts(window);
  const first = firstIdAt(window.since - LONG);
  const [changes, older] = await Promise.all([
    asking.all<{ minute: number; change: number }>(
      CHANGES,
      counts.first,
      counts.last,
      first,
      firstIdAt(window.until),
    ),
    asking.all<{ claimed_at: number }>(OLDER, first),
  ]);
  let read = 0;
  for (const { minute, change } of changes) {
    if (minute < 0) read = change;
    else counts.change(minute, change);
  }
  for (const { claimed_at } of older) counts.run(claimed_at, undefined);
  return { active: counts.active, complete: read < MOST_READ };
}
