import type { Duration, Instant, KeyedRequest } from '../model.ts';

/** How long a key is remembered, and how many are. */
export const REQUEST_MEMORY: Duration = 24 * 3_600_000;
export const MOST_REQUESTS = 10_000;

/** Requests by the keys their askers gave them: what a store answers by, whether or not it can write. */
export class Requests {
  readonly #known: Map<string, KeyedRequest>;

  /** @param known oldest first */
  constructor(known: Iterable<KeyedRequest> = []) {
    this.#known = new Map(Array.from(known, (request) => [request.key, request]));
  }

  find(key: string, now: Instant): KeyedRequest | undefined {
    const request = this.#known.get(key);
    return request === undefined || now - request.at > REQUEST_MEMORY ? undefined : request;
  }

  remember(request: KeyedRequest): void {
    this.#known.delete(request.key);
    this.#known.set(request.key, request);
    for (const [oldest] of this.#known) {
      if (this.#known.size <= MOST_REQUESTS) return;
      this.#known.delete(oldest);
    }
  }

  /** Oldest first. */
  all(): Iterable<KeyedRequest> {
    return this.#known.values();
  }
}
