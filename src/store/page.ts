/** The history a page at a time, of whichever driver. Rows that come meanwhile move no page. */
import type { HistoryRow } from '../engine/ports.ts';
import type { RunPage, RunQuery } from '../engine/ports-operator.ts';
import { runOf, skipOf, type Row } from './rows.ts';

/** Of the last row shown of each kind: what it is sorted by, and what tells it from others sorted alike. */
export type Key = readonly [sortedBy: number, tie: string | number];

export interface Cursor {
  readonly run?: Key;
  readonly skip?: Key;
}

/** The rows of one kind after a cursor, newest first: of one job by scheduled time, of all by the moment of decision. */
export interface RowsFound {
  readonly runs: readonly Row[];
  /** With their `number`. */
  readonly skips: readonly Row[];
}

interface Found {
  readonly row: HistoryRow;
  readonly key: Key;
}

/** The page, of one row more of each kind than it shows, where there are so many. */
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
  return Array.isArray(key) && key.length === 2 && Number.isSafeInteger(key[0]) && typeof key[1] === tie;
}
