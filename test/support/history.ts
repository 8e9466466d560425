/** What a state directory holds, whether or not a daemon is at work in it. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { RunRecord, SkipRecord } from '../../src/model.ts';
import { openToRead, problemsOf } from '../../src/store/sqlite/open.ts';
import { Reader } from '../../src/store/sqlite/reader.ts';

export interface History {
  /** Oldest decision first. */
  readonly runs: readonly RunRecord[];
  readonly skips: readonly SkipRecord[];
}

/** All of it, or that of one job. */
export function historyOf(stateDirectory: string, jobId?: string): History {
  const reader = new Reader(openToRead(join(stateDirectory, 'tsched.db')));
  const rows = reader.rows({ limit: 1_000_000 }).reverse();
  reader.close();
  const runs = rows.flatMap((row) => ('run' in row ? [row.run] : []));
  const skips = rows.flatMap((row) => ('skip' in row ? [row.skip] : []));
  const isOf = (row: { readonly jobId: string }): boolean => jobId === undefined || row.jobId === jobId;
  return { runs: runs.filter(isOf), skips: skips.filter(isOf) };
}

/** What is wrong with its database. */
export function damageOf(stateDirectory: string): string[] {
  const db = new DatabaseSync(join(stateDirectory, 'tsched.db'));
  try {
    return problemsOf(db, 'integrity_check');
  } finally {
    db.close();
  }
}
