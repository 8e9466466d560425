import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Request } from './protocol.ts';

/** Answers kept at the most. Those who ask all the time ask few things. */
const MOST = 20;

/** Rows, or jobs, of an answer that is kept: what is asked for in bulk is asked for once, and takes room. */
const MOST_ROWS = 100;

/**
 * Answers of a database that is only read here, for as long as nobody has written to it: SQLite knows whether somebody did
 * (https://www.sqlite.org/pragma.html#pragma_data_version).
 */
export class Remembered<Answer> {
  readonly #versionOf: StatementSync;
  readonly #answers = new Map<string, Answer>();
  #version: unknown;

  constructor(db: DatabaseSync) {
    this.#versionOf = db.prepare('PRAGMA data_version');
  }

  /** The answer it was given last, or that which `find` gives now. Its version is asked first: what is written meanwhile is found the next time. */
  answer(request: Request, find: () => Answer): Answer {
    if (!isShort(request)) return find();
    const version = this.#versionOf.get()?.['data_version'];
    if (version !== this.#version || this.#answers.size >= MOST) this.#answers.clear();
    this.#version = version;
    const key = JSON.stringify(request);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const found = find();
    this.#answers.set(key, found);
    return found;
  }
}

function isShort(request: Request): boolean {
  if (request.kind === 'page') return request.query.limit <= MOST_ROWS;
  if (request.kind === 'jobs') return request.ids.length <= MOST_ROWS;
  return request.kind === 'run';
}
