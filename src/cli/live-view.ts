/** A view of a daemon that is drawn anew whenever something happens. */
import { systemClock } from '../engine/clock.ts';
import type { Duration } from '../model.ts';
import type { Client } from './client.ts';
import type { ServerEvent } from './event-stream.ts';
import { Screen } from './screen.ts';
import { Session } from './session.ts';

/** Between two frames at least, however much happens. */
const SHORTEST: Duration = 250;
/** On a terminal at most: times are told from now. */
const LONGEST: Duration = 1000;

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
  const events = await client.events('/events', leaving.signal);
  const first = await view.ask();
  const screen = Screen.ifAny(session);
  try {
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
    screen?.onResize(() => this.#wake());
    let told = first;
    this.#isNew = false;
    while (this.#draw(told) && !this.#isLeft && !this.#isGone) {
      await this.#pause();
      if (!this.#isNew || this.#isLeft || this.#isGone) continue;
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

  async #pause(): Promise<void> {
    await wait(SHORTEST);
    if (this.#isNew || this.#isLeft || this.#isGone) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#around.screen !== undefined) systemClock.after(LONGEST - SHORTEST, resolve);
    });
  }
}

function wait(length: Duration): Promise<void> {
  return new Promise((resolve) => void systemClock.after(length, resolve));
}
