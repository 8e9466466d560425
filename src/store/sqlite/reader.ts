import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { HistoryRow } from '../../engine/ports.ts';
import type { RunPage, RunQuery } from '../../engine/ports-operator.ts';
import type { Join } from '../../join.ts';
import type { Message, Told } from '../../message.ts';
import type {
  AddedJob,
  AttemptRecord,
  Duration,
  Instant,
  JobId,
  KeyedRequest,
  Outcome,
  Pause,
  Place,
  RunId,
  RunRecord,
} from '../../model.ts';
import type { Replay, ReplayWithSlots } from '../../replay.ts';
import {
  FAILED,
  newestSlotOf,
  type CountedSpans,
  type HistoryReader,
  type JobHistory,
  type Kept,
  type RowQuery,
  type RunFigures,
  type Span,
} from '../history.ts';
import { firstIdAt, pauseOf, RUN_COLUMNS, runOf, SKIP_COLUMNS, skipOf } from '../rows.ts';
import { statusCondition } from '../statuses.ts';
import { uniqueLengthOf } from '../unique.ts';
import { openInside, openToRead } from './open.ts';
import { page } from './page.ts';
import { countSpans } from './spans.ts';
import { OUTCOME, STARTED } from './timeline.ts';
import { prepared } from './statements.ts';

/**
 * Opens the history to read it, in another process than the daemon's.
 * @throws DatabaseRefused, with reason `absent` where there is none yet
 */
export function readHistory(path: string): HistoryReader {
  return new Reader(openToRead(path));
}

/** The same where the daemon that writes it may be this process. */
export function readHistoryInside(path: string): HistoryReader {
  return new Reader(openInside(path));
}

export class Reader implements HistoryReader {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  rows(query: RowQuery): HistoryRow[] {
    const rows = [...this.#runs(query), ...this.#skips(query)];
    const order =
      query.jobId === undefined
        ? (row: HistoryRow) => ('run' in row ? row.run.claimedAt : row.skip.at)
        : (row: HistoryRow) => ('run' in row ? row.run.scheduledAt : row.skip.scheduledAt);
    return rows.sort((a, b) => order(b) - order(a)).slice(0, query.limit);
  }

  /** Undefined: the cursor is not one of ours. */
  page(query: RunQuery): RunPage | undefined {
    return page(this.#db, query);
  }

  run(idOrPrefix: RunId): RunRecord | 'ambiguous' | undefined {
    // Ids are hexadecimal digits and dashes: what comes after all that begin so is the same with a "g".
    const found = this.#all('r.id >= ? AND r.id < ? LIMIT 2', idOrPrefix, `${idOrPrefix}g`);
    return found.length > 1 ? 'ambiguous' : found[0];
  }

  uniqueLength(id: RunId): number {
    const neighbours = ['id < ? ORDER BY id DESC', 'id > ? ORDER BY id'].map(
      (side) => this.#db.prepare(`SELECT id FROM runs WHERE ${side} LIMIT 1`).get(id)?.['id'] as string,
    );
    return uniqueLengthOf(id, neighbours);
  }

  latestRun(jobId: JobId): RunRecord | undefined {
    const job = this.#job(jobId);
    return job === undefined
      ? undefined
      : this.#all('r.job = ? ORDER BY r.scheduled_at DESC, r.manual DESC LIMIT 1', job)[0];
  }

  /** Of each job the newest run that is over; of runs by hand only those that succeeded. */
  latest(ids: readonly JobId[]): RunRecord[] {
    const counts = "r.state = 'finished' AND (r.manual = 0 OR r.outcome ->> 'kind' = 'succeeded')";
    return ids.flatMap((id) => {
      const job = this.#job(id);
      const newest = `r.job = ? AND ${counts} ORDER BY r.scheduled_at DESC, r.manual DESC LIMIT 1`;
      return job === undefined ? [] : this.#all(newest, job);
    });
  }

  slot(jobId: JobId, at: Instant): HistoryRow | undefined {
    const job = this.#job(jobId);
    if (job === undefined) return undefined;
    const [run] = this.#all('r.job = ? AND r.scheduled_at = ? AND r.manual = 0', job, at);
    if (run !== undefined) return { run };
    const skip = this.#db
      .prepare(
        `SELECT ${SKIP_COLUMNS} FROM skips s JOIN jobs j ON j.number = s.job
         WHERE s.job = ?1 AND s.scheduled_at <= ?2 AND s.through >= ?2 ORDER BY s.scheduled_at DESC LIMIT 1`,
      )
      .get(job, at);
    if (skip !== undefined) return { skip: skipOf(skip) };
    const [beside] = this.#all(
      'r.job = ? AND r.scheduled_at = ? ORDER BY r.claimed_at DESC, r.id DESC LIMIT 1',
      job,
      at,
    );
    return beside && { run: beside };
  }

