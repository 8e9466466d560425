/** Something to be done with the database: in one go for all that asked in one turn of the loop, one after the other, and again until it is done. */
import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';
import { DatabaseAway, DatabaseUnfit } from '../postgres/database.ts';

export interface ErrandOptions {
  readonly clock: Clock;
  /** Does what there is to do. Rejects when that is not done: then it is run again. */
  readonly run: () => Promise<void>;
  /** It failed for another reason than that the database is away, of which others tell. Told once until it is well again. */
  readonly onTrouble: (message: string) => void;
  /** Least time between two beginnings: what comes together within it costs one statement. Default: none. */
  readonly gap?: Duration;
}

/** Between two tries; doubled from the first up to the last. Milliseconds. */
const FIRST_RETRY: Duration = 250;
const LAST_RETRY: Duration = 4000;

export class Errand {
  readonly #options: ErrandOptions;
  #isAsked = false;
  #running: Promise<void> | undefined;
  #retry = FIRST_RETRY;
  #isTold = false;
  #closed = false;
  #lastBegun = -Infinity;
  #callOff: (() => void) | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(options: ErrandOptions) {
    this.#options = options;
  }

  /** Runs it after this turn of the loop; when it is under way, once more after that. */
  ask(): void {
    if (this.#isAsked || this.#closed) return;
    this.#isAsked = true;
    if (this.#running === undefined && this.#callOff === undefined) this.#soon();
  }

  /** The database is back: what is to be tried again is tried now. */
  hurry(): void {
    this.#retry = FIRST_RETRY;
    if (this.#callOff === undefined) return;
    this.#callOff();
    this.#callOff = undefined;
    this.#soon();
  }

  /** Resolves when it is not under way; at once, if it is not. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Resolves when nothing is left to be done, or when it is closed. */
  async idle(): Promise<void> {
    if (!this.#isBusy) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenIdle.push(resolve);
    await promise;
  }

  /** What is under way ends; nothing is begun any more. */
  close(): void {
    this.#closed = true;
    this.#isAsked = false;
    this.#callOff?.();
    this.#callOff = undefined;
    if (this.#running === undefined) this.#tellIdle();
  }

  get #isBusy(): boolean {
    return this.#isAsked || this.#running !== undefined || this.#callOff !== undefined;
  }

  #soon(): void {
    const { clock, gap = 0 } = this.#options;
    const wait = this.#lastBegun + gap - clock.monotonic();
    if (wait > 0) return this.#after(wait);
    setImmediate(() => {
      if (this.#running === undefined && this.#callOff === undefined && !this.#closed)
        this.#running = this.#run();
    });
  }

  #after(delay: Duration): void {
    this.#callOff = this.#options.clock.after(delay, () => {
      this.#callOff = undefined;
      if (!this.#closed) this.#running = this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isAsked = false;
    this.#lastBegun = this.#options.clock.monotonic();
    let failed = false;
    try {
      await this.#options.run();
      this.#retry = FIRST_RETRY;
      this.#isTold = false;
    } catch (error) {
      failed = true;
      this.#tell(error as Error);
    }
    this.#running = undefined;
    if (this.#closed) return this.#tellIdle();
    if (failed) {
      this.#isAsked = true;
      this.#after(this.#retry);
      this.#retry = Math.min(this.#retry * 2, LAST_RETRY);
    } else if (this.#isAsked) this.#soon();
    else this.#tellIdle();
  }

  #tell(error: Error): void {
    const isAway = error instanceof DatabaseAway && !(error instanceof DatabaseUnfit);
    if (isAway || this.#isTold || this.#closed) return;
    this.#isTold = true;
    this.#options.onTrouble(error.message);
  }

  #tellIdle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}
