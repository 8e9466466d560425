/** What a person does to the database by hand; a daemon may be writing it meanwhile. */
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { openBeside, openToRead, problemsOf } from './open.ts';
import type { Pruned, PruneRequest } from '../pruner.ts';
import { prune } from './retention.ts';

/**
 * What is wrong with the database, read whole; nothing when it is sound.
 * @throws DatabaseRefused
 */
export function checkDatabase(path: string): string[] {
  const db = openToRead(path);
  try {
    const lost = db.prepare('PRAGMA foreign_key_check').all();
    const dangling = lost.map(
      ({ table, parent }) => `a row of ${String(table)} names one of ${String(parent)} that is not there`,
    );
    return [...problemsOf(db, 'integrity_check'), ...new Set(dangling)];
  } finally {
    db.close();
  }
}

/** The copy that was made is not sound. */
export class BackupUnsound extends Error {
  override readonly name = 'BackupUnsound';
}

/**
 * Copies the database, as it is at one moment, to a new file that only its owner can read. Gives its size in bytes.
 * @throws DatabaseRefused; BackupUnsound; Error with `code` when the file cannot be made (EEXIST: it is there); then nothing is left of it
 */
export async function backUpDatabase(path: string, target: string): Promise<number> {
  const db = openToRead(path);
  try {
    closeSync(openSync(target, 'wx', 0o600));
    try {
      // All in one step: a copy in several begins anew whenever the daemon writes.
      await backup(db, target, { rate: 0x7fff_ffff });
      assertSound(target);
      return statSync(target).size;
    } catch (error) {
      for (const end of ['', '-wal', '-shm', '-journal']) rmSync(`${target}${end}`, { force: true });
      throw error;
    }
  } finally {
    db.close();
  }
}

function assertSound(path: string): void {
  const db = new DatabaseSync(path);
  try {
    // A copy is one file: the write-ahead log of the original is in it.
    db.exec('PRAGMA journal_mode = DELETE');
    const [problem] = problemsOf(db, 'quick_check', 1);
    if (problem !== undefined) throw new BackupUnsound(problem);
  } finally {
    db.close();
  }
}

/**
 * Prunes slice by slice, giving each as it is done: who asks lets the daemon have its turn in between.
 * @throws DatabaseRefused
 */
export function* pruneDatabase(path: string, request: PruneRequest): Generator<Pruned> {
  const db = openBeside(path);
  try {
    for (let more = true; more;) {
      const pruned = prune(db, request);
      ({ more } = pruned);
      yield pruned;
    }
  } finally {
    db.close();
  }
}
