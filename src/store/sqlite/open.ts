/** Opens the database file, and finds out first whether it is one, ours, whole and not from a newer tsched. */
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { APPLICATION_ID, migrate, SCHEMA_VERSION, schemaVersion } from './schema.ts';

/** Why the file cannot be used. Nothing in it was changed. */
export class DatabaseRefused extends Error {
  override readonly name = 'DatabaseRefused';
  readonly reason: 'foreign' | 'damaged' | 'newer' | 'older' | 'unreadable' | 'absent';
  readonly hint: string;

  constructor(reason: DatabaseRefused['reason'], message: string, hint: string) {
    super(message);
    this.reason = reason;
    this.hint = hint;
  }
}

/** How long to wait for another process that writes (a backup tool, say) before that is a failure. Milliseconds. */
const BUSY = 250;

/** The same for a person who waits for it. Milliseconds. */
const PATIENT = 5000;

/** A file up to this size is read and checked whole at each start, which takes about 0.1 s. Bytes. */
const SMALL = 16 * 1024 * 1024;

const MAGIC = 'SQLite format 3\0';

/**
 * Opens the database to write it; makes it, and brings its tables up to date, if need be.
 * @throws DatabaseRefused; what the system says when there is no room, or no right, for it
 */
export function openDatabase(path: string): DatabaseSync {
  const size = inspect(path);
  // Made here, so that nobody else can read it: SQLite gives the files beside it the same rights.
  if (size === undefined) closeSync(openSync(path, 'a', 0o600));
  const db = new DatabaseSync(path, { timeout: BUSY, enableForeignKeyConstraints: false });
  try {
    refuseNewer(path, db);
    // Takes effect on an empty file only: pages that pruning frees can be given back.
    if (size === undefined || size === 0) db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216');
    // Checkpoints come between batches (thread.ts); only where that does not do, within one, at 16 MB.
    db.exec('PRAGMA wal_autocheckpoint = 4000');
    if (size !== undefined && size <= SMALL) check(path, db);
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw explained(path, error);
  }
}

/**
 * Opens the database to read it, whether or not a daemon is writing it. Never in the process of that daemon: there, openInside.
 * @throws DatabaseRefused, with reason `absent` where there is none
 */
export function openToRead(path: string): DatabaseSync {
  return openedToRead(path, inspect);
}

/**
 * The same in the process of the daemon that writes it. There nobody may open the file but SQLite: who closes a descriptor of a file
 * gives up all locks that his process has on it (POSIX), and with them what tells other programs that the database is in use. The first
 * of them to close it would then remove the write-ahead log, and the daemon go on writing into a file without a name.
 */
export function openInside(path: string): DatabaseSync {
  return openedToRead(path, (file) => statSync(file).size);
}

function openedToRead(path: string, look: (path: string) => number | undefined): DatabaseSync {
  const absent = new DatabaseRefused(
    'absent',
    `there is no ${path}`,
    'a daemon makes it when it starts: tsched start',
  );
  // `existsSync` would call absent what is only hidden from us.
  if (!isThere(path) || look(path) === 0) throw absent;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: BUSY, readOnly: true });
    refuseNewer(path, db);
    if (schemaVersion(db) === 0) throw absent;
    refuseOlder(path, db);
    return db;
  } catch (error) {
    db?.close();
    throw explained(path, error);
  }
}

/**
 * Opens the database to change what is in it by hand, beside a daemon perhaps, whose tables are left as they are.
 * @throws DatabaseRefused, with reason `older` where only a daemon may bring it up to date
 */
export function openBeside(path: string): DatabaseSync {
  openToRead(path).close();
  const db = new DatabaseSync(path, { timeout: PATIENT, enableForeignKeyConstraints: false });
  try {
    refuseOlder(path, db);
    return db;
  } catch (error) {
    db.close();
    throw explained(path, error);
  }
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false;
    throw explained(path, error);
  }
}

/** Reads the whole file. Gives what is wrong with it, at most `most` lines; none when it is sound. */
export function problemsOf(db: DatabaseSync, kind: 'quick_check' | 'integrity_check', most = 100): string[] {
  const rows = db.prepare(`PRAGMA ${kind}(${most})`).all();
  return rows.map((row) => String(row[kind])).filter((text) => text !== 'ok');
}

