/** Writing for a term: refused once somebody else conducts. */
import type { Database } from './database.ts';
import type { Queryable } from './queryable.ts';

/** Another node conducts by now: what was to be written for this term never will be. */
export class Deposed extends Error {
  override readonly name = 'Deposed';

  constructor(term: number) {
    super(`term ${term} is over: another node conducts`);
  }
}

/**
 * Makes sure, for the rest of the transaction, that the term is in force: whoever takes over waits until it is over. Beats do not
 * wait: they leave the term, which is a key, as it is, and so may change a row that is locked for its key.
 * @throws Deposed
 */
export async function fence(tx: Queryable, term: number): Promise<void> {
  const rows = await tx.query('SELECT 1 FROM conductor WHERE term = $1 FOR KEY SHARE', [term]);
  if (rows.length === 0) throw new Deposed(term);
}

/** A transaction that comes before the next term or not at all. @throws Deposed, DatabaseAway */
export function fenced<T>(database: Database, term: number, work: (tx: Queryable) => Promise<T>): Promise<T> {
  return database.transaction(async (tx) => {
    await fence(tx, term);
    return work(tx);
  });
}
