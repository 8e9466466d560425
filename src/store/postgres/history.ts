/** The history in PostgreSQL: what the API of a node asks of it. */
import type { RunPage, RunQuery } from '../../engine/ports-operator.ts';
import type { Hours, LanesQuery, Window } from '../../engine/ports-timeline.ts';
import type { Duration, Instant, JobId, Outcome, RunId, RunRecord } from '../../model.ts';
import type { Database } from '../../postgres/database.ts';
import {
  FAILED,
  type CountedSpans,
  type HistorySource,
  type JobHistory,
  type PastLane,
  type PastLoad,
  type SlotPast,
  type Span,
} from '../history.ts';
import { cursorIn, pageOf, statementsOf, type Statement } from '../page.ts';
import { RUN_COLUMNS, runOf, SKIP_COLUMNS, skipOf, type Row } from '../rows.ts';
import { SpanCounts } from '../span-counts.ts';
import { uniqueLengthOf } from '../unique.ts';
import { Asking } from './asking.ts';
import { OUTCOME, STARTED } from './columns.ts';
import { hours, lanes, load } from './timeline.ts';

/** Answers of the database are waited for; the loop that starts jobs goes on meanwhile. The database stays its owner's to close. */
export function openPostgresHistory(database: Pick<Database, 'query'>): HistorySource {
  return new PostgresHistory(new Asking(database));
}

const RUNS = `SELECT ${RUN_COLUMNS} FROM runs r JOIN jobs j ON j.number = r.job`;
const SKIPS = `SELECT ${SKIP_COLUMNS} FROM skips s JOIN jobs j ON j.number = s.job`;

class PostgresHistory implements HistorySource {
  readonly #asking: Asking;

  constructor(asking: Asking) {
    this.#asking = asking;
  }

  async page(query: RunQuery): Promise<RunPage | undefined> {
    const cursor = cursorIn(query.cursor);
    if (cursor === undefined) return undefined;
    const all = async (statement: Statement | undefined): Promise<readonly Row[]> =>
      statement === undefined ? [] : this.#asking.all<Row>(statement.sql, ...statement.values);
    const wanted = statementsOf(query, cursor, OUTCOME);
    const [runs, skips] = await Promise.all([all(wanted.runs), all(wanted.skips)]);
    return pageOf({ runs, skips }, query, cursor);
  }

  async run(idOrPrefix: RunId): Promise<RunRecord | 'ambiguous' | undefined> {
    // Ids are hexadecimal digits and dashes: what comes after all that begin so is the same with a "g".
    const found = await this.#runs('r.id >= ? AND r.id < ? LIMIT 2', idOrPrefix, `${idOrPrefix}g`);
    return found.length > 1 ? 'ambiguous' : found[0];
  }

  async uniqueLengths(ids: readonly RunId[]): Promise<ReadonlyMap<RunId, number>> {
    const rows = await this.#asking.all<NeighbourRow>(NEIGHBOURS, ids);
    return new Map(rows.map(({ id, before, after }) => [id, uniqueLengthOf(id, [before, after])]));
  }

  async jobs(ids: readonly JobId[], runs: number): Promise<ReadonlyMap<JobId, JobHistory>> {
    const ends = Map.groupBy(await this.#asking.all<EndRow>(ENDS, ids, runs), ({ job_id }) => job_id);
    const known = [...ends].map(([id, [newest]]) => [id, newest?.id ?? ''] as const);
    const last = await this.#runs(
      'r.id = ANY(?)',
      known.map(([, run]) => run),
    );
    const byId = new Map(last.map((run) => [run.id, run]));
    return new Map(
      known.flatMap(([id, runId]) => {
        // Undefined: removed a moment ago.
        const run = byId.get(runId);
        const ended = ends.get(id) ?? [];
        if (run === undefined) return [];
        const outcomes = ended.map(({ kind }) => kind ?? 'active');
        return [[id, { last: run, outcomes, durations: ended.map(({ duration }) => duration ?? undefined) }]];
      }),
    );
  }

