import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';
import { post } from './post.ts';
import { partsOf, without } from './secrets.ts';

export interface HeartbeatOptions {
  readonly clock: Clock;
  /** A secret, as the addresses of checks are. */
  readonly url: string;
  /** How long ago the scheduling loop last did its work. */
  readonly quietFor: () => Duration;
  /** Called when it begins not to be heard. */
  readonly onFailure: (message: string, again: Duration) => void;
}

const INTERVAL: Duration = 60_000;
/** The loop works at least every 30 s; when it does not, the daemon is not well, whatever else still runs. */
const TOO_QUIET: Duration = 90_000;

/** Tells a check every minute that the daemon keeps its promises; silence means that it does not. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #callOff: (() => void) | undefined;
  #failing = false;
  #closed = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    void this.#beat();
  }

  close(): void {
    this.#closed = true;
    this.#callOff?.();
  }

  async #beat(): Promise<void> {
    const { clock, url, quietFor, onFailure } = this.#options;
    this.#callOff = clock.after(INTERVAL, () => void this.#beat());
    if (quietFor() > TOO_QUIET) return;
    try {
      await post(url, '', {});
      this.#failing = false;
    } catch (error) {
      if (!this.#failing && !this.#closed)
        onFailure(without(partsOf(url), (error as Error).message), INTERVAL);
      this.#failing = true;
    }
  }
}
