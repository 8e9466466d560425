/**
 * The thread that holds the daemon's database: a slow disk, a lock of another process or a long clean-up holds up this thread,
 * never the loop that starts jobs.
 */
import { statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { Instant, JobId } from '../../model.ts';
import type { BatchData } from '../batch.ts';
import type { PruneRequest } from '../pruner.ts';
import { DatabaseRefused, openDatabase, openInside } from './open.ts';
import { ownersOf } from './owners.ts';
import type { Answers, Held, Notice, Reply, Request, Trouble } from './protocol.ts';
import { Reader } from './reader.ts';
import { Recorder } from './recorder.ts';
import { Remembered } from './remembered.ts';
import { prune } from './retention.ts';
import { hours, lanes, load } from './timeline.ts';

/** The file that was opened is no longer the one of its name: it was removed, or its directory was. */
class DatabaseGone extends Error {
  override readonly name = 'DatabaseGone';
}

/** Bytes of a page: SQLite's default, which open.ts leaves as it is. */
const PAGE = 4096;
/** Rows written between two checkpoints: 2 to 6 MB of the write-ahead log, some ten milliseconds of copying. */
const CHECKPOINT = 1000;
/** A slice of pruning takes no longer: a claim may wait for it. Milliseconds. */
const SLICE = 20;
/** The write-ahead log is remarkable from here on, and each time it has doubled. Bytes. */
const LONG_LOG = 64 * 1024 * 1024;

class Holder {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #inode: string;
  readonly #reader: Reader;
  readonly #changes: StatementSync;
  /** Only of who reads: its own writing SQLite does not tell. */
  readonly #remembered: Remembered<Answers[Request['kind']]> | undefined;
  #checkpointed = 0;
  #recorder: Recorder | undefined;
  #remarkable = LONG_LOG;

  constructor({ path, readOnly }: Held) {
    this.#path = path;
    this.#db = readOnly ? openInside(path) : openDatabase(path);
    this.#inode = identity(path);
    this.#reader = new Reader(this.#db);
    this.#changes = this.#db.prepare('SELECT total_changes() AS rows');
    if (readOnly) this.#remembered = new Remembered(this.#db);
  }

  answer(request: Request): Answers[Request['kind']] {
    // SQLite would go on "succeeding" in a file that has no name any more.
    if (identity(this.#path) !== this.#inode) throw new DatabaseGone(`${this.#path} was removed`);
    const find = (): Answers[Request['kind']] => this.#find(request);
    return this.#remembered === undefined ? find() : this.#remembered.answer(request, find);
  }

  #find(request: Request): Answers[Request['kind']] {
    switch (request.kind) {
      case 'contents':
        return this.#contents();
      case 'record':
        this.#recorder ??= new Recorder(this.#db);
        return this.#recorder.record(JSON.parse(request.batch) as BatchData);
      case 'prune':
        return this.#prune(request.request);
      case 'rows':
        return this.#reader.rows(request.query);
      case 'page':
        return this.#reader.page(request.query);
      case 'run':
        return this.#reader.run(request.id);
      case 'unique_lengths':
        return new Map(request.ids.map((id) => [id, this.#reader.uniqueLength(id)]));
      case 'jobs':
        return this.#reader.jobs(request.ids, request.runs);
      case 'slot':
        return this.#slot(request.id, request.at);
      case 'newest_slot':
        return this.#reader.newestSlot(request.id, request.at);
      case 'latest':
        return this.#reader.latest(request.ids);
      case 'failing':
        return this.#reader.failing();
      case 'counts':
        return this.#reader.counts(request.jobId, request.spans);
      case 'hours':
        return hours(this.#db, request.window);
      case 'lanes':
        return lanes(this.#db, request.query);
      case 'load':
        return load(this.#db, request.window);
      case 'owners':
        return ownersOf(this.#db, request.runs);
      case 'close':
        this.close();
        return null;
    }
  }

  /**
   * Copies the write-ahead log into the file when it is long enough: between two batches, where no start waits for it. While another
   * process reads (a copy, a shell with a transaction left open) the log cannot begin anew and grows.
   */
  tidy(): Notice | undefined {
    if (!this.#db.isOpen || this.#remembered !== undefined) return undefined;
    const rows = Number(this.#changes.get()?.['rows']);
    if (rows - this.#checkpointed < CHECKPOINT) return undefined;
    this.#checkpointed = rows;
    const { log } = this.#db.prepare('PRAGMA wal_checkpoint(PASSIVE)').get() ?? {};
    const logSize = Number(log) * PAGE;
    if (logSize < LONG_LOG) this.#remarkable = LONG_LOG;
    if (logSize < this.#remarkable) return undefined;
    this.#remarkable = 2 * logSize;
    return { logSize };
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #slot(id: JobId, at: Instant): Answers['slot'] {
    const reader = this.#reader;
    return { row: reader.slot(id, at), kept: reader.kept(id), place: reader.place(id) };
  }

  #prune(request: PruneRequest): Answers['prune'] {
    const end = performance.now() + SLICE;
    return prune(this.#db, request, () => performance.now() > end);
  }

  #contents(): Answers['contents'] {
    const reader = this.#reader;
    return {
      unfinished: reader.unfinished(),
      places: reader.places(),
      pauses: reader.pauses(),
      added: reader.added(),
      successes: reader.successes(),
      requests: reader.requests(),
      joins: reader.joins(),
      messages: reader.messages(),
      told: reader.told(),
      replays: reader.replays(),
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

/** What cannot be tidied up now, the next batch will say louder. */
function tidied(holder: Holder | undefined): Notice | undefined {
  try {
    return holder?.tidy();
  } catch {
    return undefined;
  }
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
    const notice = tidied(holder);
    if (notice !== undefined) port.postMessage(notice);
    if (request.kind === 'close') port.close();
  });
}

serve(workerData as Held);
