/** What the database knows of attempts beside the queue: who holds them, what is ordered, what was reported. Ages are by its own clock. */
import type { AttemptReport, StopReason } from '../engine/ports.ts';
import type { Duration, Outcome } from '../model.ts';
import { json, type Queryable } from '../postgres/database.ts';
import type { Claim, Queue, Taken } from './queue.ts';

/** What is to become of a held attempt; both, where the first was not enough. */
export interface Order {
  readonly stop?: StopReason;
  readonly kill?: StopReason;
}

/** An attempt's ending as it lies in `reports`; text, since `jsonb` does not keep the order of keys. */
interface Ending {
  readonly outcome: string;
  /** As its node measured it; an earlier tsched does not tell. */
  readonly ranFor?: Duration | null;
  /** Where its node was silent: what it was, so that the node ends what still runs of it. */
  readonly spec?: unknown;
}

type Start = Omit<Extract<AttemptReport, { kind: 'started' }>, 'kind'>;

interface ReportRow {
  readonly attempt: string;
  readonly seq: number;
  /** started | ended | given_up: ended too, but not as its node says. */
  readonly kind: string;
  readonly report: Start | Ending;
}

export interface Reported {
  readonly attempt: string;
  readonly report: AttemptReport;
}

function reported({ attempt, kind, report }: ReportRow): Reported {
  return kind === 'started'
    ? { attempt, report: { kind, ...(report as Start) } }
    : { attempt, report: { kind: 'ended', ...endOf(report as Ending) } };
}

function endOf({ outcome, ranFor }: Ending): { readonly outcome: Outcome; readonly ranFor?: Duration } {
  return { outcome: JSON.parse(outcome) as Outcome, ...(typeof ranFor === 'number' && { ranFor }) };
}

/** Those that nobody has had yet, oldest first. */
export async function takeReports(tx: Queryable, most: number): Promise<readonly Reported[]> {
  const rows = await tx.query<ReportRow>(
    `WITH next AS (SELECT seq FROM reports WHERE NOT taken ORDER BY seq LIMIT $1)
     UPDATE reports r SET taken = true FROM next WHERE r.seq = next.seq
     RETURNING r.seq, r.attempt, r.kind, r.report`,
    [most],
  );
  return rows.toSorted((a, b) => a.seq - b.seq).map(reported);
}

/** All of these attempts, whether or not somebody has had them. */
export async function reportsOf(
  queryable: Queryable,
  attempts: readonly string[],
): Promise<readonly Reported[]> {
  const rows = await queryable.query<ReportRow>(
    'SELECT seq, attempt, kind, report FROM reports WHERE attempt = ANY($1::uuid[]) ORDER BY seq',
    [attempts],
  );
  return rows.map(reported);
}

export interface Ended {
  readonly attempt: string;
  readonly outcome: Outcome;
  readonly ranFor?: Duration | undefined;
}

/** Attempts that nobody holds any more are over. `node`: whose word it is; null: the conductor's. */
export async function recordEnds(
  tx: Queryable,
  ends: readonly Ended[],
  { node, channel }: { readonly node: string | null; readonly channel: string },
): Promise<void> {
  const rows = ends.map(({ attempt, outcome, ranFor }) => ({
    attempt,
    report: { outcome: JSON.stringify(outcome), ranFor },
  }));
  await tx.query(
    `WITH ends AS (SELECT * FROM jsonb_to_recordset($1) AS x (attempt uuid, report jsonb)),
       released AS (DELETE FROM held h USING ends e WHERE h.attempt = e.attempt),
       obeyed AS (DELETE FROM orders o USING ends e WHERE o.attempt = e.attempt)
     INSERT INTO reports (attempt, kind, report, node)
     SELECT attempt, 'ended', report, $2 FROM ends RETURNING pg_notify($3, '')`,
    [json(rows), node, channel],
  );
}

export interface Started {
  readonly attempt: string;
  readonly report: Start;
}

/** Of those that the node still holds. */
export async function recordStarts(
  tx: Queryable,
  starts: readonly Started[],
  { node, channel }: { readonly node: string; readonly channel: string },
): Promise<void> {
  await tx.query(
    `INSERT INTO reports (attempt, kind, report, node)
     SELECT x.attempt, 'started', x.report, $2 FROM jsonb_to_recordset($1) AS x (attempt uuid, report jsonb)
     JOIN held h ON h.attempt = x.attempt AND h.node = $2 RETURNING pg_notify($3, '')`,
    [json(starts), node, channel],
  );
}

/** Of these attempts, those whose end this node has recorded: its word had arrived, though nobody could tell it so. */
export async function endsOf(
  tx: Queryable,
  attempts: readonly string[],
  node: string,
): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ attempt: string }>(
    `SELECT attempt FROM reports WHERE attempt = ANY($1::uuid[]) AND kind = 'ended' AND node = $2`,
    [attempts, node],
  );
  return new Set(rows.map(({ attempt }) => attempt));
}

