/** The history a page at a time. Rows that come meanwhile move no page. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { HistoryRow } from '../../engine/ports.ts';
import type { RunPage, RunQuery } from '../../engine/ports-operator.ts';
import { RUN_COLUMNS, runOf, SKIP_COLUMNS, skipOf } from './rows.ts';
import { prepared } from './statements.ts';
import { statusCondition } from './statuses.ts';

/** Of the last row shown of each kind: what it is sorted by, and what tells it from others sorted alike. */
type Key = readonly [sortedBy: number, tie: string | number];

interface Cursor {
  readonly run?: Key;
  readonly skip?: Key;
}

interface Found {
  readonly row: HistoryRow;
  readonly key: Key;
}

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
  const cursor = read(query.cursor);
  if (cursor === undefined) return undefined;
  const found = merged(runs(db, query, cursor.run), skips(db, query, cursor.skip)).slice(0, query.limit + 1);
  const shown = found.slice(0, query.limit);
  const rows = shown.map(({ row }) => row);
  if (found.length <= query.limit) return { rows, next: undefined };
  const last = (kind: 'run' | 'skip'): Key | undefined =>
    shown.findLast(({ row }) => kind in row)?.key ?? cursor[kind];
  return { rows, next: write({ run: last('run'), skip: last('skip') }) };
}

function runs(db: DatabaseSync, query: RunQuery, after: Key | undefined): Found[] {
  const { statuses } = query;
  const condition = statuses === undefined ? 'true' : statusCondition(statuses);
  if (condition === undefined) return [];
  return select(db, RUNS, { query, after, condition }).map((row) => {
    const run = runOf(row);
    const sortedBy = query.jobId === undefined ? run.claimedAt : run.scheduledAt;
    return { row: { run }, key: [sortedBy, run.id] };
  });
}

function skips(db: DatabaseSync, query: RunQuery, after: Key | undefined): Found[] {
  if (query.statuses !== undefined && !query.statuses.includes('skipped')) return [];
  return select(db, SKIPS, { query, after, condition: 'true' }).map((row) => {
    const skip = skipOf(row);
    const sortedBy = query.jobId === undefined ? skip.at : skip.scheduledAt;
    return { row: { skip }, key: [sortedBy, Number(row['number'])] };
  });
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

/** Each list is in its order already; an unstable clock must not mix it. */
function merged(runs: readonly Found[], skips: readonly Found[]): Found[] {
  const all: Found[] = [];
  for (let run = 0, skip = 0; run < runs.length || skip < skips.length;) {
    const [a, b] = [runs[run], skips[skip]];
    const next = b === undefined || (a !== undefined && a.key[0] >= b.key[0]) ? a : b;
    if (next === undefined) break;
    all.push(next);
    if (next === a) run += 1;
    else skip += 1;
  }
  return all;
}

function write(cursor: { readonly run: Key | undefined; readonly skip: Key | undefined }): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

function read(text: string | undefined): Cursor | undefined {
  if (text === undefined) return {};
  try {
    const cursor = JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown> | null;
    if (typeof cursor !== 'object' || cursor === null) return undefined;
    const { run, skip } = cursor;
    if (!isKey(run, 'string') || !isKey(skip, 'number')) return undefined;
    return { ...(run === undefined ? {} : { run }), ...(skip === undefined ? {} : { skip }) };
  } catch {
    return undefined;
  }
}

function isKey(key: unknown, tie: 'string' | 'number'): key is Key | undefined {
  if (key === undefined) return true;
  return Array.isArray(key) && key.length === 2 && Number.isSafeInteger(key[0]) && typeof key[1] === tie;
}
