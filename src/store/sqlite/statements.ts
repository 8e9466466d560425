import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Statements kept of one database; their texts are ours, but filters make many. */
const MOST = 100;

const known = new WeakMap<DatabaseSync, Map<string, StatementSync>>();

/** The statement of a text, prepared once: preparing takes longer than most of them run. */
export function prepared(db: DatabaseSync, sql: string): StatementSync {
  const statements = known.get(db) ?? new Map<string, StatementSync>();
  known.set(db, statements);
  const statement = statements.get(sql) ?? db.prepare(sql);
  if (statements.size >= MOST) statements.clear();
  statements.set(sql, statement);
  return statement;
}
