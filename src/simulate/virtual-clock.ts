import { DueQueue } from '../schedule/due-queue.ts';
import type { Clock } from '../engine/ports.ts';

/** A clock that moves only when told. Wall and monotonic time can part: that is what a step or a suspend is. */
export class VirtualClock implements Clock {
  #wall: number;
  #monotonic = 0;
  readonly #timers = new DueQueue<() => void>();
  /** Timers that have fired: what a real daemon's wake-ups would be. */
  wakeUps = 0;

  constructor(start: string | number) {
    this.#wall = typeof start === 'number' ? start : Date.parse(start);
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(delay: number, action: () => void): () => void {
    const due = this.#timers.push(this.#monotonic + Math.max(delay, 0), action);
    return () => this.#timers.remove(due);
  }

  /**
   * Lets time pass; every timer on the way fires at its moment, and what it sets off settles before the next. Where `goOn` says
   * no, it stands still after the timer that has just fired.
   */
  async advance(ms: number, goOn: () => boolean = () => true): Promise<void> {
    const until = this.#monotonic + ms;
    await settled();
    for (let at = this.#timers.nextAt(); at !== undefined && at <= until; at = this.#timers.nextAt()) {
      this.#move(at);
      const action = this.#timers.takeDue(at);
      this.wakeUps += 1;
      action?.();
      await settled();
      if (!goOn()) return;
    }
    this.#move(until);
    await settled();
  }

  async advanceTo(wall: string | number): Promise<void> {
    const target = typeof wall === 'number' ? wall : Date.parse(wall);
    await this.advance(target - this.#wall);
  }

  /** Sets the wall clock by `ms` (negative: back). Also what a suspend looks like: monotonic time stands still. */
  step(ms: number): void {
    this.#wall += ms;
  }

  #move(monotonic: number): void {
    const passed = Math.max(monotonic - this.#monotonic, 0);
    this.#monotonic += passed;
    this.#wall += passed;
  }
}

/** Resolves when every promise that could settle without time passing has settled. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
