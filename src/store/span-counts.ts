/** How many runs and skips there were of a job in stretches of time, e.g. days: what a calendar of it shows. */
import type { Growing } from '../growing.ts';
import type { Instant, Outcome, RunRecord, SkipRecord } from '../model.ts';
import { FAILED, type Span, type SpanCount } from './history.ts';

export class SpanCounts {
  readonly counts: readonly Growing<SpanCount>[];
  readonly #spans: readonly Span[];

  /** Spans in their order, which do not overlap. */
  constructor(spans: readonly Span[], counts?: readonly SpanCount[]) {
    this.#spans = spans;
    this.counts = spans.map((_, index) => ({ ...(counts?.[index] ?? NONE) }));
  }

  run({ scheduledAt, outcome }: Pick<RunRecord, 'scheduledAt' | 'outcome'>): void {
    const span = this.#first(scheduledAt);
    if (scheduledAt >= (this.#spans[span]?.since ?? Infinity)) this.add(span, outcome?.kind, 1);
  }

  /** Without a kind: runs that are not over. */
  add(span: number, kind: Outcome['kind'] | undefined, runs: number): void {
    const count = this.counts[span];
    if (count === undefined) return;
    if (kind === undefined) count.active += runs;
    else if (kind === 'succeeded') count.succeeded += runs;
    else if (FAILED.has(kind)) count.failed += runs;
    else count.cancelled += runs;
  }

  /** A stretch within one span counts there; of one over several, nobody knows how many were in each. */
  skip({ scheduledAt, through, count }: Pick<SkipRecord, 'scheduledAt' | 'through' | 'count'>): void {
    const first = this.#first(scheduledAt);
    for (let index = first; (this.#spans[index]?.since ?? Infinity) <= through; index += 1) {
      const into = this.counts[index];
      const span = this.#spans[index];
      if (into === undefined || span === undefined) return;
      const isWithin = scheduledAt >= span.since && through < span.until;
      const sum = isWithin && count !== undefined ? (into.skipped ?? Number.NaN) + count : Number.NaN;
      into.skipped = Number.isNaN(sum) ? undefined : sum;
    }
  }

  /** The first span that ends after an instant. */
  #first(at: Instant): number {
    const found = this.#spans.findIndex(({ until }) => until > at);
    return found === -1 ? this.#spans.length : found;
  }
}

const NONE: SpanCount = { succeeded: 0, failed: 0, cancelled: 0, active: 0, skipped: 0 };
