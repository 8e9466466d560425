/**
 * One daemon to a state directory. The lock is one that SQLite takes on a file of its own, which the kernel lets go of when its holder
 * ends, however it ends: it cannot go stale. Nothing else may open that file in the process that holds it (closing it there
 * would give up the lock: POSIX), and nobody may remove it.
 */
import { DatabaseSync } from 'node:sqlite';
import { chmodSync, closeSync, openSync, truncateSync } from 'node:fs';

/** Who asks whether it is held (isLocked) holds up its taking for that moment. Milliseconds. */
const PATIENCE = 200;

/** SQLITE_BUSY */
const BUSY = 5;
/** SQLITE_CORRUPT, SQLITE_NOTADB */
const DAMAGED: ReadonlySet<number> = new Set([11, 26]);

export interface Lock {
  release(): void;
}

/**
 * Takes the lock: undefined when another process has it.
 * @throws Error with `code` and `path` when the file cannot be made or locked
 */
export function takeLock(path: string): Lock | undefined {
  closeSync(openSync(path, 'a', 0o600));
  let db: DatabaseSync | undefined;
  try {
    db = lockedFile(path);
  } catch (error) {
    if (!DAMAGED.has(codeOf(error))) throw Object.assign(error as Error, { path });
    // Whoever could read that much of it has found that nobody holds it: a kill in the middle of its making, say.
    truncateSync(path);
    db = lockedFile(path);
  }
  if (db === undefined) return undefined;
  chmodSync(path, 0o600);
  return {
    release() {
      if (db.isOpen) db.close();
    },
  };
}

/** Whether a daemon holds the lock. */
export function isLocked(path: string): boolean {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: 0, readOnly: true });
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return false;
  } catch (error) {
    return codeOf(error) === BUSY; // else there is no such file, or nothing in it
  } finally {
    db?.close();
  }
}

function lockedFile(path: string): DatabaseSync | undefined {
  const db = new DatabaseSync(path, { timeout: PATIENCE });
  try {
    db.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    // Readers must find a database, or they would not ask for a lock.
    db.exec('CREATE TABLE IF NOT EXISTS held (by INTEGER); COMMIT; BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db.close();
    if (codeOf(error) === BUSY) return undefined;
    throw error;
  }
}

/** SQLite's own, without what it adds in its extended codes. */
function codeOf(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) % 256;
}
