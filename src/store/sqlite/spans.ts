/** Counts the rows of one job span by span, without reading each of them out. */
import type { DatabaseSync } from 'node:sqlite';
import type { Outcome } from '../../model.ts';
import type { CountedSpans, Span } from '../history.ts';
import { RUN_COLUMNS, runOf, SKIP_COLUMNS, skipOf } from '../rows.ts';
import { SpanCounts } from '../span-counts.ts';
import { prepared } from './statements.ts';

/** Of the job of that number. */
export function countSpans(db: DatabaseSync, job: number, spans: readonly Span[]): CountedSpans {
  const counted = new SpanCounts(spans);
  const pairs = JSON.stringify(spans.map(({ since, until }) => [since, until]));
  for (const { span, kind, runs } of prepared(db, RUNS).all(pairs, job)) {
    counted.add(Number(span), kind as Outcome['kind'], Number(runs));
  }
  const since = spans[0]?.since ?? 0;
  const until = spans.at(-1)?.until ?? 0;
  for (const row of prepared(db, SKIPS).all(job, since, until)) counted.skip(skipOf(row));
  return { counts: counted.counts, unfinished: prepared(db, UNFINISHED).all(job).map(runOf) };
}

const RUNS = `
  SELECT s.key AS span, r.outcome ->> 'kind' AS kind, count(*) AS runs
  FROM json_each(?1) s CROSS JOIN runs r
  WHERE r.job = ?2 AND r.scheduled_at >= s.value ->> 0 AND r.scheduled_at < s.value ->> 1 AND r.state = 'finished'
  GROUP BY 1, 2`;
const SKIPS = `
  SELECT ${SKIP_COLUMNS} FROM skips s JOIN jobs j ON j.number = s.job
  WHERE s.job = ? AND s.through >= ? AND s.scheduled_at < ?`;
const UNFINISHED = `
  SELECT ${RUN_COLUMNS} FROM runs r JOIN jobs j ON j.number = r.job
  WHERE r.state <> 'finished' AND r.job = ? ORDER BY r.id`;
