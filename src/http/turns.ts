import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';

/** Spent on requests in one turn of the loop: no start is held up for longer by those who ask, however many they are. */
const SLICE: Duration = 4;

/**
 * Shares the loop between those who ask and what is due. The loop hands over all connections that are ready before it looks at its
 * timers again; so work beyond a slice waits until it has looked, in the order in which it came. Nothing is set or woken while nobody asks.
 */
export class Turns {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** Of this turn's slice; undefined: nothing was asked in it yet. */
  #end: Duration | undefined;
  /** Somebody has been let in whose work begins only when the code that runs now has ended. */
  #isTaken = false;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** To be awaited before a piece of work: resolves in a turn that has time left. */
  next(): Promise<void> | undefined {
    // Requests that come in one piece over one connection would all be let in before the first has spent any time.
    if (!this.#isTaken && this.#hasTime()) {
      this.#isTaken = true;
      queueMicrotask(() => (this.#isTaken = false));
      return undefined;
    }
    return new Promise((resolve) => {
      // One immediate each, not one for all: between two of them Node runs what the first has resolved, and so its time is seen.
      const tryNow = (): void => void (this.#hasTime() ? resolve() : setImmediate(tryNow));
      setImmediate(tryNow);
    });
  }

  #hasTime(): boolean {
    const now = this.#clock.monotonic();
    if (this.#end === undefined) {
      this.#end = now + SLICE;
      // Stands before whatever this turn puts off, and behind the timers of the next.
      setImmediate(() => (this.#end = undefined));
    }
    return now < this.#end;
  }
}
