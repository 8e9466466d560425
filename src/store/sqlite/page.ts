import type { DatabaseSync } from 'node:sqlite';
import type { RunPage, RunQuery } from '../../engine/ports-operator.ts';
import { cursorIn, pageOf, statementsOf, type Statement } from '../page.ts';
import type { Row } from '../rows.ts';
import { prepared } from './statements.ts';
import { OUTCOME } from './timeline.ts';

/** One page of the history. Undefined: the cursor is not one of ours. */
export function page(db: DatabaseSync, query: RunQuery): RunPage | undefined {
  const cursor = cursorIn(query.cursor);
  if (cursor === undefined) return undefined;
  const all = (statement: Statement | undefined): Row[] =>
    statement === undefined ? [] : prepared(db, statement.sql).all(...statement.values);
  const { runs, skips } = statementsOf(query, cursor, OUTCOME);
  return pageOf({ runs: all(runs), skips: all(skips) }, query, cursor);
}
