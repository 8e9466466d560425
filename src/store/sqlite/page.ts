/** The rows of a page of the history. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { RunPage, RunQuery } from '../../engine/ports-operator.ts';
import { cursorIn, pageOf, type Key } from '../page.ts';
import { statusCondition } from '../statuses.ts';
import { RUN_COLUMNS, SKIP_COLUMNS } from './rows.ts';
import { prepared } from './statements.ts';
import { OUTCOME } from './timeline.ts';

interface Table {
  readonly columns: string;
  readonly from: string;
  readonly sortedBy: string;
  readonly tie: string;
  readonly since: string;
  readonly until: string;
}

const RUNS: Table = {
  columns: RUN_COLUMNS,
  from: 'runs r JOIN jobs j ON j.number = r.job',
  sortedBy: 'r.scheduled_at',
  tie: 'r.id',
  since: 'r.scheduled_at',
  until: 'r.scheduled_at',
};
const SKIPS: Table = {
  columns: `${SKIP_COLUMNS}, s.number`,
  from: 'skips s JOIN jobs j ON j.number = s.job',
  sortedBy: 's.scheduled_at',
  tie: 's.number',
  since: 's.through',
  until: 's.scheduled_at',
};

/** One page of the history. Undefined: the cursor is not one of ours. */
export function page(db: DatabaseSync, query: RunQuery): RunPage | undefined {
  const cursor = cursorIn(query.cursor);
  if (cursor === undefined) return undefined;
  const { statuses } = query;
  const condition = statuses === undefined ? 'true' : statusCondition(statuses, OUTCOME);
  const withSkips = statuses === undefined || statuses.includes('skipped');
  const found = {
    runs: condition === undefined ? [] : select(db, RUNS, { query, after: cursor.run, condition }),
    skips: withSkips ? select(db, SKIPS, { query, after: cursor.skip, condition: 'true' }) : [],
  };
  return pageOf(found, query, cursor);
}

interface Wanted {
  readonly query: RunQuery;
  readonly after: Key | undefined;
  readonly condition: string;
}

/** Of one job by scheduled time, which its index has; of all by id or number, which count up with the moment of decision. */
function select(db: DatabaseSync, table: Table, { query, after, condition }: Wanted) {
  const { jobId, since, until, limit } = query;
  const { sortedBy, tie } = table;
  const ofOne = jobId !== undefined;
  const values: SQLInputValue[] = [];
  const conditions = [condition];
  const and = (text: string, ...more: readonly SQLInputValue[]): void => {
    conditions.push(text);
    values.push(...more);
  };
  if (ofOne) and(`j.id = ?`, jobId);
  if (since !== undefined) and(`${table.since} >= ?`, since);
  if (until !== undefined) and(`${table.until} <= ?`, until);
  if (after !== undefined && ofOne) and(`(${sortedBy}, ${tie}) < (?, ?)`, ...after);
  else if (after !== undefined) and(`${tie} < ?`, after[1]);
  const order = ofOne ? `${sortedBy} DESC, ${tie} DESC` : `${tie} DESC`;
  const sql = `SELECT ${table.columns} FROM ${table.from} WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ?`;
  return prepared(db, sql).all(...values, limit + 1);
}