  /** Its job's place is asked for first: a row may come after that, which is told then, never the other way round. */
  async slot(jobId: JobId, at: Instant): Promise<SlotPast> {
    const [job] = await this.#asking.all<JobRow>(JOB, jobId);
    if (job === undefined) return { row: undefined, kept: { runs: 0, skips: 0 }, place: undefined };
    const { number, schedule, decided_to, runs, skips, first_run, first_skip } = job;
    const firsts = [first_run, first_skip].filter((first) => first !== null);
    return {
      row: await this.#row(number, at),
      kept: {
        runs,
        skips,
        ...(firsts.length === 0 ? {} : { oldest: Math.min(...firsts) }),
        ...(first_run === null ? {} : { oldestRun: first_run }),
      },
      place: schedule === null || decided_to === null ? undefined : { schedule, from: decided_to },
    };
  }

  async #row(job: number, at: Instant): Promise<SlotPast['row']> {
    const [run] = await this.#asking.all<Row>(
      `SELECT ${RUN_COLUMNS}, r.manual FROM runs r JOIN jobs j ON j.number = r.job WHERE r.job = ? AND r.scheduled_at = ?
       ORDER BY r.manual = 0 DESC, r.claimed_at DESC, r.id DESC LIMIT 1`,
      job,
      at,
    );
    if (run?.['manual'] === 0) return { run: runOf(run) };
    const [skip] = await this.#asking.all<Row>(
      `${SKIPS} WHERE s.job = ? AND s.scheduled_at <= ? AND s.through >= ? ORDER BY s.scheduled_at DESC, s.number DESC LIMIT 1`,
      job,
      at,
      at,
    );
    return skip === undefined ? run && { run: runOf(run) } : { skip: skipOf(skip) };
  }

  async newestSlot(jobId: JobId, at: Instant): Promise<Instant | undefined> {
    const [row] = await this.#asking.all<{ newest: number }>(NEWEST_SLOT, at, jobId);
    return row?.newest;
  }

  async failing(): Promise<readonly JobId[]> {
    const rows = await this.#asking.all<{ id: JobId }>(FAILING, [...FAILED]);
    return rows.map(({ id }) => id);
  }

  async counts(jobId: JobId, spans: readonly Span[]): Promise<CountedSpans> {
    const [job] = await this.#asking.all<{ number: number }>('SELECT number FROM jobs WHERE id = ?', jobId);
    if (job === undefined) return { counts: [], unfinished: [] };
    const begins = spans.map(({ since }) => since);
    const ends = spans.map(({ until }) => until);
    const counted = new SpanCounts(spans);
    const [runs, skips, unfinished] = await Promise.all([
      this.#asking.all<SpanRow>(SPANS, begins, ends, job.number),
      this.#asking.all<Row>(
        `${SKIPS} WHERE s.job = ? AND s.through >= ? AND s.scheduled_at < ?`,
        job.number,
        begins[0] ?? 0,
        ends.at(-1) ?? 0,
      ),
      this.#runs("r.state <> 'finished' AND r.job = ? ORDER BY r.id", job.number),
    ]);
    for (const { span, kind, runs: count } of runs) counted.add(span, kind, count);
    for (const row of skips) counted.skip(skipOf(row));
    return { counts: counted.counts, unfinished };
  }

  hours(window: Window): Promise<Hours> {
    return hours(this.#asking, window);
  }

  lanes(query: LanesQuery): Promise<readonly PastLane[]> {
    return lanes(this.#asking, query);
  }

  load(window: Window): Promise<PastLoad> {
    return load(this.#asking, window);
  }

  async close(): Promise<void> {
    // Nothing is held.
  }

  async #runs(condition: string, ...values: readonly unknown[]): Promise<RunRecord[]> {
    return (await this.#asking.all<Row>(`${RUNS} WHERE ${condition}`, ...values)).map(runOf);
  }
}

interface NeighbourRow {
  readonly id: RunId;
  readonly before: RunId | null;
  readonly after: RunId | null;
}

const NEIGHBOURS = `
  SELECT wanted.id, (SELECT id FROM runs WHERE id < wanted.id ORDER BY id DESC LIMIT 1) AS before,
         (SELECT id FROM runs WHERE id > wanted.id ORDER BY id LIMIT 1) AS after
  FROM unnest(?::text[]) AS wanted(id)`;

interface EndRow {
  readonly job_id: JobId;
  readonly id: RunId;
  readonly kind: Outcome['kind'] | null;
  readonly duration: Duration | null;
}

/** How the newest runs of each job ended, in the order of the ids. */
const ENDS = `
  SELECT wanted.id AS job_id, ended.* FROM unnest(?::text[]) WITH ORDINALITY AS wanted(id, place)
  JOIN jobs j ON j.id = wanted.id
  CROSS JOIN LATERAL (
    SELECT r.id, ${OUTCOME} AS kind, r.finished_at - ${STARTED} AS duration, r.scheduled_at, r.manual
    FROM runs r WHERE r.job = j.number ORDER BY r.scheduled_at DESC, r.manual DESC LIMIT ?
  ) ended
  ORDER BY wanted.place, ended.scheduled_at DESC, ended.manual DESC`;

interface JobRow {
  readonly number: number;
  readonly schedule: string | null;
  readonly decided_to: number | null;
  readonly runs: number;
  readonly skips: number;
  readonly first_run: number | null;
  readonly first_skip: number | null;
}

const JOB = `
  SELECT number, schedule, decided_to,
         (SELECT count(*) FROM runs WHERE job = jobs.number) AS runs,
         (SELECT count(*) FROM skips WHERE job = jobs.number) AS skips,
         (SELECT min(scheduled_at) FROM runs WHERE job = jobs.number) AS first_run,
         (SELECT min(scheduled_at) FROM skips WHERE job = jobs.number) AS first_skip
  FROM jobs WHERE id = ?`;

/** A run comes before a stretch of the same time. */
const NEWEST_SLOT = `
  WITH given AS (SELECT number AS job, ?::bigint AS at FROM jobs WHERE id = ?)
  (SELECT r.scheduled_at AS newest, r.scheduled_at AS at, 0 AS kind FROM given, runs r
   WHERE r.job = given.job AND r.scheduled_at <= given.at ORDER BY r.scheduled_at DESC LIMIT 1)
  UNION ALL
  (SELECT s.through, s.scheduled_at, 1 FROM given, skips s
   WHERE s.job = given.job AND s.scheduled_at <= given.at ORDER BY s.scheduled_at DESC, s.number DESC LIMIT 1)
  ORDER BY at DESC, kind LIMIT 1`;

const FAILING = `
  SELECT j.id FROM jobs j CROSS JOIN LATERAL (
    SELECT ${OUTCOME} AS kind FROM runs r WHERE r.job = j.number AND r.state = 'finished'
    ORDER BY r.scheduled_at DESC, r.manual DESC LIMIT 1
  ) newest
  WHERE j.schedule IS NOT NULL AND newest.kind = ANY(?) ORDER BY j.id`;

interface SpanRow {
  readonly span: number;
  readonly kind: Outcome['kind'];
  readonly runs: number;
}

const SPANS = `
  SELECT spans.place - 1 AS span, ${OUTCOME} AS kind, count(*) AS runs
  FROM unnest(?::bigint[], ?::bigint[]) WITH ORDINALITY AS spans(since, until, place)
  JOIN runs r ON r.job = ? AND r.scheduled_at >= spans.since AND r.scheduled_at < spans.until AND r.state = 'finished'
  GROUP BY 1, 2`;
