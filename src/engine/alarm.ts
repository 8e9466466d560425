import { DueQueue, type Due } from '../schedule/due-queue.ts';
import type { Duration, Instant } from '../model.ts';
import type { Clock } from './ports.ts';

/**
 * Never sleep longer than this: a stepped wall clock or a resumed laptop is noticed within it, and setTimeout fires
 * at once when asked for more than 2^31-1 ms.
 */
const LONGEST_SLEEP: Duration = 30_000;

/** A wall clock that moved this much more or less than the monotonic one was stepped, or the host was suspended. */
const STEP: Duration = 1000;

/** Something that waits for its time. An interface rather than a closure: 100,000 jobs are 100,000 of these. */
export interface Wakeable {
  wake(): void;
}

export interface AlarmListener {
  /** The wall clock moved by this much more than time did (negative: back). Called before anything is woken. */
  stepped(by: Duration): void;
  /** All that was due has been woken: the moment to commit a tick's decisions together. */
  rung(): void;
  /** Never sleep longer than this, if that is less than the alarm's own bound. */
  readonly every?: Duration | undefined;
}

/** Where an entry stands; remove it through `Alarm.cancel`. */
export type Ticket = Due<Wakeable>;

/**
 * One timer for the whole daemon. Wall-clock entries (slots, retries) follow the wall clock wherever it goes;
 * monotonic ones (time-outs, drains) count real time. Both are heaps, so a wake-up costs what is due and nothing else.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #listener: AlarmListener;
  readonly #longestSleep: Duration;
  readonly #wall = new DueQueue<Wakeable>();
  readonly #elapsed = new DueQueue<Wakeable>();
  #cancelTimer: (() => void) | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #lastWall: Instant;
  #lastMonotonic: Duration;
  #stopped = false;
  #ringing = false;

  constructor(clock: Clock, listener: AlarmListener) {
    this.#clock = clock;
    this.#listener = listener;
    this.#longestSleep = Math.min(
      clock.longestSleep ?? LONGEST_SLEEP,
      listener.every ?? Number.POSITIVE_INFINITY,
    );
    this.#lastWall = clock.now();
    this.#lastMonotonic = clock.monotonic();
  }

  /** Wakes `sleeper` when the wall clock reads `at` or later; of equal times, higher priority first. */
  at(at: Instant, sleeper: Wakeable, priority = 0): Ticket {
    const due = this.#wall.push(at, sleeper, priority);
    if (due.position === 0) this.#arm();
    return due;
  }

  /** Wakes `sleeper` after `delay` of monotonic time. */
  after(delay: Duration, sleeper: Wakeable): Ticket {
    const due = this.#elapsed.push(this.#clock.monotonic() + delay, sleeper);
    if (due.position === 0) this.#arm();
    return due;
  }

  cancel(ticket: Ticket | undefined): void {
    if (ticket === undefined) return;
    this.#wall.remove(ticket);
    this.#elapsed.remove(ticket);
  }

  /** Handles all that is due now. The timer calls it; so may anyone who is about to change what is due. */
  ring(): void {
    if (this.#stopped || this.#ringing) return;
    this.#ringing = true;
    try {
      this.#noticeStep();
      this.#drain(this.#elapsed, this.#clock.monotonic());
      this.#drain(this.#wall, this.#clock.now());
    } finally {
      this.#ringing = false;
      if (!this.#stopped) this.#listener.rung();
      this.#arm();
    }
  }

  /** How long ago it last handled what was due: never much longer than its longest sleep, unless the loop is held up. */
  get quietFor(): Duration {
    return this.#clock.monotonic() - this.#lastMonotonic;
  }

  /** For good: nothing is woken any more, not even what was about to be. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  #drain(queue: DueQueue<Wakeable>, until: number): void {
    while (!this.#stopped) {
      const due = queue.takeDue(until);
      if (due === undefined) return;
      due.wake();
    }
  }

  #noticeStep(): void {
    const now = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const by = now - this.#lastWall - (monotonic - this.#lastMonotonic);
    this.#lastWall = now;
    this.#lastMonotonic = monotonic;
    if (Math.abs(by) >= STEP) this.#listener.stepped(by);
  }

  #arm(): void {
    if (this.#stopped || this.#ringing) return;
    const wall = (this.#wall.nextAt() ?? Number.POSITIVE_INFINITY) - this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const elapsed = (this.#elapsed.nextAt() ?? Number.POSITIVE_INFINITY) - monotonic;
    const delay = Math.max(Math.min(wall, elapsed, this.#longestSleep), 0);
    if (this.#cancelTimer !== undefined && this.#armedFor <= monotonic + delay) return;
    this.#cancelTimer?.();
    this.#armedFor = monotonic + delay;
    this.#cancelTimer = this.#clock.after(delay, () => {
      this.#cancelTimer = undefined;
      this.ring();
    });
  }
}