/** The file's size; undefined when there is none. Looks at what no transaction changes, and what every one does. */
function inspect(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const head = Buffer.alloc(100);
  let size: number;
  let log: number;
  try {
    const file = openSync(path, 'r');
    try {
      // In this order: what a checkpoint that ends meanwhile takes from the log is in the file by then.
      readSync(file, head, 0, head.length, 0);
      log = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
      ({ size } = fstatSync(file));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw explained(path, error);
  }
  if (size === 0) return 0;
  if (head.toString('latin1', 0, 16) !== MAGIC) throw damaged(path, 'it is not an SQLite database');
  const application = head.readUInt32BE(68);
  if (application !== APPLICATION_ID && application !== 0) {
    throw new DatabaseRefused(
      'foreign',
      `${path} is a database of another program`,
      'name another directory with --state-dir',
    );
  }
  const pageSize = head.readUInt16BE(16) === 1 ? 65_536 : head.readUInt16BE(16);
  // The page count is to be believed when it was written by the same commit as the change counter.
  const isCounted = head.readUInt32BE(24) === head.readUInt32BE(92);
  const missing = head.readUInt32BE(28) - Math.floor(size / pageSize);
  if (isCounted && missing > framesOf(log, pageSize)) throw damaged(path, 'its end is missing');
  return size;
}

/**
 * How many pages the write-ahead log can hold. A checkpoint that was cut short (kill -9, a full disk) has written the first page,
 * with the new count, but not the last ones: those are still in the log, and SQLite takes them from there.
 */
function framesOf(log: number, pageSize: number): number {
  return Math.max(Math.floor((log - 32) / (pageSize + 24)), 0);
}

function refuseNewer(path: string, db: DatabaseSync): void {
  const version = schemaVersion(db);
  if (version <= SCHEMA_VERSION) return;
  throw new DatabaseRefused(
    'newer',
    `${path} was written by a newer tsched: its tables are version ${version}, this one knows up to ${SCHEMA_VERSION}`,
    'install that tsched again, or name another directory with --state-dir',
  );
}

/** Only a daemon brings the tables up to date, when it starts. */
function refuseOlder(path: string, db: DatabaseSync): void {
  const version = schemaVersion(db);
  if (version === SCHEMA_VERSION) return;
  throw new DatabaseRefused(
    'older',
    `${path} was written by an older tsched: its tables are version ${version}, this one writes ${SCHEMA_VERSION}`,
    'start a daemon of this version once, or restart the one that runs: tsched start',
  );
}

function check(path: string, db: DatabaseSync): void {
  const [problem] = problemsOf(db, 'quick_check', 1);
  if (problem !== undefined) throw damaged(path, problem);
}

function damaged(path: string, what: string): DatabaseRefused {
  return new DatabaseRefused(
    'damaged',
    `${path} is damaged: ${what}. Nothing in it was changed`,
    `look at it with "tsched db check"; bring back a backup, or set it aside (${settingAside(path)}) to begin with an empty history`,
  );
}

/** What to type so that nothing of a database is left in the way, and nothing of it lost: part of it may be in its log. */
export function settingAside(path: string): string {
  const log = existsSync(`${path}-wal`) ? ` && mv ${path}-wal ${path}.damaged-wal` : '';
  return `mv ${path} ${path}.damaged${log}`;
}

/** SQLITE_CORRUPT, SQLITE_NOTADB */
const DAMAGED: ReadonlySet<unknown> = new Set([11, 26]);
/** SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM */
const CLOSED: ReadonlySet<unknown> = new Set([14, 8, 3]);

/** As DatabaseRefused, where what SQLite or the system says is of that kind; else as it is. */
export function explained(path: string, error: unknown): unknown {
  if (error instanceof DatabaseRefused) return error;
  const { errcode, errstr, code, message } = error as NodeJS.ErrnoException & {
    errcode?: number;
    errstr?: string;
  };
  const primary = errcode === undefined ? undefined : errcode & 0xff;
  if (DAMAGED.has(primary)) return damaged(path, errstr ?? message);
  if (CLOSED.has(primary) || code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new DatabaseRefused(
      'unreadable',
      `${path} cannot be opened: ${errstr ?? message}`,
      'its owner can; or name another directory with --state-dir',
    );
  }
  return error;
}