  newestSlot(jobId: JobId, at: Instant): Instant | undefined {
    const [row] = this.rows({ jobId, until: at, limit: 1 });
    return row && newestSlotOf(row);
  }

  jobs(ids: readonly JobId[], runs: number): Map<JobId, JobHistory> {
    const newest = 'WHERE r.job = ? ORDER BY r.scheduled_at DESC, r.manual DESC LIMIT ?';
    const last = prepared(
      this.#db,
      `SELECT ${RUN_COLUMNS} FROM runs r JOIN jobs j ON j.number = r.job ${newest}`,
    );
    const ends = prepared(
      this.#db,
      `SELECT r.outcome ->> 'kind' AS kind, r.finished_at - ${STARTED} AS duration FROM runs r ${newest}`,
    );
    const found = new Map<JobId, JobHistory>();
    for (const id of ids) {
      const job = this.#job(id);
      const row = job === undefined ? undefined : last.get(job, 1);
      if (job === undefined || row === undefined) continue;
      const ended = ends.all(job, runs);
      found.set(id, {
        last: runOf(row),
        outcomes: ended.map(({ kind }) => (kind ?? 'active') as Outcome['kind']),
        durations: ended.map(({ duration }) => (duration === null ? undefined : Number(duration))),
      });
    }
    return found;
  }

