import type { HistoryQuery, HistoryRow, Store } from '../engine/ports.ts';
import type { Instant, JobId, RunId, RunRecord, SkipRecord } from '../model.ts';

/** Rows kept of each kind; the oldest go first, runs that are not finished never. */
const ROWS = 10_000;

/** Keeps history in memory, for tests and for a daemon that is asked to forget. */
export class MemoryStore implements Store {
  readonly #runs = new Map<RunId, RunRecord>();
  /** Claimed, and not among the others yet: 10,000 that come together start before they are filed. */
  #claimed: RunRecord[] = [];
  readonly #watermarks = new Map<JobId, Instant>();
  readonly #successes = new Map<JobId, Instant>();
  #skips: SkipRecord[] = [];
  readonly #rows: number;

  constructor(rows = ROWS) {
    this.#rows = rows;
  }

  async claim(runs: readonly RunRecord[], skips: readonly SkipRecord[]): Promise<readonly boolean[]> {
    let taken: Set<string> | undefined;
    const won = runs.map((run) => {
      const newest = this.#watermarks.get(run.jobId);
      // A slot newer than all before cannot have been claimed; only a clock set far back asks for older ones.
      if (run.cause !== 'manual' && newest !== undefined && run.scheduledAt <= newest) {
        taken ??= new Set([...this.#all().values()].filter(({ cause }) => cause !== 'manual').map(keyOf));
        if (taken.has(keyOf(run))) return false;
      }
      this.#claimed.push(run);
      if (run.cause !== 'manual') {
        taken?.add(keyOf(run));
        if (newest === undefined || run.scheduledAt > newest)
          this.#watermarks.set(run.jobId, run.scheduledAt);
      }
      return true;
    });
    for (const skip of skips) {
      this.#skips.push(skip);
      this.#advance(skip.jobId, skip.through);
    }
    if (this.#skips.length > 2 * this.#rows) this.#skips = this.#skips.slice(-this.#rows);
    return won;
  }

  async save(run: RunRecord): Promise<void> {
    this.#all().set(run.id, run);
    const previous = this.#successes.get(run.jobId) ?? Number.NEGATIVE_INFINITY;
    if (run.outcome?.kind === 'succeeded' && run.scheduledAt > previous) {
      this.#successes.set(run.jobId, run.scheduledAt);
    }
  }

  async watermarks(): Promise<ReadonlyMap<JobId, Instant>> {
    return new Map(this.#watermarks);
  }

  async history({ jobId, limit = Number.POSITIVE_INFINITY }: HistoryQuery): Promise<readonly HistoryRow[]> {
    const rows: HistoryRow[] = [
      ...[...this.#all().values()].map((run) => ({ run })),
      ...this.#skips.map((skip) => ({ skip })),
    ];
    return rows
      .filter((row) => jobId === undefined || part(row).jobId === jobId)
      .sort((a, b) => part(b).scheduledAt - part(a).scheduledAt)
      .slice(0, limit);
  }

  previousSuccess(jobId: JobId): Instant | undefined {
    return this.#successes.get(jobId);
  }

  async close(): Promise<void> {
    // Nothing is held.
  }

  #advance(jobId: JobId, slot: Instant): void {
    const known = this.#watermarks.get(jobId);
    if (known === undefined || slot > known) this.#watermarks.set(jobId, slot);
  }

  #all(): Map<RunId, RunRecord> {
    if (this.#claimed.length > 0) {
      for (const run of this.#claimed) this.#runs.set(run.id, run);
      this.#claimed = [];
      this.#prune();
    }
    return this.#runs;
  }

  #prune(): void {
    if (this.#runs.size <= 2 * this.#rows) return;
    for (const run of this.#runs.values()) {
      if (this.#runs.size <= this.#rows) return;
      if (run.state !== 'finished') continue;
      this.#runs.delete(run.id);
    }
  }
}

function keyOf(run: RunRecord): string {
  return `${run.scheduledAt} ${run.jobId}`;
}

function part(row: HistoryRow): RunRecord | SkipRecord {
  return 'run' in row ? row.run : row.skip;
}
