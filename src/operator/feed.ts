import type { DaemonEvent, FeedEntry, Subscription } from '../engine/ports-operator.ts';
import type { Clock } from '../engine/ports.ts';
import type { Instant } from '../model.ts';

/** Events kept for those who come back. */
const KEPT = 1000;
/** Kept until the first subscriber has come: of the very start, which counters must not miss. */
const KEPT_AT_START = 100_000;

/** What happens, for those who watch; the newest of it is kept so that whoever lost the connection misses nothing. */
export class Feed {
  readonly #clock: Clock;
  /** Tells our ids from those of earlier daemons. */
  readonly #tag: string;
  readonly #entries: FeedEntry[] = [];
  readonly #listeners = new Set<(entry: FeedEntry) => void>();
  #kept = KEPT_AT_START;
  #first = 1;

  constructor(clock: Clock, startedAt: Instant) {
    this.#clock = clock;
    this.#tag = startedAt.toString(36);
  }

  observe(event: DaemonEvent): void {
    const entry: FeedEntry = { id: this.#idOf(this.#entries.length), at: this.#clock.now(), event };
    this.#entries.push(entry);
    // Twice as many, so that it is cut now and then rather than always.
    if (this.#entries.length >= 2 * this.#kept) this.#trim();
    for (const listener of this.#listeners) listener(entry);
  }

  /** Tells the listener all that came after the event named, at once, then what comes. Without a name it is known by: what comes. */
  subscribe(listener: (entry: FeedEntry) => void, after?: string): Subscription {
    const begin = after === undefined ? this.#entries.length : this.#after(after);
    for (const entry of this.#entries.slice(begin ?? this.#entries.length)) listener(entry);
    this.#listeners.add(listener);
    const last = this.#idOf(this.#entries.length - 1);
    return { missed: begin === undefined, last, close: () => this.#listeners.delete(listener) };
  }

  /** Tells the listener all since the daemon began, then what comes. For one that is there from the start. */
  subscribeFromStart(listener: (entry: FeedEntry) => void): void {
    for (const entry of this.#entries) listener(entry);
    this.#listeners.add(listener);
    this.settle();
  }

  /** From now on only the newest are kept. */
  settle(): void {
    this.#kept = KEPT;
    this.#trim();
  }

  #idOf(index: number): string {
    return `${this.#tag}-${this.#first + index}`;
  }

  #trim(): void {
    const gone = this.#entries.splice(0, Math.max(this.#entries.length - this.#kept, 0));
    this.#first += gone.length;
  }

  /** Index of the entry after the one named; undefined when that is not known any more, or never was ours. */
  #after(id: string): number | undefined {
    const [tag, text = ''] = id.split('-');
    const index = /^\d{1,15}$/.test(text) ? Number(text) - this.#first + 1 : Number.NaN;
    return tag === this.#tag && index >= 0 && index <= this.#entries.length ? index : undefined;
  }
}
