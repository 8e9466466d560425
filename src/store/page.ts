/** The history a page at a time, of whichever driver. Rows that come meanwhile move no page. */
import type { HistoryRow } from '../engine/ports.ts';
import type { RunPage, RunQuery } from '../engine/ports-operator.ts';
import { RUN_COLUMNS, runOf, SKIP_COLUMNS, skipOf, type Row } from './rows.ts';
import { statusCondition } from './statuses.ts';

/** Of the last row shown of each kind: what it is sorted by, and what tells it from others sorted alike. */
export type Key = readonly [sortedBy: number, tie: string | number];

export interface Cursor {
  readonly run?: Key;
  readonly skip?: Key;
}

/** SQL with a `?` for each value. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

interface Table {
  readonly columns: string;
  readonly from: string;
  readonly job: string;
  readonly sortedBy: string;
  readonly tie: string;
  readonly since: string;
  readonly until: string;
}

const RUNS: Table = {
  columns: RUN_COLUMNS,
  from: 'runs r JOIN jobs j ON j.number = r.job',
  job: 'r.job',
  sortedBy: 'r.scheduled_at',
  tie: 'r.id',
  since: 'r.scheduled_at',
  until: 'r.scheduled_at',
};
const SKIPS: Table = {
  columns: `${SKIP_COLUMNS}, s.number`,
  from: 'skips s JOIN jobs j ON j.number = s.job',
  job: 's.job',
  sortedBy: 's.scheduled_at',
  tie: 's.number',
  since: 's.through',
  until: 's.scheduled_at',
};

/**
 * What asks for the rows of a page, and for one more of each kind. Undefined: there are none of that kind.
 * @param outcome as for `statusCondition`
 */
export function statementsOf(
  query: RunQuery,
  cursor: Cursor,
  outcome: string,
): { readonly runs: Statement | undefined; readonly skips: Statement | undefined } {
  const { statuses } = query;
  const condition = statuses === undefined ? 'true' : statusCondition(statuses, outcome);
  const hasSkips = statuses === undefined || statuses.includes('skipped');
  return {
    runs: condition === undefined ? undefined : statementOf(RUNS, { query, after: cursor.run, condition }),
    skips: hasSkips ? statementOf(SKIPS, { query, after: cursor.skip, condition: 'true' }) : undefined,
  };
}

interface Wanted {
  readonly query: RunQuery;
  readonly after: Key | undefined;
  readonly condition: string;
}

function statementOf(table: Table, { query, after, condition }: Wanted): Statement {
  const { jobId, since, until, limit } = query;
  const { sortedBy, tie } = table;
  const ofOne = jobId !== undefined;
  const values: (string | number)[] = [];
  const conditions = [condition];
  const and = (text: string, ...more: readonly (string | number)[]): void => {
    conditions.push(text);
    values.push(...more);
  };
  if (ofOne) and(`${table.job} = (SELECT number FROM jobs WHERE id = ?)`, jobId);
  if (since !== undefined) and(`${table.since} >= ?`, since);
  if (until !== undefined) and(`${table.until} <= ?`, until);
  if (after !== undefined && ofOne) and(`(${sortedBy}, ${tie}) < (?, ?)`, ...after);
  else if (after !== undefined) and(`${tie} < ?`, after[1]);
  const order = ofOne ? `${sortedBy} DESC, ${tie} DESC` : `${tie} DESC`;
  const sql = `SELECT ${table.columns} FROM ${table.from} WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ?`;
  return { sql, values: [...values, limit + 1] };
}

/** Newest first: of one job by scheduled time, of all by the moment of decision. */
export interface RowsFound {
  readonly runs: readonly Row[];
  /** With their `number`. */
  readonly skips: readonly Row[];
}

interface Found {
  readonly row: HistoryRow;
  readonly key: Key;
}

/** The page, out of what its statements gave. */
export function pageOf(found: RowsFound, { jobId, limit }: RunQuery, cursor: Cursor): RunPage {
  const ofOne = jobId !== undefined;
  const runs = found.runs.map((row): Found => {
    const run = runOf(row);
    return { row: { run }, key: [ofOne ? run.scheduledAt : run.claimedAt, run.id] };
  });
  const skips = found.skips.map((row): Found => {
    const skip = skipOf(row);
    return { row: { skip }, key: [ofOne ? skip.scheduledAt : skip.at, Number(row['number'])] };
  });
  const all = merged(runs, skips);
  const shown = all.slice(0, limit);
  const rows = shown.map(({ row }) => row);
  if (all.length <= limit) return { rows, next: undefined };
  const last = (kind: 'run' | 'skip'): Key | undefined =>
    shown.findLast(({ row }) => kind in row)?.key ?? cursor[kind];
  return { rows, next: write({ run: last('run'), skip: last('skip') }) };
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

/** Undefined: it is not one of ours. */
export function cursorIn(text: string | undefined): Cursor | undefined {
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
  if (!Array.isArray(key) || key.length !== 2 || !Number.isSafeInteger(key[0])) return false;
  return tie === 'string' ? typeof key[1] === tie : Number.isSafeInteger(key[1]);
}
