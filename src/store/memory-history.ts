import type { HistoryRow, Store } from '../engine/ports.ts';
import type { RunPage, RunQuery } from '../engine/ports-operator.ts';
import type { Hours, LanesQuery, Window } from '../engine/ports-timeline.ts';
import type { Duration, Instant, JobId, RunId, RunRecord } from '../model.ts';
import { isForSlot } from './batch.ts';
import {
  FAILED,
  newestSlotOf,
  type CountedSpans,
  type HistorySource,
  type JobHistory,
  type Kept,
  type PastLane,
  type PastLoad,
  type SlotPast,
  type Span,
} from './history.ts';
import { SpanCounts } from './span-counts.ts';
import { uniqueLengthOf } from './unique.ts';
import { barsOf, HourCounts, MinuteCounts, placedOf } from './timeline.ts';

/** The history of a daemon that keeps it in memory. */
export class MemoryHistory implements HistorySource {
  readonly #store: Pick<Store, 'history' | 'places'>;

  constructor(store: Pick<Store, 'history' | 'places'>) {
    this.#store = store;
  }

  async page(query: RunQuery): Promise<RunPage | undefined> {
    const { jobId, limit, cursor } = query;
    const all = await this.#store.history(jobId === undefined ? {} : { jobId });
    const wanted = all.filter((row) => matches(row, query));
    if (jobId === undefined) wanted.sort((a, b) => decidedAt(b) - decidedAt(a));
    const begin = cursor === undefined ? 0 : wanted.findIndex((row) => nameOf(row) === cursor) + 1;
    if (cursor !== undefined && begin === 0) return undefined;
    const rows = wanted.slice(begin, begin + limit);
    const last = rows.at(-1);
    const more = wanted.length > begin + limit && last !== undefined;
    return { rows, next: more ? nameOf(last) : undefined };
  }

