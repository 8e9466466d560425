import type { Duration, Instant, RunId } from '../model.ts';

/** How long a key is remembered, and how many are; a daemon that was restarted knows none. */
const MEMORY: Duration = 24 * 3_600_000;
const MOST = 10_000;

export interface Request {
  readonly what: string;
  readonly runId: RunId;
  readonly at: Instant;
}

/** Requests by the keys their askers gave them, so that one that is sent again does nothing twice. */
export class Requests {
  readonly #known = new Map<string, Request>();

  /** What was asked for by the key, and the run that was begun for it. */
  find(key: string, now: Instant): Request | undefined {
    const request = this.#known.get(key);
    return request === undefined || now - request.at > MEMORY ? undefined : request;
  }

  remember(key: string, request: Request): void {
    this.#known.delete(key);
    this.#known.set(key, request);
    for (const [oldest] of this.#known) {
      if (this.#known.size <= MOST) return;
      this.#known.delete(oldest);
    }
  }
}