  /** Spans in their order, which do not overlap. */
  counts(jobId: JobId, spans: readonly Span[]): CountedSpans {
    const job = this.#job(jobId);
    return job === undefined ? { counts: [], unfinished: [] } : countSpans(this.#db, job, spans);
  }

  jobIds(): JobId[] {
    return this.#db
      .prepare('SELECT id FROM jobs ORDER BY id')
      .all()
      .map(({ id }) => id as string);
  }

  place(jobId: JobId): Place | undefined {
    const row = this.#db
      .prepare('SELECT schedule, decided_to FROM jobs WHERE id = ? AND schedule IS NOT NULL')
      .get(jobId);
    return row && { schedule: row['schedule'] as string, from: row['decided_to'] as number };
  }

  kept(jobId: JobId): Kept {
    const row = this.#db
      .prepare(
        `SELECT (SELECT count(*) FROM runs WHERE job = jobs.number) AS runs,
                (SELECT count(*) FROM skips WHERE job = jobs.number) AS skips,
                (SELECT min(scheduled_at) FROM runs WHERE job = jobs.number) AS first_run,
                (SELECT min(scheduled_at) FROM skips WHERE job = jobs.number) AS first_skip
         FROM jobs WHERE id = ?`,
      )
      .get(jobId);
    const firstRun = row?.['first_run'];
    const firsts = [firstRun, row?.['first_skip']].filter((at) => typeof at === 'number');
    return {
      runs: Number(row?.['runs'] ?? 0),
      skips: Number(row?.['skips'] ?? 0),
      ...(firsts.length === 0 ? {} : { oldest: Math.min(...firsts) }),
      ...(typeof firstRun === 'number' ? { oldestRun: firstRun } : {}),
    };
  }

  figures(): RunFigures {
    const totals = this.#db
      .prepare(
        `SELECT (SELECT count(*) FROM runs) AS runs,
                (SELECT count(*) FROM skips) AS skips,
                (SELECT count(*) FROM runs WHERE state <> 'finished') AS active,
                (SELECT claimed_at FROM runs ORDER BY id DESC LIMIT 1) AS last`,
      )
      .get();
    return {
      runs: Number(totals?.['runs'] ?? 0),
      skips: Number(totals?.['skips'] ?? 0),
      active: Number(totals?.['active'] ?? 0),
      ...(typeof totals?.['last'] === 'number' ? { lastRunAt: totals['last'] } : {}),
    };
  }

  failing(): JobId[] {
    const rows = this.#db
      .prepare(
        `SELECT id, (SELECT r.outcome ->> 'kind' FROM runs r WHERE r.job = number AND r.state = 'finished'
                     ORDER BY r.scheduled_at DESC, r.manual DESC LIMIT 1) AS kind
         FROM jobs WHERE schedule IS NOT NULL ORDER BY id`,
      )
      .all();
    return rows.filter(({ kind }) => FAILED.has(kind as string)).map(({ id }) => id as string);
  }

  durations(jobId: JobId, count: number): Duration[] {
    const rows = this.rows({ jobId, statuses: ['succeeded'], limit: count });
    // Those of parts, of a run that has some.
    const all = rows.flatMap((row) => ('run' in row ? attemptsOf(row.run) : []));
    return all.flatMap((attempts) => attempts.at(-1)?.duration ?? []).slice(0, count);
  }

  /** Runs that are not finished, oldest claim first. */
  unfinished(): RunRecord[] {
    return this.#all("r.state <> 'finished' ORDER BY r.id");
  }

  places(): Map<JobId, Place> {
    const rows = this.#db
      .prepare('SELECT id, schedule, decided_to FROM jobs WHERE schedule IS NOT NULL')
      .iterate();
    const places = new Map<JobId, Place>();
    for (const { id, schedule, decided_to } of rows) {
      places.set(id as string, { schedule: schedule as string, from: decided_to as number });
    }
    for (const { id, first, last } of this.#db.prepare(BEYOND).iterate()) {
      const place = places.get(id as string);
      const stretch = [first as number, last as number] as const;
      if (place !== undefined)
        places.set(id as string, { ...place, decided: [...(place.decided ?? []), stretch] });
    }
    return places;
  }

  pauses(): Map<JobId, Pause> {
    const rows = this.#db.prepare('SELECT job_id, since, until, reason FROM pauses').all();
    return new Map(rows.map((row) => [row['job_id'] as string, pauseOf(row)]));
  }

  added(): Map<JobId, AddedJob> {
    const rows = this.#db
      .prepare('SELECT id, document, directory, added_at FROM added_jobs ORDER BY id')
      .all();
    return new Map(
      rows.map(({ id, document, directory, added_at }) => [
        id as string,
        { document: document as string, directory: directory as string, addedAt: added_at as number },
      ]),
    );
  }

  /** Oldest first. */
  requests(): KeyedRequest[] {
    const rows = this.#db.prepare('SELECT key, what, run, at FROM requests ORDER BY number').all();
    return rows.map(({ key, what, run, at }) => ({
      key: key as string,
      what: what as string,
      runId: run as string,
      at: at as number,
    }));
  }

  joins(): Join[] {
    const rows = this.#db.prepare('SELECT document FROM joins ORDER BY job_id, scheduled_at').all();
    return rows.map(({ document }) => JSON.parse(document as string) as Join);
  }

  messages(): Message[] {
    const rows = this.#db.prepare('SELECT message FROM messages ORDER BY id').all();
    return rows.map(({ message }) => JSON.parse(message as string) as Message);
  }

  told(): Map<JobId, Told> {
    const rows = this.#db.prepare('SELECT job_id, told FROM told').all();
    return new Map(rows.map(({ job_id, told }) => [job_id as string, JSON.parse(told as string) as Told]));
  }

  replays(): ReplayWithSlots[] {
    return this.#db
      .prepare('SELECT replay, slots FROM replays ORDER BY id')
      .all()
      .map(({ replay, slots }) => ({
        replay: JSON.parse(replay as string) as Replay,
        slots: JSON.parse(slots as string) as readonly Instant[],
      }));
  }

  successes(): Map<JobId, Instant> {
    const rows = this.#db.prepare('SELECT id, last_success FROM jobs WHERE last_success IS NOT NULL').all();
    return new Map(rows.map(({ id, last_success }) => [id as string, last_success as number]));
  }

  close(): void {
    this.#db.close();
  }

  #runs({ jobId, since, until, statuses, limit }: RowQuery): HistoryRow[] {
    const where = new Where();
    const job = jobId === undefined ? undefined : this.#job(jobId);
    if (jobId !== undefined && job === undefined) return [];
    if (job !== undefined) where.and('r.job = ?', job);
    if (since !== undefined) where.and('r.scheduled_at >= ?', since);
    // No slot is claimed before its time, and ids begin with the time of the claim: so there is no need to read them all.
    if (since !== undefined && job === undefined) where.and('r.id >= ?', firstIdAt(since));
    if (until !== undefined) where.and('r.scheduled_at <= ?', until);
    if (statuses !== undefined) {
      const condition = statusCondition(statuses, OUTCOME);
      if (condition === undefined) return [];
      where.and(condition);
    }
    const order = jobId === undefined ? 'r.id DESC' : 'r.scheduled_at DESC, r.manual DESC';
    return this.#all(`${where.text} ORDER BY ${order} LIMIT ?`, ...where.values, limit).map((run) => ({
      run,
    }));
  }

  #skips({ jobId, since, until, statuses, limit }: RowQuery): HistoryRow[] {
    if (statuses !== undefined && !statuses.includes('skipped')) return [];
    const where = new Where();
    const job = jobId === undefined ? undefined : this.#job(jobId);
    if (jobId !== undefined && job === undefined) return [];
    if (job !== undefined) where.and('s.job = ?', job);
    if (since !== undefined) where.and('s.through >= ?', since);
    if (until !== undefined) where.and('s.scheduled_at <= ?', until);
    const order = jobId === undefined ? 's.number DESC' : 's.scheduled_at DESC';
    return this.#db
      .prepare(
        `SELECT ${SKIP_COLUMNS} FROM skips s JOIN jobs j ON j.number = s.job
         WHERE ${where.text} ORDER BY ${order} LIMIT ?`,
      )
      .all(...where.values, limit)
      .map((row) => ({ skip: skipOf(row) }));
  }

  #all(condition: string, ...values: readonly SQLInputValue[]): RunRecord[] {
    const sql = `SELECT ${RUN_COLUMNS} FROM runs r JOIN jobs j ON j.number = r.job WHERE ${condition}`;
    return prepared(this.#db, sql)
      .all(...values)
      .map(runOf);
  }

  #job(id: JobId): number | undefined {
    const job = prepared(this.#db, 'SELECT number FROM jobs WHERE id = ?').get(id);
    return job?.['number'] as number | undefined;
  }
}

/** What is decided beyond the places of jobs, of which an older slot was still waiting. */
const BEYOND = `
  SELECT j.id, r.scheduled_at AS first, r.scheduled_at AS last FROM jobs j
  CROSS JOIN runs r ON r.job = j.number AND r.scheduled_at > j.decided_to AND r.manual = 0
  UNION ALL
  SELECT j.id, s.scheduled_at, s.through FROM jobs j
  CROSS JOIN skips s ON s.job = j.number AND s.scheduled_at > j.decided_to`;

function attemptsOf({ attempts, shards }: RunRecord): (readonly AttemptRecord[])[] {
  return shards === undefined ? [attempts] : shards.map((shard) => shard.attempts);
}

class Where {
  readonly values: SQLInputValue[] = [];
  readonly #conditions: string[] = [];

  get text(): string {
    return this.#conditions.length === 0 ? 'true' : this.#conditions.join(' AND ');
  }

  and(condition: string, ...values: readonly SQLInputValue[]): void {
    this.#conditions.push(condition);
    this.values.push(...values);
  }
}
