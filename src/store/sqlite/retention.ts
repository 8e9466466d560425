/** Removes history beyond what is to be kept, a slice at a time. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Instant, JobId, Retention, RunId } from '../../model.ts';

export interface PruneRequest extends Retention {
  readonly now: Instant;
  /** Jobs that have rows since they were last looked at. Absent: all. */
  readonly jobs?: readonly JobId[];
}

export interface Pruned {
  /** Whose output may go too. */
  readonly runs: readonly RunId[];
  /** There may be more to prune: ask again. */
  readonly more: boolean;
}

/** Rows in one transaction: some milliseconds. */
const SLICE = 500;
/** Pages given back to the file system at once. */
const PAGES = 500;

/** Prunes one slice. */
export function prune(db: DatabaseSync, request: PruneRequest): Pruned {
  const slice = new Slice(db);
  db.exec('BEGIN IMMEDIATE');
  try {
    if (request.maxAge !== undefined) slice.byAge(request.now - request.maxAge);
    for (const job of jobsOf(db, request.jobs)) {
      if (slice.isFull) break;
      slice.byCount(job, request.keep);
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
  if (slice.size > 0) db.exec(`PRAGMA incremental_vacuum(${PAGES})`);
  return { runs: slice.runs, more: slice.isFull };
}

class Slice {
  readonly runs: RunId[] = [];
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #skips = 0;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  get size(): number {
    return this.runs.length + this.#skips;
  }

  get isFull(): boolean {
    return this.size >= SLICE;
  }

  /** What was decided before `before`: ids begin with the time, and skips are numbered in its order. */
  byAge(before: Instant): void {
    const first = before.toString(16).padStart(12, '0');
    this.#remove('runs', "id < ? AND state = 'finished'", `${first.slice(0, 8)}-${first.slice(8)}`);
    this.#remove('skips', 'at < ? AND number < (SELECT min(number) FROM skips) + 10000', before);
  }

  byCount(job: number, keep: number): void {
    this.#trim('runs', "state = 'finished'", { job, keep });
    this.#trim('skips', 'true', { job, keep });
  }

  #trim(table: 'runs' | 'skips', condition: string, { job, keep }: { job: number; keep: number }): void {
    const oldest = this.#statement(
      `SELECT scheduled_at FROM ${table} WHERE job = ? ORDER BY scheduled_at DESC LIMIT 1 OFFSET ?`,
    ).get(job, keep);
    if (oldest === undefined) return;
    this.#remove(
      table,
      `job = ? AND scheduled_at <= ? AND ${condition}`,
      job,
      oldest['scheduled_at'] as number,
    );
  }

  #remove(table: 'runs' | 'skips', condition: string, ...values: readonly (string | number)[]): void {
    const key = table === 'runs' ? 'id' : 'number';
    const room = Math.max(SLICE - this.size, 0);
    const removed = this.#statement(
      `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE ${condition} LIMIT ?) RETURNING ${key} AS gone`,
    ).all(...values, room);
    if (table === 'skips') this.#skips += removed.length;
    else for (const { gone } of removed) this.runs.push(gone as string);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

function* jobsOf(db: DatabaseSync, ids: readonly JobId[] | undefined): Generator<number> {
  if (ids === undefined) {
    for (const { number } of db.prepare('SELECT number FROM jobs').all()) yield number as number;
    return;
  }
  const select = db.prepare('SELECT number FROM jobs WHERE id = ?');
  for (const id of ids) {
    const row = select.get(id);
    if (row !== undefined) yield row['number'] as number;
  }
}
