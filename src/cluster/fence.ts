/** Writing for a term: refused once somebody else conducts. */
import type { Database, Queryable } from '../postgres/database.ts';

/** Another node conducts by now: what was to be written for this term never will be. */
export class Deposed extends Error {
  override readonly name = 'Deposed';

  constructor(term: number) {
    super(`term ${term} is over: another node conducts`);
  }
}

/** A transaction that comes before the next term or not at all. @throws Deposed, DatabaseAway */
export function fenced<T>(database: Database, term: number, work: (tx: Queryable) => Promise<T>): Promise<T> {
  return database.transaction(async (tx) => {
    const rows = await tx.query('SELECT 1 FROM conductor WHERE term = $1 FOR SHARE', [term]);
    if (rows.length === 0) throw new Deposed(term);
    return work(tx);
  });
}
