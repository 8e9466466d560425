/**
 * The thread that holds the daemon's database: a slow disk, a lock of another process or a long clean-up holds up this thread,
 * never the loop that starts jobs.
 */
import { statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { BatchData } from '../batch.ts';
import { DatabaseRefused, openDatabase, openToRead } from './open.ts';
import type { Answers, Held, Reply, Request, Trouble } from './protocol.ts';
import { Reader } from './reader.ts';
import { Recorder } from './recorder.ts';
import { prune } from './retention.ts';

/** The file that was opened is no longer the one of its name: it was removed, or its directory was. */
class DatabaseGone extends Error {
  override readonly name = 'DatabaseGone';
}

/** Rows written between two checkpoints: 2 to 6 MB of the write-ahead log, some ten milliseconds of copying. */
const CHECKPOINT = 1000;

class Holder {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #inode: string;
  readonly #reader: Reader;
  readonly #changes: StatementSync;
  #checkpointed = 0;
  #recorder: Recorder | undefined;

  constructor({ path, readOnly }: Held) {
    this.#path = path;
    this.#db = readOnly ? openToRead(path) : openDatabase(path);
    this.#inode = identity(path);
    this.#reader = new Reader(this.#db);
    this.#changes = this.#db.prepare('SELECT total_changes() AS rows');
  }

  answer(request: Request): Answers[Request['kind']] {
    // SQLite would go on "succeeding" in a file that has no name any more.
    if (identity(this.#path) !== this.#inode) throw new DatabaseGone(`${this.#path} was removed`);
    switch (request.kind) {
      case 'contents':
        return this.#contents();
      case 'record':
        this.#recorder ??= new Recorder(this.#db);
        return this.#recorder.record(JSON.parse(request.batch) as BatchData);
      case 'prune':
        return prune(this.#db, request.request);
      case 'rows':
        return this.#reader.rows(request.query);
      case 'page':
        return this.#reader.page(request.query);
      case 'run': {
        const run = this.#reader.run(request.id);
        return run === 'ambiguous' ? undefined : run;
      }
      case 'jobs':
        return this.#reader.jobs(request.ids, request.runs);
      case 'failing':
        return this.#reader.figures().failing;
      case 'close':
        this.close();
        return null;
    }
  }

  /** Copies the write-ahead log into the file when it is long enough: between two batches, where no start waits for it. */
  tidy(): void {
    if (!this.#db.isOpen) return;
    const rows = Number(this.#changes.get()?.['rows']);
    if (rows - this.#checkpointed < CHECKPOINT) return;
    this.#checkpointed = rows;
    this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)');
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #contents(): Answers['contents'] {
    const reader = this.#reader;
    return {
      unfinished: reader.unfinished(),
      places: reader.places(),
      pauses: reader.pauses(),
      added: reader.added(),
      successes: reader.successes(),
      messages: reader.messages(),
      told: reader.told(),
    };
  }
}

/** Empty when there is nothing of that name. */
function identity(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`;
}

/** SQLite's own: NOMEM, BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB */
const DISK: ReadonlySet<number> = new Set([7, 5, 6, 8, 10, 11, 13, 14, 26]);

function troubleOf(error: unknown): Trouble {
  if (error instanceof DatabaseRefused) return { kind: 'refused', message: error.message, hint: error.hint };
  const { errcode, errstr, syscall, message, stack } = error as NodeJS.ErrnoException & {
    errcode?: number;
    errstr?: string;
  };
  if (error instanceof DatabaseGone) return { kind: 'gone', message };
  if (errcode !== undefined && DISK.has(errcode & 0xff)) return { kind: 'disk', message: errstr ?? message };
  if (syscall !== undefined) return { kind: 'disk', message };
  return { kind: 'bug', message: stack ?? message };
}

function serve(held: Held): void {
  let holder: Holder | undefined;
  const port = parentPort;
  port?.on('message', (request: Request) => {
    let reply: Reply;
    try {
      holder ??= new Holder(held);
      reply = { answer: holder.answer(request) };
    } catch (error) {
      reply = { trouble: troubleOf(error) };
    }
    port.postMessage(reply);
    holder?.tidy();
    if (request.kind === 'close') port.close();
  });
}

serve(workerData as Held);
