/**
 * One daemon to a state directory. The lock is one that SQLite takes on a file of its own, which the kernel lets go of when its holder
 * ends, however it ends: it cannot go stale. Nothing else may open that file in the process that holds it (closing it there
 * would give up the lock: POSIX), and nobody may remove it.
 */
import { DatabaseSync } from 'node:sqlite';
import { chmodSync, closeSync, openSync } from 'node:fs';

/** Who asks whether it is held (isLocked) holds up its taking for that moment. Milliseconds. */
const PATIENCE = 200;

/** SQLITE_BUSY */
const BUSY = 5;

export interface Lock {
  release(): void;
}

/**
 * Takes the lock: undefined when another process has it.
 * @throws what the system says when the file cannot be made or locked
 */
export function takeLock(path: string): Lock | undefined {
  closeSync(openSync(path, 'a', 0o600));
  const db = new DatabaseSync(path, { timeout: PATIENCE });
  try {
    db.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    // Readers must find a database, or they would not ask for a lock.
    db.exec('CREATE TABLE IF NOT EXISTS held (by INTEGER); COMMIT; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
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
    return isBusy(error); // else there is no such file, or nothing in it
  } finally {
    db?.close();
  }
}

function isBusy(error: unknown): boolean {
  return ((error as { errcode?: number }).errcode ?? 0) % 256 === BUSY;
}