/** What the database knows of an attempt. */
export interface Found {
  readonly id: string;
  /** Its queue, and its state there; null: it is not there. */
  readonly queue: string | null;
  readonly isWaiting: boolean;
  /** Name of the node that holds it. */
  readonly holder: string | null;
  readonly heldFor: Duration | null;
  readonly started: Start | null;
  readonly startedAgo: Duration | null;
  readonly outcome: Outcome | null;
  readonly ranFor?: Duration;
  readonly endedAgo: Duration | null;
}

const AGE = (column: string): string => `(extract(epoch FROM clock_timestamp() - ${column}) * 1000)::float8`;

const REPORT = (kinds: string): string =>
  `LEFT JOIN LATERAL (
     SELECT report, at FROM reports r WHERE r.attempt = a.id AND r.kind IN (${kinds}) ORDER BY seq LIMIT 1)`;

/** All at one moment: an attempt that moves on meanwhile is found in one place. */
export async function find(
  queryable: Queryable,
  queue: Queue,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Found>> {
  const rows = await queryable.query<Omit<Found, 'outcome'> & { readonly ending: Ending | null }>(
    `SELECT a.id, j.name AS queue, coalesce(j.state < 'active', false) AS "isWaiting",
       n.name AS holder, ${AGE('h.taken_at')} AS "heldFor",
       s.report AS started, ${AGE('s.at')} AS "startedAgo", e.report AS ending, ${AGE('e.at')} AS "endedAgo"
     FROM unnest($1::uuid[]) AS a (id)
     LEFT JOIN held h ON h.attempt = a.id
     LEFT JOIN nodes n ON n.id = h.node
     LEFT JOIN ${queue.table} j ON j.id = a.id AND j.name = ANY (ARRAY(SELECT name FROM queues))
     ${REPORT("'started'")} s ON true
     ${REPORT("'ended', 'given_up'")} e ON true`,
    [ids],
  );
  return new Map(
    rows.map(({ ending, ...row }) => [
      row.id,
      { ...row, ...(ending === null ? { outcome: null } : endOf(ending)) },
    ]),
  );
}

export interface Silent extends Claim {
  readonly queue: string;
  readonly node: string;
  readonly name: string;
  readonly hasStopped: boolean;
  readonly spec: unknown;
}

/**
 * Attempts of nodes that were not heard of for so long, while the database could hear them: some of them. A node that stopped in good order has
 * told what it leaves, and is waited for longer.
 */
export async function silentClaims(
  queryable: Queryable,
  queue: Queue,
  { silence, away, most }: { readonly silence: Duration; readonly away: Duration; readonly most: number },
): Promise<readonly Silent[]> {
  return queryable.query<Silent>(
    `SELECT h.attempt AS id, h.tries, h.queue, h.node, coalesce(n.name, h.node::text) AS name,
       coalesce(n.state = 'stopped', false) AS "hasStopped", j.data AS spec
     FROM held h LEFT JOIN nodes n ON h.node = n.id
     LEFT JOIN ${queue.table} j ON j.name = h.queue AND j.id = h.attempt
     WHERE (n.id IS NULL
         OR n.beat_at < clock_timestamp() - CASE n.state WHEN 'stopped' THEN $2::float8 ELSE $1::float8 END * interval '1 ms')
       AND pg_postmaster_start_time() < clock_timestamp() - $1::float8 * interval '1 ms'
     LIMIT $3`,
    [silence, away, most],
  );
}

/** Ends them in the place of their nodes. */
export async function recordLosses(
  tx: Queryable,
  losses: readonly { readonly silent: Silent; readonly message: string }[],
  channel: string,
): Promise<void> {
  const rows = losses.map(({ silent: { id, node, spec }, message }) => ({
    attempt: id,
    node,
    report: { outcome: JSON.stringify({ kind: 'lost', message } satisfies Outcome), spec },
  }));
  await tx.query(
    `WITH lost AS (SELECT * FROM jsonb_to_recordset($1) AS x (attempt uuid, node uuid, report jsonb)),
       released AS (DELETE FROM held h USING lost l WHERE h.attempt = l.attempt),
       obeyed AS (DELETE FROM orders o USING lost l WHERE o.attempt = l.attempt)
     INSERT INTO reports (attempt, kind, report, node)
     SELECT attempt, 'given_up', report, node FROM lost RETURNING pg_notify($2, '')`,
    [json(rows), channel],
  );
}

/** Orders for those that are held, beside what was ordered before, of which the reasons stay. */
export async function recordOrders(
  tx: Queryable,
  orders: readonly { readonly attempt: string; readonly order: Order }[],
  channel: string,
): Promise<void> {
  await tx.query(
    `INSERT INTO orders (attempt, "order")
     SELECT x.attempt, x."order" FROM jsonb_to_recordset($1) AS x (attempt uuid, "order" jsonb)
     JOIN held h ON h.attempt = x.attempt
     ON CONFLICT (attempt) DO UPDATE SET "order" = excluded."order" || orders."order"
     RETURNING pg_notify($2, attempt::text)`,
    [json(orders), channel],
  );
}

export interface Holding extends Claim {
  readonly queue: string;
  readonly order: Order | null;
  readonly data: unknown;
  readonly started: Start | null;
}

/** The node holds them from now on. */
export async function recordTaken(
  tx: Queryable,
  taken: readonly Taken[],
  { queue, node }: { readonly queue: string; readonly node: string },
): Promise<void> {
  const rows = taken.map(({ id, tries, spec }) => ({
    attempt: id,
    tries,
    run: spec.runId,
    number: spec.attempt,
    job: spec.jobId,
  }));
  await tx.run(
    `INSERT INTO held (attempt, tries, run, number, job, queue, node)
     SELECT x.*, $2, $3 FROM jsonb_to_recordset($1) AS x (attempt uuid, tries int, run text, number int, job text)`,
    [json(rows), queue, node],
  );
}

/** What is ordered for these attempts. */
export async function ordersFor(
  queryable: Queryable,
  attempts: readonly string[],
): Promise<ReadonlyMap<string, Order>> {
  const rows = await queryable.query<{ attempt: string; order: Order }>(
    'SELECT attempt, "order" FROM orders WHERE attempt = ANY($1::uuid[])',
    [attempts],
  );
  return new Map(rows.map(({ attempt, order }) => [attempt, order]));
}

/** What a node holds. */
export async function holdings(
  queryable: Queryable,
  queue: Queue,
  node: string,
): Promise<readonly Holding[]> {
  return queryable.query<Holding>(
    `SELECT h.attempt AS id, h.tries, h.queue, o."order", j.data, s.report AS started
     FROM held h LEFT JOIN orders o ON o.attempt = h.attempt
     JOIN ${queue.table} j ON j.name = h.queue AND j.id = h.attempt
     LEFT JOIN LATERAL (
       SELECT report FROM reports r WHERE r.attempt = h.attempt AND r.kind = 'started' ORDER BY seq LIMIT 1) s ON true
     WHERE h.node = $1`,
    [node],
  );
}

/** What was taken from a node while it was silent, and may still run there. */
export async function givenUp(
  queryable: Queryable,
  node: string,
): Promise<readonly { readonly id: string; readonly data: unknown; readonly started: Start | null }[]> {
  return queryable.query(
    `SELECT g.attempt AS id, g.report -> 'spec' AS data, s.report AS started FROM reports g
     LEFT JOIN reports s ON s.attempt = g.attempt AND s.kind = 'started'
     WHERE g.node = $1 AND g.kind = 'given_up' AND jsonb_typeof(g.report -> 'spec') = 'object'`,
    [node],
  );
}

/** It has seen to it. */
export async function forgetGivenUp(queryable: Queryable, attempts: readonly string[]): Promise<void> {
  await queryable.run(
    `UPDATE reports SET report = report - 'spec' WHERE attempt = ANY($1::uuid[]) AND kind = 'given_up'`,
    [attempts],
  );
}

/** How far a sweep has come. */
export interface Swept {
  readonly at: string;
  readonly seq: string;
}

/**
 * Removes some of what nobody will ask for: of attempts that are over, and whose end somebody had long ago; a node that was cut off for
 * longer is not told any more that its word had arrived. While their row is in the queue their run may not be over, whoever had their end.
 * What a node has not yet ended of what was given up stays for a week. Gives from where to go on; undefined: there is no more.
 */
export async function sweepRecords(
  queryable: Queryable,
  queue: Pick<Queue, 'table'>,
  from: Swept = { at: '-infinity', seq: '0' },
): Promise<Swept | undefined> {
  const old = await queryable.query<Swept & { readonly attempt: string }>(
    `SELECT at::text, seq::text, attempt FROM reports o
     WHERE taken AND at < statement_timestamp() - interval '10 minutes' AND at >= $1 AND (at, seq) > ($1, $2)
       AND (at < statement_timestamp() - interval '7 days' OR NOT EXISTS (
         SELECT 1 FROM reports g WHERE g.attempt = o.attempt AND g.kind = 'given_up' AND g.report ? 'spec'))
     ORDER BY o.at, o.seq LIMIT $3`,
    [from.at, from.seq, SWEPT],
  );
  // Not in one statement: for tables of which the planner has no statistics yet it would walk over all of them for each row.
  const needed = await queryable.query<{ readonly attempt: string }>(
    `SELECT attempt FROM held WHERE attempt = ANY($1::uuid[])
     UNION ALL
     SELECT id FROM ${queue.table} WHERE name = ANY(ARRAY(SELECT name FROM queues)) AND id = ANY($1::uuid[])`,
    [old.map(({ attempt }) => attempt)],
  );
  const kept = new Set(needed.map(({ attempt }) => attempt));
  const gone = old.filter(({ attempt }) => !kept.has(attempt));
  await queryable.run('DELETE FROM reports WHERE seq = ANY($1::bigint[])', [gone.map(({ seq }) => seq)]);
  await queryable.run(
    'DELETE FROM orders o WHERE NOT EXISTS (SELECT 1 FROM held h WHERE h.attempt = o.attempt)',
  );
  return old.length < SWEPT ? undefined : old.at(-1);
}

/** Rows at once. */
const SWEPT = 5000;
