/**
 * Writes batches: each whole, in one transaction, or not at all. Writing one again changes nothing. A statement takes all rows of a
 * kind, so that a thousand claims cost as many ways to the server as one.
 */
import type { JobId, RunId, RunRecord, SkipRecord } from '../../model.ts';
import { REPLAYS_KEPT } from '../../replay.ts';
import { json, type Queryable } from '../../postgres/database.ts';
import { isForSlot, type BatchData } from '../batch.ts';
import { MOST_REQUESTS, REQUEST_MEMORY } from '../requests.ts';

export class Recorder {
  /** Jobs that certainly have a row: none is ever removed. */
  readonly #known = new Set<JobId>();

  constructor(known: Iterable<JobId> = []) {
    for (const id of known) this.#known.add(id);
  }

  /**
   * Records a batch. One boolean for each claim, as `Store.claim` has it.
   * @param within runs the work in a transaction, and rejects when that was not committed
   */
  async record(
    batch: BatchData,
    within: <T>(work: (tx: Queryable) => Promise<T>) => Promise<T>,
  ): Promise<readonly boolean[]> {
    const named = new Set<JobId>();
    for (const list of [batch.claims, batch.saves, batch.skips])
      for (const { jobId } of list) if (!this.#known.has(jobId)) named.add(jobId);
    for (const [jobId] of batch.placed) if (!this.#known.has(jobId)) named.add(jobId);
    const won = await within(async (tx) => {
      if (named.size > 0) await tx.run(JOBS, [[...named]]);
      return write(tx, batch);
    });
    for (const jobId of named) this.#known.add(jobId);
    return won;
  }
}

async function write(tx: Queryable, batch: BatchData): Promise<readonly boolean[]> {
  const won = await claim(tx, batch.claims);
  await save(tx, batch.saves);
  await skip(tx, batch.skips);
  if (batch.gone.length > 0) await tx.run(GONE, [batch.gone]);
  if (batch.placed.length > 0)
    await tx.run(PLACED, [json(batch.placed.map(([id, { schedule, from }]) => ({ id, schedule, from })))]);
  await advance(tx, batch, won);
  await keep(tx, batch);
  await tell(tx, batch);
  await replay(tx, batch);
  return won;
}

/** What was not new may be there because this very batch was recorded before, and only the answer was lost. Meanwhile a run may have got further. */
async function claim(tx: Queryable, runs: readonly RunRecord[]): Promise<boolean[]> {
  if (runs.length === 0) return [];
  const rows = json(runs.map(rowOf));
  const won = new Set((await tx.query<{ id: RunId }>(CLAIM, [rows])).map(({ id }) => id));
  if (won.size < runs.length) {
    const again = runs.filter(({ id }) => !won.has(id)).map(rowOf);
    for (const { id } of await tx.query<{ id: RunId }>(SAVE, [json(again)])) won.add(id);
  }
  return runs.map(({ id }) => won.has(id));
}

async function save(tx: Queryable, runs: readonly RunRecord[]): Promise<void> {
  if (runs.length === 0) return;
  const saved = await tx.query<{ id: RunId }>(SAVE, [json(runs.map(rowOf))]);
  if (saved.length === runs.length) return;
  // Runs of a history that was lost meanwhile come back whole.
  const there = new Set(saved.map(({ id }) => id));
  await tx.run(CLAIM, [json(runs.filter(({ id }) => !there.has(id)).map(rowOf))]);
}

/** In their order, each once. */
async function skip(tx: Queryable, skips: readonly SkipRecord[]): Promise<void> {
  if (skips.length === 0) return;
  const rows = new Map(skips.map((each, order) => [keyOf(each), { order, row: each }]));
  await tx.run(SKIPS, [json([...rows.values()].map(({ order, row }) => Object.assign({ order }, row)))]);
}

function keyOf({ jobId, scheduledAt, through, reason, at }: SkipRecord): string {
  return `${scheduledAt} ${through} ${at} ${reason} ${jobId}`;
}

function rowOf(run: RunRecord, order: number): Readonly<Record<string, unknown>> {
  const { id, jobId, scheduledAt, cause, claimedAt, state, attempts, outcome, upstream, pool, waited } = run;
  const kind = isForSlot(run) ? 'slot' : run.replay === undefined ? 'hand' : 'replay';
  return {
    order,
    kind,
    id,
    job: jobId,
    scheduled_at: scheduledAt,
    cause,
    claimed_at: claimedAt,
    replay: run.replay,
    arguments: run.with,
    upstream,
    pool,
    waited,
    state,
    attempts,
    retry_at: run.retryAt,
    finished_at: run.finishedAt,
    outcome,
    shards: run.shards,
  };
}

/** Moves on, of each job, up to where its slots are decided, and the newest that succeeded. */
async function advance(tx: Queryable, batch: BatchData, won: readonly boolean[]): Promise<void> {
  const decided = new Map<JobId, number>();
  const succeeded = new Map<JobId, number>();
  const waiting = new Map(batch.undecided);
  for (const [index, run] of batch.claims.entries()) {
    if (isForSlot(run)) further(decided, run.jobId, run.scheduledAt);
    if (won[index] === true && run.outcome?.kind === 'succeeded')
      further(succeeded, run.jobId, run.scheduledAt);
  }
  for (const run of batch.saves)
    if (run.outcome?.kind === 'succeeded') further(succeeded, run.jobId, run.scheduledAt);
  for (const { jobId, through } of batch.skips) further(decided, jobId, through);
  const ids = [...new Set([...decided.keys(), ...succeeded.keys()])];
  if (ids.length === 0) return;
  const rows = ids.map((id) => {
    const newest = decided.get(id);
    const to = newest === undefined ? null : Math.min(newest, (waiting.get(id) ?? Infinity) - 1);
    return { id, to, success: succeeded.get(id) ?? null };
  });
  await tx.run(ADVANCE, [json(rows)]);
}

function further(decided: Map<JobId, number>, id: JobId, to: number): void {
  if (to > (decided.get(id) ?? Number.NEGATIVE_INFINITY)) decided.set(id, to);
}

async function keep(tx: Queryable, { pauses, added, requests, joins }: BatchData): Promise<void> {
  await put(tx, parted(pauses), { put: PAUSES, drop: 'DELETE FROM pauses WHERE job_id = ANY ($1)' });
  await put(tx, parted(added), { put: ADDED, drop: 'DELETE FROM added_jobs WHERE id = ANY ($1)' });
  const last = requests.at(-1);
  if (last !== undefined) {
    // A key that is used again counts as new.
    await tx.run('DELETE FROM requests WHERE key = ANY ($1) OR at < $2', [
      requests.map(({ key }) => key),
      last.at - REQUEST_MEMORY,
    ]);
    await tx.run(REQUESTS, [json(requests)]);
    await tx.run('DELETE FROM requests WHERE number <= (SELECT max(number) FROM requests) - $1', [
      MOST_REQUESTS,
    ]);
  }
  if (joins.length > 0) {
    const rows = joins.map((join) => ({ ...join, document: join }));
    const isOver = ({ state }: { state: string }) => state === 'over';
    await tx.run(JOINS_OVER, [json(rows.filter(isOver))]);
    await tx.run(JOINS, [json(rows.filter((join) => !isOver(join)))]);
  }
}

async function tell(tx: Queryable, { messages, settled, told }: BatchData): Promise<void> {
  if (messages.length > 0)
    await tx.run(MESSAGES, [json(messages.map((message) => ({ id: message.id, message })))]);
  if (settled.length > 0) await tx.run('DELETE FROM messages WHERE id = ANY ($1)', [settled]);
  await put(tx, parted(told, 'told'), { put: TOLD, drop: 'DELETE FROM told WHERE job_id = ANY ($1)' });
}

async function replay(tx: Queryable, { replays }: BatchData): Promise<void> {
  if (replays.length === 0) return;
  const rows = replays.map(({ replay, slots }) => ({
    id: replay.id,
    replay,
    isNew: slots !== undefined,
    // What is over needs them no more.
    slots: replay.state === 'active' ? slots : [],
  }));
  const fresh = rows.filter(({ isNew }) => isNew);
  const others = rows.filter(({ isNew }) => !isNew);
  if (others.length > 0) await tx.run(REPLAYS_CHANGED, [json(others)]);
  if (fresh.length === 0) return;
  await tx.run(REPLAYS, [json(fresh)]);
  await tx.run(FORGET_REPLAYS);
}

interface Parted {
  readonly put: readonly object[];
  readonly drop: readonly JobId[];
}

/** Entries of a list by job: those that say something, as rows, and those that say that there is nothing any more. */
function parted(list: readonly (readonly [JobId, object | null])[], column?: string): Parted {
  return {
    put: list.flatMap(([jobId, entry]) => {
      if (entry === null) return [];
      return [column === undefined ? { ...entry, jobId } : { jobId, [column]: entry }];
    }),
    drop: list.flatMap(([jobId, entry]) => (entry === null ? [jobId] : [])),
  };
}

async function put(
  tx: Queryable,
  rows: Parted,
  sql: { readonly put: string; readonly drop: string },
): Promise<void> {
  if (rows.drop.length > 0) await tx.run(sql.drop, [rows.drop]);
  if (rows.put.length > 0) await tx.run(sql.put, [json(rows.put)]);
}

const JOBS = `INSERT INTO jobs (id)
  SELECT id FROM unnest($1::text[]) AS id WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = id.id)
  ON CONFLICT DO NOTHING`;

const RUN = `"order" int, kind text, id text, job text, scheduled_at bigint, cause text, claimed_at bigint, replay text, arguments jsonb,
  upstream jsonb, pool jsonb, waited jsonb, state text, attempts jsonb, retry_at bigint, finished_at bigint, outcome jsonb, shards jsonb`;

/**
 * In the order of the decisions: of two for the same slot the first has it. A run by hand stands beside whatever else there is of
 * that instant, one of a replay only if that has none there yet.
 */
const CLAIM = `INSERT INTO runs
  (id, job, scheduled_at, manual, cause, claimed_at, replay, arguments, upstream, pool, waited, state, attempts, retry_at, finished_at, outcome, shards)
  SELECT r.id, j.number, r.scheduled_at,
    CASE r.kind
      WHEN 'slot' THEN 0
      WHEN 'hand' THEN row_number() OVER beside + coalesce(
        (SELECT max(o.manual) FROM runs o WHERE o.job = j.number AND o.scheduled_at = r.scheduled_at AND o.manual >= 0), 0)
      ELSE -row_number() OVER beside + coalesce(
        (SELECT min(o.manual) FROM runs o WHERE o.job = j.number AND o.scheduled_at = r.scheduled_at AND o.manual < 0), 0)
    END,
    r.cause, r.claimed_at, r.replay, r.arguments, r.upstream, r.pool, r.waited, r.state, r.attempts, r.retry_at, r.finished_at, r.outcome, r.shards
  FROM json_to_recordset($1) AS r (${RUN}) JOIN jobs j ON j.id = r.job
  WINDOW beside AS (PARTITION BY j.number, r.scheduled_at, r.kind ORDER BY r."order")
  ORDER BY r."order"
  ON CONFLICT DO NOTHING RETURNING id`;

const SAVE = `UPDATE runs SET state = r.state, attempts = r.attempts, retry_at = r.retry_at, finished_at = r.finished_at,
    outcome = r.outcome, shards = r.shards
  FROM json_to_recordset($1) AS r (${RUN}) WHERE runs.id = r.id RETURNING runs.id`;

const SKIPS = `INSERT INTO skips (job, scheduled_at, through, count, reason, at, detail)
  SELECT j.number, s."scheduledAt", s.through, s.count, s.reason, s.at, s.detail
  FROM json_to_recordset($1) AS s ("order" int, "jobId" text, "scheduledAt" bigint, through bigint, count bigint, reason text, at bigint, detail text)
  JOIN jobs j ON j.id = s."jobId"
  WHERE NOT EXISTS (SELECT 1 FROM skips o WHERE o.job = j.number AND o.scheduled_at = s."scheduledAt" AND o.through = s.through
    AND o.reason = s.reason AND o.at = s.at)
  ORDER BY s."order"`;

const GONE = 'UPDATE jobs SET schedule = NULL, decided_to = NULL WHERE id = ANY ($1)';

const PLACED = `UPDATE jobs SET schedule = p.schedule, decided_to = p."from"
  FROM json_to_recordset($1) AS p (id text, schedule text, "from" bigint) WHERE jobs.id = p.id`;

/** Forward only, and nothing is written where nothing moves. NULL says nothing; a job without a place does not get one. */
const ADVANCE = `UPDATE jobs
  SET decided_to = CASE WHEN decided_to < a."to" THEN a."to" ELSE decided_to END,
      last_success = greatest(last_success, a.success)
  FROM json_to_recordset($1) AS a (id text, "to" bigint, success bigint)
  WHERE jobs.id = a.id
    AND (decided_to < a."to" OR coalesce(last_success < a.success, a.success IS NOT NULL))`;

const PAUSES = `INSERT INTO pauses (job_id, since, until, reason)
  SELECT "jobId", since, until, reason FROM json_to_recordset($1) AS p ("jobId" text, since bigint, until bigint, reason text)
  ON CONFLICT (job_id) DO UPDATE SET since = excluded.since, until = excluded.until, reason = excluded.reason`;

const ADDED = `INSERT INTO added_jobs (id, document, directory, added_at)
  SELECT "jobId", document, directory, "addedAt"
  FROM json_to_recordset($1) AS a ("jobId" text, document text, directory text, "addedAt" bigint)
  ON CONFLICT (id) DO UPDATE SET document = excluded.document, directory = excluded.directory, added_at = excluded.added_at`;

const REQUESTS = `INSERT INTO requests (key, what, run, at)
  SELECT key, what, "runId", at FROM json_to_recordset($1) AS r (key text, what text, "runId" text, at bigint)`;

const JOINS = `INSERT INTO joins (job_id, scheduled_at, document)
  SELECT "jobId", "scheduledAt", document FROM json_to_recordset($1) AS j ("jobId" text, "scheduledAt" bigint, document jsonb)
  ON CONFLICT (job_id, scheduled_at) DO UPDATE SET document = excluded.document`;

const JOINS_OVER = `DELETE FROM joins USING json_to_recordset($1) AS j ("jobId" text, "scheduledAt" bigint)
  WHERE joins.job_id = j."jobId" AND joins.scheduled_at = j."scheduledAt"`;

const MESSAGES = `INSERT INTO messages (id, message)
  SELECT id, message FROM json_to_recordset($1) AS m (id text, message jsonb)
  ON CONFLICT (id) DO UPDATE SET message = excluded.message`;

const TOLD = `INSERT INTO told (job_id, told)
  SELECT "jobId", told FROM json_to_recordset($1) AS t ("jobId" text, told jsonb)
  ON CONFLICT (job_id) DO UPDATE SET told = excluded.told`;

const REPLAYS = `INSERT INTO replays (id, replay, slots)
  SELECT id, replay, slots FROM json_to_recordset($1) AS r (id text, replay jsonb, slots jsonb)
  ON CONFLICT (id) DO UPDATE SET replay = excluded.replay, slots = excluded.slots`;

const REPLAYS_CHANGED = `UPDATE replays SET replay = r.replay, slots = coalesce(r.slots, replays.slots)
  FROM json_to_recordset($1) AS r (id text, replay jsonb, slots jsonb) WHERE replays.id = r.id`;

const FORGET_REPLAYS = `DELETE FROM replays WHERE id IN (
  SELECT id FROM replays WHERE replay ->> 'state' <> 'active' ORDER BY id DESC OFFSET ${REPLAYS_KEPT})`;
