/** Removes history beyond what is to be kept, a slice at a time. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Instant, JobId, RunId } from '../../model.ts';
import type { Pruned, PruneRequest } from '../pruner.ts';

/** Rows in one transaction, at most. */
const SLICE = 500;
/** Rows between two looks at the time: about a millisecond. */
const STEP = 50;
/** Pages given back to the file system at once. */
const PAGES = 250;

/** Prunes one slice: so many rows at most, and, but for the first step, only until `isOver`. */
export function prune(db: DatabaseSync, request: PruneRequest, isOver = (): boolean => false): Pruned {
  const slice = new Slice(db, isOver);
  db.exec('BEGIN IMMEDIATE');
  try {
    const next = slice.take(request);
    db.exec('COMMIT');
    if (slice.size > 0) db.exec(`PRAGMA incremental_vacuum(${PAGES})`);
    return { runs: slice.runs, more: next !== undefined, next: next ?? 0 };
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** A job to look at. */
interface Stop {
  readonly job: number | undefined;
  /** Where it stands among all there are to look at: what `from` counts. */
  readonly place: number;
}

class Slice {
  readonly runs: RunId[] = [];
  readonly #db: DatabaseSync;
  readonly #isOver: () => boolean;
  readonly #statements = new Map<string, StatementSync>();
  #skips = 0;

  constructor(db: DatabaseSync, isOver: () => boolean) {
    this.#db = db;
    this.#isOver = isOver;
  }

  get size(): number {
    return this.runs.length + this.#skips;
  }

  get #isFull(): boolean {
    return this.size >= SLICE || this.#isOver();
  }

  /** Where the next slice is to go on; undefined when all is done. */
  take({ jobs, from = 0, now, keep, maxAge }: PruneRequest): number | undefined {
    if (maxAge !== undefined && !this.#byAge(now - maxAge)) return from;
    for (const { job, place } of jobs === undefined ? this.#allFrom(from) : this.#named(jobs, from)) {
      if (job !== undefined && !this.#byCount(job, keep)) return place;
      if (this.#isFull) return place + 1;
    }
    return undefined;
  }

  *#allFrom(from: number): Generator<Stop> {
    const select = this.#statement('SELECT number FROM jobs WHERE number >= ? ORDER BY number');
    for (const { number } of select.iterate(from)) yield { job: number as number, place: number as number };
  }

  *#named(jobs: readonly JobId[], from: number): Generator<Stop> {
    const select = this.#statement('SELECT number FROM jobs WHERE id = ?');
    for (let place = from; place < jobs.length; place += 1) {
      yield { job: select.get(jobs[place] ?? '')?.['number'] as number | undefined, place };
    }
  }

  /** What was decided before `before`: ids begin with the time, and skips are numbered in its order. True when none is left. */
  #byAge(before: Instant): boolean {
    const first = before.toString(16).padStart(12, '0');
    const id = `${first.slice(0, 8)}-${first.slice(8)}`;
    return (
      this.#removeAll('runs', "id < ? AND state = 'finished'", id) &&
      this.#removeAll('skips', 'at < ? AND number < (SELECT min(number) FROM skips) + 10000', before)
    );
  }

  #byCount(job: number, keep: number): boolean {
    return (
      this.#trim('runs', "manual >= 0 AND state = 'finished'", { job, keep }) &&
      this.#trimReplayed(job, keep) &&
      this.#trim('skips', 'true', { job, keep })
    );
  }

  /** Slots of replays are old from the beginning: of them the newest replays stay. */
  #trimReplayed(job: number, keep: number): boolean {
    const oldest = this.#statement(
      'SELECT replay, scheduled_at FROM runs WHERE job = ? AND replay IS NOT NULL ORDER BY replay DESC, scheduled_at DESC LIMIT 1 OFFSET ?',
    ).get(job, keep);
    if (oldest === undefined) return true;
    const condition =
      "job = ? AND replay IS NOT NULL AND (replay, scheduled_at) <= (?, ?) AND state = 'finished'";
    return this.#removeAll(
      'runs',
      condition,
      job,
      oldest['replay'] as string,
      oldest['scheduled_at'] as number,
    );
  }

  #trim(table: 'runs' | 'skips', condition: string, { job, keep }: { job: number; keep: number }): boolean {
    const counted = table === 'runs' ? 'manual >= 0' : 'true';
    const oldest = this.#statement(
      `SELECT scheduled_at FROM ${table} WHERE job = ? AND ${counted} ORDER BY scheduled_at DESC LIMIT 1 OFFSET ?`,
    ).get(job, keep);
    if (oldest === undefined) return true;
    const through = oldest['scheduled_at'] as number;
    return this.#removeAll(table, `job = ? AND scheduled_at <= ? AND ${condition}`, job, through);
  }

  /** A step at a time. True when none is left. */
  #removeAll(table: 'runs' | 'skips', condition: string, ...values: readonly (string | number)[]): boolean {
    const key = table === 'runs' ? 'id' : 'number';
    const remove = this.#statement(
      `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE ${condition} LIMIT ${STEP}) RETURNING ${key} AS gone`,
    );
    for (;;) {
      const removed = remove.all(...values);
      if (table === 'skips') this.#skips += removed.length;
      else for (const { gone } of removed) this.runs.push(gone as string);
      if (removed.length < STEP) return true;
      if (this.#isFull) return false;
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}
