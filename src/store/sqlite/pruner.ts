import type { Clock } from '../../engine/ports.ts';
import type { Duration, JobId, Retention, RunId } from '../../model.ts';
import type { Pruned, PruneRequest } from './retention.ts';

export interface PrunerOptions {
  readonly clock: Clock;
  readonly retention: Retention;
  readonly ask: (request: PruneRequest) => Promise<Pruned>;
  readonly onPruned: (runs: readonly RunId[]) => void;
}

/** From a new row to the next look at what is too much. */
const INTERVAL: Duration = 10 * 60_000;
/** Between slices, so that claims have their turn. */
const BREATH: Duration = 50;

/** Keeps the history within its bounds. Sleeps while nothing is added to it. */
export class Pruner {
  readonly #options: PrunerOptions;
  #retention: Retention;
  /** Undefined: all, not having looked since the start. */
  #touched: Set<JobId> | undefined;
  #callOff: (() => void) | undefined;
  #closed = false;

  constructor(options: PrunerOptions) {
    this.#options = options;
    this.#retention = options.retention;
    this.#wake(INTERVAL / 10);
  }

  retain(retention: Retention): void {
    if (retention.keep === this.#retention.keep && retention.maxAge === this.#retention.maxAge) return;
    this.#retention = retention;
    this.#touched = undefined;
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
    if (!this.#closed) this.#callOff ??= this.#options.clock.after(delay, () => void this.#prune());
  }

  async #prune(): Promise<void> {
    const { clock, ask, onPruned } = this.#options;
    const jobs = this.#touched;
    this.#touched = new Set();
    const request = { ...this.#retention, ...(jobs === undefined ? {} : { jobs: [...jobs] }) };
    try {
      for (let more = true; more && !this.#closed;) {
        const pruned = await ask({ ...request, now: clock.now() });
        if (pruned.runs.length > 0) onPruned(pruned.runs);
        ({ more } = pruned);
        if (more) await new Promise<void>((resolve) => void clock.after(BREATH, resolve));
      }
    } catch {
      this.#touched = undefined; // the disk fails, which its writers tell: look again at all of it
    }
    this.#callOff = undefined;
    if (this.#touched === undefined || this.#touched.size > 0) this.#wake(INTERVAL);
  }
}
