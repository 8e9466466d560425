import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { HistoryRow } from '../../engine/ports.ts';
import type { Duration, Instant, JobId, Pause, Place, RunId, RunRecord } from '../../model.ts';
import type { RunPage, RunQuery } from '../../engine/ports-operator.ts';
import { FAILED, type HistoryReader, type JobHistory, type RowQuery, type RunFigures } from '../history.ts';
import { openToRead } from './open.ts';
import { page } from './page.ts';
import { prepared } from './statements.ts';
import { statusCondition } from './statuses.ts';
import { pauseOf, RUN_COLUMNS, runOf, SKIP_COLUMNS, skipOf } from './rows.ts';

/**
 * Opens the history to read it.
 * @throws DatabaseRefused, with reason `absent` where there is none yet
 */
export function readHistory(path: string): HistoryReader {
  return new Reader(openToRead(path));
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

  latestRun(jobId: JobId): RunRecord | undefined {
    const job = this.#job(jobId);
    return job === undefined
      ? undefined
      : this.#all('r.job = ? ORDER BY r.scheduled_at DESC LIMIT 1', job)[0];
  }

  slot(jobId: JobId, at: Instant): HistoryRow | undefined {
    const job = this.#job(jobId);
    if (job === undefined) return undefined;
    const [run] = this.#all('r.job = ? AND r.scheduled_at = ? ORDER BY r.manual LIMIT 1', job, at);
    if (run !== undefined) return { run };
    const skip = this.#db
      .prepare(
        `SELECT ${SKIP_COLUMNS} FROM skips s JOIN jobs j ON j.number = s.job
         WHERE s.job = ? AND s.scheduled_at <= ? ORDER BY s.scheduled_at DESC LIMIT 1`,
      )
      .get(job, at);
    if (skip === undefined || Number(skip['through']) < at) return undefined;
    return { skip: skipOf(skip) };
  }

  slotBefore(jobId: JobId, at: Instant): HistoryRow | undefined {
    return this.rows({ jobId, until: at, limit: 1 })[0];
  }

  jobs(ids: readonly JobId[], runs: number): Map<JobId, JobHistory> {
    const select = prepared(
      this.#db,
      `SELECT ${RUN_COLUMNS} FROM runs r JOIN jobs j ON j.number = r.job
       WHERE r.job = (SELECT number FROM jobs WHERE id = ?) ORDER BY r.scheduled_at DESC, r.manual DESC LIMIT ${runs}`,
    );
    return new Map(
      ids.map((id) => {
        const found = select.all(id).map(runOf);
        return [id, { last: found[0], outcomes: found.map(({ outcome }) => outcome?.kind ?? 'active') }];
      }),
    );
  }

  jobIds(): JobId[] {
    return this.#db
      .prepare('SELECT id FROM jobs ORDER BY id')
      .all()
      .map(({ id }) => id as string);
  }

  figures(): RunFigures {
    const totals = this.#db
      .prepare(
        `SELECT (SELECT count(*) FROM runs) AS runs,
                (SELECT count(*) FROM runs WHERE state <> 'finished') AS active,
                (SELECT claimed_at FROM runs ORDER BY id DESC LIMIT 1) AS last`,
      )
      .get();
    const loaded = this.#db.prepare('SELECT id FROM jobs WHERE schedule IS NOT NULL').all();
    const failing = [
      ...this.jobs(
        loaded.map(({ id }) => id as string),
        1,
      ),
    ].filter(([, { last }]) => FAILED.has(last?.outcome?.kind ?? ''));
    return {
      runs: Number(totals?.['runs'] ?? 0),
      active: Number(totals?.['active'] ?? 0),
      failing: failing.map(([id]) => id),
      ...(typeof totals?.['last'] === 'number' ? { lastRunAt: totals['last'] } : {}),
    };
  }

  durations(jobId: JobId, count: number): Duration[] {
    const rows = this.rows({ jobId, statuses: ['succeeded'], limit: count });
    return rows.flatMap((row) => ('run' in row ? (row.run.attempts.at(-1)?.duration ?? []) : []));
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
    return places;
  }

  pauses(): Map<JobId, Pause> {
    const rows = this.#db.prepare('SELECT job_id, since, until, reason FROM pauses').all();
    return new Map(rows.map((row) => [row['job_id'] as string, pauseOf(row)]));
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
    if (until !== undefined) where.and('r.scheduled_at <= ?', until);
    if (statuses !== undefined) {
      const condition = statusCondition(statuses);
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
    return this.#db
      .prepare(`SELECT ${RUN_COLUMNS} FROM runs r JOIN jobs j ON j.number = r.job WHERE ${condition}`)
      .all(...values)
      .map(runOf);
  }

  #job(id: JobId): number | undefined {
    return this.#db.prepare('SELECT number FROM jobs WHERE id = ?').get(id)?.['number'] as number | undefined;
  }
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
