/** The one connection that is kept for what belongs to a connection: what is listened to, and locks that say that somebody lives. */
import type { Client } from 'pg';
import type { Clock } from '../engine/ports.ts';
import { DatabaseAway } from './errors.ts';

/** From a goodbye to hanging up. Milliseconds. */
export const GOODBYE = 1000;

interface Listener {
  readonly hear: (payload: string) => void;
  readonly again: () => void;
}

interface SessionOptions {
  readonly clock: Clock;
  /** The first half of each lock's key, another for each schema. */
  readonly lockClass: number;
  /** A connection that was made. Rejects as database.ts explains it. */
  readonly connect: () => Promise<Client>;
  /** Bounded, and explained. */
  readonly ask: (client: Client, sql: string, values: readonly unknown[]) => Promise<readonly object[]>;
  readonly onTrouble: (message: string) => void;
}

/** Between two tries to connect again; doubled from the first up to the last. Milliseconds. */
const FIRST_RETRY = 250;
const LAST_RETRY = 5000;
/** Between two tries for a lock that an earlier connection of ours may still have: the server has not noticed yet that it was cut off. */
const REGAIN = 1000;

export class Session {
  readonly #options: SessionOptions;
  readonly #listeners = new Map<string, Listener[]>();
  /** Locks that are wanted, once had: all but the missing ones are held. */
  readonly #held = new Set<number>();
  readonly #missing = new Set<number>();
  #client: Client | undefined;
  /** What was asked of the connection, one after the other. */
  #line: Promise<unknown> = Promise.resolve();
  #connecting: Promise<void> | undefined;
  #retry = FIRST_RETRY;
  #callOff: (() => void) | undefined;
  #callOffRegain: (() => void) | undefined;
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Resolves when it listens, or when it is known that it will as soon as the database is back. Gives how to stop. */
  async listen(channel: string, listener: Listener): Promise<() => void> {
    const stop = (): void => this.#forget(channel, listener);
    const others = this.#listeners.get(channel);
    if (others !== undefined) {
      others.push(listener);
      return stop;
    }
    this.#listeners.set(channel, [listener]);
    // Whoever connects listens to all that is known by then.
    if (this.#client === undefined) {
      await this.#connect();
      return stop;
    }
    try {
      await this.#ask(`LISTEN ${quoted(channel)}`);
      listener.again();
    } catch {
      // The connection is gone; the next one listens to this too, and says so by `again`.
    }
    return stop;
  }

  #forget(channel: string, listener: Listener): void {
    const others = (this.#listeners.get(channel) ?? []).filter((each) => each !== listener);
    if (others.length > 0) {
      this.#listeners.set(channel, others);
      return;
    }
    if (!this.#listeners.delete(channel) || this.#client === undefined) return;
    // A connection that is lost listens to nothing; who listens again meanwhile asks after this.
    this.#ask(`UNLISTEN ${quoted(channel)}`).catch(() => undefined);
  }

  /** @throws DatabaseAway */
  async hold(key: number): Promise<boolean> {
    if (this.#client === undefined) await this.#connect();
    if (this.#client === undefined) throw new DatabaseAway('the connection for locks cannot be made');
    if (this.#held.has(key) && !this.#missing.has(key)) return true;
    const isHeld = await this.#tryLock(key);
    if (!isHeld) return false;
    this.#held.add(key);
    this.#missing.delete(key);
    return true;
  }

  async release(key: number): Promise<void> {
    if (!this.#held.delete(key) || this.#missing.delete(key) || this.#client === undefined) return;
    try {
      await this.#unlock(key);
    } catch {
      // Gone with its connection, which is what was asked for.
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#callOff?.();
    this.#callOffRegain?.();
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await part(client, this.#options.clock);
  }

  #connect(): Promise<void> {
    this.#callOff?.();
    this.#connecting ??= this.#open().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  async #open(): Promise<void> {
    let client: Client;
    try {
      client = await this.#options.connect();
    } catch (error) {
      return this.#lost(undefined, (error as Error).message);
    }
    if (this.#closed) return part(client, this.#options.clock);
    client.on('error', (error) => this.#lost(client, error.message));
    client.on('end', () => this.#lost(client, 'the connection was closed'));
    client.on('notification', ({ channel, payload }) => {
      for (const { hear } of this.#listeners.get(channel) ?? []) hear(payload ?? '');
    });
    this.#client = client;
    try {
      for (const key of this.#held) this.#missing.add(key);
      await this.#regain();
      const told = [...this.#listeners];
      if (told.length > 0) await this.#ask(told.map(([channel]) => `LISTEN ${quoted(channel)}`).join('; '));
      this.#retry = FIRST_RETRY;
      for (const [, listeners] of told) for (const { again } of listeners) again();
    } catch (error) {
      this.#lost(client, (error as Error).message);
    }
  }

  async #regain(): Promise<void> {
    for (const key of this.#missing) {
      if (!(await this.#tryLock(key))) continue;
      // It may have been released while it was asked for.
      if (this.#missing.delete(key)) continue;
      await this.#unlock(key);
    }
    if (this.#missing.size === 0 || this.#closed) return;
    this.#callOffRegain?.();
    this.#callOffRegain = this.#options.clock.after(REGAIN, () => {
      // A connection that is lost is told, and made again, by who finds it so.
      this.#regain().catch(() => undefined);
    });
  }

  #unlock(key: number): Promise<unknown> {
    return this.#ask('SELECT pg_advisory_unlock($1, $2)', [this.#options.lockClass, key]);
  }

  async #tryLock(key: number): Promise<boolean> {
    const rows = await this.#ask('SELECT pg_try_advisory_lock($1, $2) AS held', [
      this.#options.lockClass,
      key,
    ]);
    return rows.some((row) => 'held' in row && row.held === true);
  }

  async #ask(sql: string, values: readonly unknown[] = []): Promise<readonly object[]> {
    const turn = this.#line.then(async () => {
      const client = this.#client;
      if (client === undefined) throw new DatabaseAway('the connection for notifications is lost');
      try {
        return await this.#options.ask(client, sql, values);
      } catch (error) {
        // A connection that fails, or does not answer, is of no use any more.
        this.#lost(client, (error as Error).message);
        throw error;
      }
    });
    this.#line = turn.catch(() => undefined);
    return turn;
  }

  /** Ends a connection, and makes another after a while. */
  #lost(client: Client | undefined, message: string): void {
    if (this.#closed || client !== this.#client) return;
    this.#client = undefined;
    this.#callOffRegain?.();
    if (client !== undefined) void part(client, this.#options.clock);
    if (this.#retry === FIRST_RETRY) this.#options.onTrouble(message);
    const delay = this.#retry;
    this.#retry = Math.min(this.#retry * 2, LAST_RETRY);
    this.#callOff?.();
    this.#callOff = this.#options.clock.after(delay, () => void this.#connect());
  }
}

/** Says goodbye, and hangs up where nobody says it back: on a network that was cut, that would take until the system gives up. */
async function part(client: Client, clock: Clock): Promise<void> {
  const callOff = clock.after(GOODBYE, () => client.connection.stream.destroy());
  await client.end().catch(() => undefined);
  callOff();
}

function quoted(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`;
}
