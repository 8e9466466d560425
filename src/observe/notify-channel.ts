/**
 * How words reach the service manager: sd_notify(3) without an addon, since Node has no Unix sockets of the datagram kind.
 * systemd from 253 on hands us one (`OpenFile=/run/systemd/notify:notify:graceful`); before that, and for services of a user,
 * its own program `systemd-notify` speaks for us, which needs `NotifyAccess=all`.
 */
import { execFile } from 'node:child_process';
import { fstatSync, write } from 'node:fs';
import type { Duration } from '../model.ts';

/** Assignments by name, as sd_notify(3) lists them. Values have no line breaks. */
export type Notice = Readonly<Record<string, string>>;

export interface NotifyChannel {
  /** How long to let pass between notices that nobody waits for: what one costs decides it. */
  readonly spacing: Duration;
  /** Sends it soon. Never throws. */
  send(notice: Notice): void;
  /** Resolves when all that was sent is out, or cannot be. */
  flush(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A program that does not come back must not hold up the end of the daemon. */
const PATIENCE: Duration = 5_000;

/** The first descriptor that systemd passes: SD_LISTEN_FDS_START. */
const FIRST = 3;

/**
 * The way to the service manager that started this process; undefined when none did, or it does not want to hear.
 * @param onProblem told once, when the first notice could not be delivered
 */
export function notifyChannel(
  environment: Environment,
  onProblem: (message: string) => void,
): NotifyChannel | undefined {
  const descriptor = passedDescriptor(environment);
  if (descriptor !== undefined) {
    return new Outbox({ deliver: (notice) => writeTo(descriptor, notice), spacing: 1_000, onProblem });
  }
  const { NOTIFY_SOCKET, PATH = '/usr/bin:/bin' } = environment;
  if (NOTIFY_SOCKET === undefined || NOTIFY_SOCKET === '') return undefined;
  const env = { NOTIFY_SOCKET, PATH };
  return new Outbox({ deliver: (notice) => callProgram(notice, env), spacing: 10_000, onProblem });
}

/** The descriptor named `notify`, if we were handed one: sd_listen_fds_with_names(3). */
function passedDescriptor({ LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES }: Environment): number | undefined {
  if (LISTEN_PID !== String(process.pid)) return undefined;
  const position = (LISTEN_FDNAMES ?? '').split(':').indexOf('notify');
  if (position < 0 || position >= Number(LISTEN_FDS)) return undefined;
  try {
    return fstatSync(FIRST + position).isSocket() ? FIRST + position : undefined;
  } catch {
    return undefined; // it was closed on the way to us
  }
}

/** On a thread of Node's pool: when the service manager does not read, the write blocks. */
function writeTo(descriptor: number, notice: Notice): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  write(descriptor, assignments(notice).join('\n'), (error) => (error === null ? resolve() : reject(error)));
  return promise;
}

function callProgram(notice: Notice, env: Record<string, string>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const options = { env, timeout: PATIENCE, killSignal: 'SIGKILL' } as const;
  execFile('systemd-notify', assignments(notice), options, (error) => {
    if (error === null) resolve();
    else if (error.code === 'ENOENT') reject(new Error('there is no program systemd-notify'));
    else reject(error);
  });
  return promise;
}

function assignments(notice: Notice): string[] {
  return Object.entries(notice).map(([name, value]) => `${name}=${value}`);
}

/** What moves a service from one state to another. Two of these are never put into one notice: each counts, in its order. */
function movesState(notice: Notice): boolean {
  return 'READY' in notice || 'RELOADING' in notice || 'STOPPING' in notice;
}

interface OutboxOptions {
  /** Rejects when the notice could not be delivered. */
  readonly deliver: (notice: Notice) => Promise<void>;
  readonly spacing: Duration;
  readonly onProblem: (message: string) => void;
}

/** Delivers one notice at a time; what comes meanwhile goes together. */
class Outbox implements NotifyChannel {
  readonly spacing: Duration;
  readonly #options: OutboxOptions;
  readonly #waiting: Notice[] = [];
  #delivering: Promise<void> | undefined;
  #hasComplained = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.spacing = options.spacing;
  }

  send(notice: Notice): void {
    const last = this.#waiting.at(-1);
    if (last === undefined || (movesState(last) && movesState(notice))) this.#waiting.push(notice);
    else this.#waiting.splice(-1, 1, { ...last, ...notice });
    this.#delivering ??= this.#deliver();
  }

  async flush(): Promise<void> {
    await this.#delivering;
  }

  async #deliver(): Promise<void> {
    await Promise.resolve(); // what is said in the same turn goes together
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      await this.#options.deliver(next).catch((error: unknown) => this.#complain(error));
    }
    this.#delivering = undefined;
  }

  #complain(error: unknown): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    this.#options.onProblem(error instanceof Error ? error.message : String(error));
  }
}
