import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';
import { DatabaseAway } from '../postgres/database.ts';

/** Something to wait for: `tell` ends the present wait, or the next one at once. */
export class News {
  #isThere = false;
  #wake: (() => void) | undefined;

  tell(): void {
    this.#isThere = true;
    this.#wake?.();
  }

  /** Resolves when something was told since the last time. For one that waits. */
  async come(): Promise<void> {
    if (!this.#isThere) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
    this.#isThere = false;
  }
}

/** How long a call outlives its database, e.g. while that is restarted. */
const PATIENCE: Duration = 15_000;
const RETRY: Duration = 250;

/**
 * Asks the database, again and again while it is away, as long as `isWanted`.
 * @throws DatabaseAway after a while, or when it is not wanted any more
 */
export async function patiently<T>(
  ask: () => Promise<T>,
  { clock, isWanted }: { readonly clock: Clock; readonly isWanted: () => boolean },
): Promise<T> {
  const since = clock.monotonic();
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof DatabaseAway)) throw error;
      if (!isWanted() || clock.monotonic() - since > PATIENCE) throw error;
      await new Promise<void>((resolve) => void clock.after(RETRY, resolve));
    }
  }
}
