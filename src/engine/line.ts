import type { Duration, Waited } from '../model.ts';
import type { Alarm, Ticket } from './alarm.ts';
import type { Limit, Place, Pools, Waiter } from './pools.ts';

export interface Wish extends Omit<Place, 'enter'> {
  /** So long after it is known that it has to wait it has left the line, and `expire` is called instead of `enter`. */
  readonly patience: Duration | undefined;
  /** It is known that it has to wait. */
  readonly wait: (waited: Waited) => void;
  /** Its turn has come: it takes what it demands within this call, or nothing at all. `waited`: for what, if it had to. */
  readonly enter: (waited: Waited | undefined) => void;
  readonly expire: (waited: Waited) => void;
}

/** A place in line for limits, until its turn comes or its patience ends. */
export class Standing {
  readonly #pools: Pools;
  readonly #alarm: Alarm;
  readonly #wish: Wish;
  #waiter: Waiter | undefined;
  #waited: Waited | undefined;
  #ticket: Ticket | undefined;

  constructor(pools: Pools, alarm: Alarm, wish: Wish) {
    this.#pools = pools;
    this.#alarm = alarm;
    this.#wish = wish;
    let hasEntered = false;
    const waiter = pools.stand({
      ...wish,
      enter: () => {
        hasEntered = true;
        this.#forget();
        wish.enter(this.#waited);
      },
    });
    if (hasEntered) return;
    this.#waiter = waiter;
    pools.whenKnown(() => this.#wait());
  }

  /** What it had to wait for first. */
  get waited(): Waited | undefined {
    return this.#waited;
  }

  /** What it waits for now. */
  get limit(): Limit | undefined {
    return this.#waiter?.waitsFor;
  }

  /** Gives the place up; the pools are to be settled then. */
  leave(): void {
    if (this.#waiter !== undefined) this.#pools.leave(this.#waiter);
    this.#forget();
  }

  #wait(): void {
    const { limit } = this;
    if (limit === undefined) return;
    const { since, patience } = this.#wish;
    if (patience !== undefined) this.#ticket = this.#alarm.after(patience, { wake: () => this.#expire() });
    this.#waited = limit.awaited(since);
    this.#wish.wait(this.#waited);
  }

  #expire(): void {
    this.#waited ??= this.limit?.awaited(this.#wish.since);
    this.leave();
    if (this.#waited !== undefined) this.#wish.expire(this.#waited);
  }

  #forget(): void {
    this.#alarm.cancel(this.#ticket);
    this.#waiter = undefined;
  }
}