  async run(idOrPrefix: RunId): Promise<RunRecord | 'ambiguous' | undefined> {
    const found = (await this.#runs()).filter((run) => run.id.startsWith(idOrPrefix));
    return found.length > 1 ? 'ambiguous' : found[0];
  }

  async uniqueLengths(ids: readonly RunId[]): Promise<ReadonlyMap<RunId, number>> {
    const all = (await this.#runs()).map(({ id }) => id).sort();
    const neighbours = new Map(all.map((id, index) => [id, [all[index - 1], all[index + 1]]]));
    return new Map(ids.map((id) => [id, uniqueLengthOf(id, neighbours.get(id) ?? all)]));
  }

  async jobs(ids: readonly JobId[], count: number): Promise<ReadonlyMap<JobId, JobHistory>> {
    const byJob = Map.groupBy(await this.#runs(), ({ jobId }) => jobId);
    return new Map(
      ids.flatMap((id) => {
        const runs = (byJob.get(id) ?? []).slice(0, count);
        const [last] = runs;
        if (last === undefined) return [];
        const outcomes = runs.map(({ outcome }) => outcome?.kind ?? 'active');
        return [[id, { last, outcomes, durations: runs.map(durationOf) }]];
      }),
    );
  }

  async slot(jobId: JobId, at: Instant): Promise<SlotPast> {
    const rows = await this.#store.history({ jobId });
    const runs = rows.flatMap((row) => ('run' in row && row.run.scheduledAt === at ? [row.run] : []));
    const run = runs.find(isForSlot);
    const stretch = rows.find((row) => 'skip' in row && row.skip.scheduledAt <= at && row.skip.through >= at);
    const [beside] = runs.sort((a, b) => b.claimedAt - a.claimedAt || (a.id < b.id ? 1 : -1));
    const row = run === undefined ? (stretch ?? (beside && { run: beside })) : { run };
    return { row, kept: keptOf(rows), place: (await this.#store.places()).get(jobId) };
  }

  async newestSlot(jobId: JobId, at: Instant): Promise<Instant | undefined> {
    const rows = await this.#store.history({ jobId });
    const row = rows.find((row) => spanOf(row).from <= at);
    return row && newestSlotOf(row);
  }

  async failing(): Promise<readonly JobId[]> {
    const byJob = Map.groupBy(await this.#runs(), ({ jobId }) => jobId);
    const newest = [...byJob].filter(([, runs]) => FAILED.has(runs[0]?.outcome?.kind ?? ''));
    return newest.map(([id]) => id);
  }

  async counts(jobId: JobId, spans: readonly Span[]): Promise<CountedSpans> {
    const counted = new SpanCounts(spans);
    const unfinished: RunRecord[] = [];
    for (const row of await this.#store.history({ jobId })) {
      if ('skip' in row) counted.skip(row.skip);
      else if (row.run.state === 'finished') counted.run(row.run);
      else unfinished.push(row.run);
    }
    return { counts: counted.counts, unfinished };
  }

  async hours(window: Window): Promise<Hours> {
    const counts = new HourCounts(window);
    for (const row of await this.#store.history({})) {
      if ('run' in row) counts.run(placedOf(row.run));
      else counts.skip(row.skip.scheduledAt, row.skip.count);
    }
    return { hours: counts.hours, countedFrom: undefined };
  }

  async lanes({ jobIds, since, until, parts }: LanesQuery): Promise<readonly PastLane[]> {
    const byJob = Map.groupBy(await this.#runs(), ({ jobId }) => jobId);
    return jobIds.map((jobId) => {
      const runs = (byJob.get(jobId) ?? []).filter(({ scheduledAt }) => scheduledAt < until);
      runs.sort((one, other) => other.scheduledAt - one.scheduledAt);
      return { jobId, ...barsOf(runs.map(placedOf), { since, part: (until - since) / parts }) };
    });
  }

  async load(window: Window): Promise<PastLoad> {
    const counts = new MinuteCounts(window);
    for (const { claimedAt, finishedAt } of await this.#runs()) counts.run(claimedAt, finishedAt);
    return { active: counts.active, complete: true };
  }

  async close(): Promise<void> {
    // Nothing is held.
  }

  async #runs(): Promise<RunRecord[]> {
    const rows = await this.#store.history({});
    return rows.flatMap((row) => ('run' in row ? [row.run] : []));
  }
}

function durationOf({ attempts: [first], finishedAt }: RunRecord): Duration | undefined {
  return first === undefined || finishedAt === undefined ? undefined : finishedAt - first.startedAt;
}

function matches(row: HistoryRow, { since, until, statuses }: RunQuery): boolean {
  const { from, through } = spanOf(row);
  if (since !== undefined && through < since) return false;
  if (until !== undefined && from > until) return false;
  return statuses === undefined || statuses.some((status) => isOf(row, status));
}

function spanOf(row: HistoryRow): { from: Instant; through: Instant } {
  return { from: 'run' in row ? row.run.scheduledAt : row.skip.scheduledAt, through: newestSlotOf(row) };
}

function keptOf(rows: readonly HistoryRow[]): Kept {
  const runs = rows.flatMap((row) => ('run' in row ? [row.run.scheduledAt] : []));
  const [oldest, oldestRun] = [rows.at(-1), runs.at(-1)];
  return {
    runs: runs.length,
    skips: rows.length - runs.length,
    ...(oldest === undefined ? {} : { oldest: spanOf(oldest).from }),
    ...(oldestRun === undefined ? {} : { oldestRun }),
  };
}

function isOf(row: HistoryRow, status: string): boolean {
  if ('skip' in row) return status === 'skipped';
  const kind = row.run.outcome?.kind;
  if (status === 'active') return row.run.state !== 'finished';
  return status === 'failed' ? FAILED.has(kind ?? '') : kind === status;
}

function decidedAt(row: HistoryRow): Instant {
  return 'run' in row ? row.run.claimedAt : row.skip.at;
}

function nameOf(row: HistoryRow): string {
  if ('run' in row) return row.run.id;
  const { jobId, scheduledAt, reason, at } = row.skip;
  return `${at}.${scheduledAt}.${reason}.${jobId}`;
}
