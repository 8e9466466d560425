/** The rows of a SQLite database in a PostgreSQL one: what is asked of both has one answer. */
import { DatabaseSync } from 'node:sqlite';
import { json, type Database } from '../../src/postgres/database.ts';

/** What history is made of; jobs first, to which the others refer. */
const TABLES = ['jobs', 'runs', 'skips'] as const;
const DOCUMENTS: ReadonlySet<string> = new Set([
  'arguments',
  'attempts',
  'outcome',
  'upstream',
  'pool',
  'waited',
  'shards',
]);

/** Puts them in place of what is there. */
export async function copyRows(path: string, database: Database): Promise<void> {
  const source = new DatabaseSync(path, { readOnly: true });
  try {
    const all = TABLES.map(
      (table) => [table, source.prepare(`SELECT * FROM ${table}`).all().map(parsed)] as const,
    );
    await database.transaction(async (tx) => {
      await tx.run(`TRUNCATE ${TABLES.join(', ')}`);
      for (const [table, rows] of all) {
        const columns = Object.keys(rows[0] ?? {}).join(', ');
        if (rows.length === 0) continue;
        const sql = `INSERT INTO ${table} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM jsonb_populate_recordset(NULL::${table}, $1)`;
        for (let begin = 0; begin < rows.length; begin += 5000)
          await tx.run(sql, [json(rows.slice(begin, begin + 5000))]);
      }
    });
    await database.run(`ANALYZE ${TABLES.join(', ')}`);
  } finally {
    source.close();
  }
}

function parsed(row: Record<string, unknown>): Record<string, unknown> {
  const parse = ([name, value]: [string, unknown]): [string, unknown] => [
    name,
    DOCUMENTS.has(name) && typeof value === 'string' ? JSON.parse(value) : value,
  ];
  return Object.fromEntries(Object.entries(row).map(parse));
}
