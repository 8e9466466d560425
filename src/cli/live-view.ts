/** A view of a daemon that is drawn anew whenever something happens. */
import { systemClock } from '../engine/clock.ts';
import type { Duration } from '../model.ts';
import type { Client } from './client.ts';
import type { ServerEvent } from './event-stream.ts';
import { Screen } from './screen.ts';
import { Session } from './session.ts';

/** Between two frames, however much happens: what is asked for costs the daemon time too. */
const PACE: Duration = 1000;

/** What is shown, by what the daemon tells now. */
export interface View<T> {
  /** Asks for it all. */
  ask(): Promise<T>;
  /** What was asked for, as it looks at the session's moment. */
  draw(told: T, session: Session): string;
}

/**
 * Shows a view until the user has enough. Asks again only when something has happened.
 * @throws Failure when there is no daemon, or it goes away
 */
export async function show<T>(view: View<T>, client: Client, session: Session): Promise<void> {
  const leaving = new AbortController();
  const events = await client.events('/events', { signal: leaving.signal });
  let screen: Screen | undefined;
  try {
    const first = await view.ask();
    screen = Screen.ifAny(session);
    await new Showing(view, { client, session, screen }).from(first, events);
  } finally {
    screen?.close();
    leaving.abort();
  }
}

interface Around {
  readonly client: Client;
  readonly session: Session;
  /** Absent where standard output is no terminal. */
  readonly screen: Screen | undefined;
}

class Showing<T> {
  readonly #view: View<T>;
  readonly #around: Around;
  #isNew = true;
  #isLeft = false;
  #isGone = false;
  #wake: () => void = () => undefined;

  constructor(view: View<T>, around: Around) {
    this.#view = view;
    this.#around = around;
  }

  async from(first: T, events: AsyncIterable<ServerEvent>): Promise<void> {
    const { client, screen } = this.#around;
    void this.#hear(events);
    screen?.onLeave(() => {
      this.#isLeft = true;
      this.#wake();
    });
    let told = first;
    this.#isNew = false;
    while (this.#draw(told) && !this.#isOver) {
      await this.#pause();
      if (!this.#isNew || this.#isOver) continue;
      this.#isNew = false;
      told = await this.#view.ask();
    }
    if (this.#isGone) throw client.gone();
  }

  async #hear(events: AsyncIterable<ServerEvent>): Promise<void> {
    for await (const { name } of events) {
      if (name === 'hello') continue;
      this.#isNew = true;
      this.#wake();
    }
    this.#isGone = true;
    this.#wake();
  }

  /** False: nobody looks any more. */
  #draw(told: T): boolean {
    const { session, screen } = this.#around;
    const now = new Session(session.environment, Date.now());
    now.color = session.color;
    const frame = this.#view.draw(told, now);
    if (screen === undefined) return session.out(frame);
    screen.draw(frame);
    return true;
  }

  /** Until the next frame; what ends the view does not wait for it. */
  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const callOff = systemClock.after(PACE, resolve);
    this.#wake = () => {
      if (this.#isOver) resolve();
    };
    await promise;
    callOff();
    if (this.#isOver || this.#isNew || this.#around.screen !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  get #isOver(): boolean {
    return this.#isLeft || this.#isGone;
  }
}
