import type { Clock } from '../engine/ports.ts';
import type { Duration, Instant, JobId, Retention, RunId } from '../model.ts';

export interface PruneRequest extends Retention {
  readonly now: Instant;
  /** Jobs that have rows since they were last looked at. Absent: all. */
  readonly jobs?: readonly JobId[];
  /** `next` of the slice before; absent in the first. */
  readonly from?: number;
}

export interface Pruned {
  /** Whose output may go too. */
  readonly runs: readonly RunId[];
  /** There may be more to prune: ask again, from `next`. */
  readonly more: boolean;
  readonly next: number;
}

export interface PrunerOptions {
  readonly clock: Clock;
  readonly retention: Retention;
  readonly ask: (request: PruneRequest) => Promise<Pruned>;
  readonly onPruned: (runs: readonly RunId[]) => void;
}

/** From a new row to the next look at what is too much. */
const INTERVAL: Duration = 10 * 60_000;
/** From the start to the first look, which is at all jobs. */
const FIRST: Duration = 60_000;
/** Between slices, so that claims have their turn. */
const BREATH: Duration = 50;
/** Jobs named in one request. */
const JOBS = 1000;

/** Keeps the history within its bounds. Sleeps while nothing is added to it. */
export class Pruner {
  readonly #options: PrunerOptions;
  #retention: Retention;
  /** Undefined: all, not having looked since the start, or since another retention holds. */
  #touched: Set<JobId> | undefined;
  #isPruning = false;
  #callOff: (() => void) | undefined;
  #closed = false;

  constructor(options: PrunerOptions) {
    this.#options = options;
    this.#retention = options.retention;
    this.#wake(FIRST);
  }

  retain(retention: Retention): void {
    if (retention.keep === this.#retention.keep && retention.maxAge === this.#retention.maxAge) return;
    this.#retention = retention;
    this.#touched = undefined;
    this.#callOff?.();
    this.#callOff = undefined;
    this.#wake(BREATH);
  }

  /** The job has a new row. */
  touched(jobId: JobId): void {
    this.#touched?.add(jobId);
    this.#wake(INTERVAL);
  }

  close(): void {
    this.#closed = true;
    this.#callOff?.();
  }

  #wake(delay: Duration): void {
    if (this.#closed || this.#isPruning) return;
    this.#callOff ??= this.#options.clock.after(delay, () => {
      this.#callOff = undefined;
      void this.#prune();
    });
  }

  async #prune(): Promise<void> {
    const touched = this.#touched;
    this.#touched = new Set();
    this.#isPruning = true;
    let failed = false;
    try {
      for (const part of partsOf(touched)) await this.#pruneAll(part);
    } catch {
      failed = true; // the disk fails, which its writers tell: look again at all of it
    }
    this.#isPruning = false;
    // Another retention may have come meanwhile.
    if (this.#touched === undefined) this.#wake(BREATH);
    else if (failed) this.#touched = undefined;
    if (this.#touched === undefined || this.#touched.size > 0) this.#wake(INTERVAL);
  }

  async #pruneAll(part: Pick<PruneRequest, 'jobs'>): Promise<void> {
    const { clock, ask, onPruned } = this.#options;
    let from = 0;
    for (let more = true; more && !this.#closed;) {
      const pruned = await ask({ ...this.#retention, ...part, from, now: clock.now() });
      if (pruned.runs.length > 0) onPruned(pruned.runs);
      ({ more, next: from } = pruned);
      await new Promise<void>((resolve) => void clock.after(BREATH, resolve));
    }
  }
}

/** All jobs, or those named, a request's worth at a time. */
function partsOf(touched: ReadonlySet<JobId> | undefined): Pick<PruneRequest, 'jobs'>[] {
  if (touched === undefined) return [{}];
  const ids = [...touched];
  return Array.from({ length: Math.ceil(ids.length / JOBS) }, (_, part) => ({
    jobs: ids.slice(part * JOBS, (part + 1) * JOBS),
  }));
}
