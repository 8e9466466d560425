/** What a conductor takes up of the tables, and the little that its engine asks of history. */
import type { HistoryQuery, HistoryRow } from '../../engine/ports.ts';
import type { Join } from '../../join.ts';
import type { Message, Told } from '../../message.ts';
import type { Instant, JobId, Pause, Place, RunId, RunRecord } from '../../model.ts';
import type { Queryable } from '../../postgres/database.ts';
import type { ReplayWithSlots } from '../../replay.ts';
import type { Contents } from '../contents.ts';
import type { RunOwner } from '../history.ts';
import { pauseOf, RUN_COLUMNS, runOf, SKIP_COLUMNS, skipOf, type Row } from '../rows.ts';

/** Everything, as it is at one moment: within a transaction. */
export async function contentsOf(tx: Queryable): Promise<Contents> {
  const documents = async <Document>(sql: string): Promise<Document[]> =>
    (await tx.query<{ document: Document }>(sql)).map(({ document }) => document);
  const [successes, pauses, added, told] = [
    await tx.query<{ id: JobId; at: Instant }>(
      'SELECT id, last_success AS at FROM jobs WHERE last_success IS NOT NULL',
    ),
    await tx.query<{ job_id: JobId } & Row>('SELECT job_id, since, until, reason FROM pauses'),
    await tx.query<{ id: JobId; document: string; directory: string; added_at: Instant }>(
      'SELECT id, document, directory, added_at FROM added_jobs ORDER BY id',
    ),
    await tx.query<{ job_id: JobId; told: Told }>('SELECT job_id, told FROM told'),
  ];
  return {
    unfinished: await runs(tx, "r.state <> 'finished' ORDER BY r.id"),
    places: await placesOf(tx),
    pauses: new Map(pauses.map((row): [JobId, Pause] => [row.job_id, pauseOf(row)])),
    added: new Map(
      added.map(({ id, document, directory, added_at }) => [id, { document, directory, addedAt: added_at }]),
    ),
    successes: new Map(successes.map(({ id, at }) => [id, at])),
    requests: await tx.query('SELECT key, what, run AS "runId", at FROM requests ORDER BY number'),
    joins: await documents<Join>('SELECT document FROM joins ORDER BY job_id, scheduled_at'),
    messages: await documents<Message>('SELECT message AS document FROM messages ORDER BY id'),
    told: new Map(told.map((row) => [row.job_id, row.told])),
    replays: await tx.query<ReplayWithSlots>('SELECT replay, slots FROM replays ORDER BY id'),
  };
}

async function placesOf(tx: Queryable): Promise<Map<JobId, Place>> {
  const rows = await tx.query<{ id: JobId; schedule: string; decided_to: Instant }>(
    'SELECT id, schedule, decided_to FROM jobs WHERE schedule IS NOT NULL',
  );
  const places = new Map<JobId, Place>(
    rows.map(({ id, schedule, decided_to }) => [id, { schedule, from: decided_to }]),
  );
  for (const { id, first, last } of await tx.query<{ id: JobId; first: Instant; last: Instant }>(BEYOND)) {
    const place = places.get(id);
    if (place !== undefined) places.set(id, { ...place, decided: [...(place.decided ?? []), [first, last]] });
  }
  return places;
}

/** What is decided beyond the places of jobs, of which an older slot was still waiting. */
const BEYOND = `
  SELECT j.id, r.scheduled_at AS first, r.scheduled_at AS last FROM jobs j
  CROSS JOIN LATERAL (SELECT scheduled_at FROM runs WHERE job = j.number AND scheduled_at > j.decided_to AND manual = 0) r
  WHERE j.schedule IS NOT NULL
  UNION ALL
  SELECT j.id, s.scheduled_at, s.through FROM jobs j
  CROSS JOIN LATERAL (SELECT scheduled_at, through FROM skips WHERE job = j.number AND scheduled_at > j.decided_to) s
  WHERE j.schedule IS NOT NULL
  ORDER BY 1, 2`;

/** As `Store.history`. */
export async function historyOf(
  database: Queryable,
  { jobId, limit = 100 }: HistoryQuery,
): Promise<readonly HistoryRow[]> {
  const ofOne = jobId !== undefined;
  const values = ofOne ? [limit, jobId] : [limit];
  const condition = ofOne ? 'j.id = $2' : 'true';
  const order = ofOne ? 'r.scheduled_at DESC, r.manual DESC' : 'r.id DESC';
  const found = await runs(database, `${condition} ORDER BY ${order} LIMIT $1`, values);
  const skips = await database.query<Row>(
    `SELECT ${SKIP_COLUMNS} FROM skips s JOIN jobs j ON j.number = s.job
     WHERE ${condition} ORDER BY ${ofOne ? 's.scheduled_at' : 's.number'} DESC LIMIT $1`,
    values,
  );
  const rows: HistoryRow[] = [
    ...found.map((run) => ({ run })),
    ...skips.map((row) => ({ skip: skipOf(row) })),
  ];
  const sortedBy = (row: HistoryRow): Instant => {
    if ('run' in row) return ofOne ? row.run.scheduledAt : row.run.claimedAt;
    return ofOne ? row.skip.scheduledAt : row.skip.at;
  };
  return rows.sort((one, other) => sortedBy(other) - sortedBy(one)).slice(0, limit);
}

/** As `Store.latest`. */
export function latestOf(database: Queryable, ids: readonly JobId[]): Promise<readonly RunRecord[]> {
  const newest = `(SELECT id FROM runs WHERE job = n.number AND state = 'finished' AND (manual = 0 OR outcome ->> 'kind' = 'succeeded')
    ORDER BY scheduled_at DESC, manual DESC LIMIT 1)`;
  return runs(database, `r.id IN (SELECT ${newest} FROM jobs n WHERE n.id = ANY ($1))`, [ids]);
}

/** Whose these runs are, as far as history knows them. */
export async function ownersOf(
  database: Queryable,
  ids: readonly RunId[],
): Promise<ReadonlyMap<RunId, RunOwner>> {
  const rows = await database.query<{ id: RunId; job_id: JobId; state: string }>(
    'SELECT r.id, j.id AS job_id, r.state FROM runs r JOIN jobs j ON j.number = r.job WHERE r.id = ANY ($1)',
    [ids],
  );
  return new Map(
    rows.map(({ id, job_id, state }) => [id, { jobId: job_id, isFinished: state === 'finished' }]),
  );
}

async function runs(
  database: Queryable,
  condition: string,
  values?: readonly unknown[],
): Promise<RunRecord[]> {
  const rows = await database.query<Row>(
    `SELECT ${RUN_COLUMNS} FROM runs r JOIN jobs j ON j.number = r.job WHERE ${condition}`,
    values,
  );
  return rows.map(runOf);
}
