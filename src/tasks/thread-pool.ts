/**
 * Runs module tasks as threads of another process, the thread host: a few milliseconds where a process takes a hundred,
 * for tasks that behave. Threads share the working directory and the fate of their host: there is one host for each
 * working directory, started when it is first needed and let go when it has been idle.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import type { Duration } from '../model.ts';
import type { Clock } from '../engine/ports.ts';
import type { ModuleOutcome } from './module-outcome.ts';
import type { HostMessage, HostOrder, ThreadOrder } from './thread-protocol.ts';

export interface ThreadPoolOptions {
  /** Path of the Node to run, and its arguments up to and with the thread host. */
  readonly command: readonly string[];
  /** The environment of hosts. Threads get their own, but Node reads some of it at its start. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where threads without an output path write: nowhere, or to the daemon's own stdout and stderr. */
  readonly output: 'ignore' | 'inherit';
  readonly clock: Clock;
  /** How long an idle host is kept. */
  readonly idle: Duration;
}

export interface ThreadRequest {
  readonly order: ThreadOrder;
  readonly cwd: string;
  /** Bytes of JavaScript heap. */
  readonly memory?: number;
}

/** What becomes of a request: `started`, then exactly one of the others; or `not_started`. */
export type ThreadEvent =
  | { readonly kind: 'started' }
  | { readonly kind: 'not_started'; readonly message: string }
  | { readonly kind: 'ended'; readonly outcome: ModuleOutcome }
  /** It was told to end, and did before it had an outcome; or it cannot be ended, but nobody waits for it any more. */
  | { readonly kind: 'ended_by_order' }
  /** The host died with this thread as its only one. */
  | { readonly kind: 'signalled'; readonly signal: string }
  /** The host died under several threads; which of them was the cause is not known. */
  | { readonly kind: 'lost'; readonly message: string };

export interface Thread {
  /** Aborts the task's signal if the task has looked at it, else ends it. */
  abort(): void;
  end(): void;
}

export interface ThreadPool {
  /** Never throws. Events may come before it has returned. */
  run(request: ThreadRequest, listen: (event: ThreadEvent) => void): Thread;
  /** Ends all hosts with every thread in them, and waits until they are gone. Listeners are not called again. */
  close(): Promise<void>;
}

/** How long a thread may take to end when told to; a blocking system call inside it may take for ever. */
const patience: Duration = 2_000;

export function createThreadPool(options: ThreadPoolOptions): ThreadPool {
  const hosts = new Set<Host>();
  const hostFor = (cwd: string, identity: string): Host => {
    const present = Array.from(hosts).find((host) => host.accepts(cwd, identity));
    if (present !== undefined) return present;
    const host = new Host({ cwd, identity }, options, (gone) => hosts.delete(gone));
    hosts.add(host);
    return host;
  };
  return {
    run(request, listen) {
      const place = placeOf(request.cwd);
      if ('problem' in place) return refuse(listen, place.problem);
      try {
        return hostFor(request.cwd, place.identity).run(request, listen);
      } catch (error) {
        return refuse(listen, `No process for threads: ${(error as Error).message}`);
      }
    },
    async close() {
      await Promise.all(Array.from(hosts, (host) => host.close()));
    },
  };
}

function refuse(listen: (event: ThreadEvent) => void, message: string): Thread {
  listen({ kind: 'not_started', message });
  return { abort: () => undefined, end: () => undefined };
}

/**
 * Asked first, because spawn blames the program for a working directory that is not there. Its identity, because a
 * directory that a deployment has replaced (or its link) has the same name and is another.
 */
function placeOf(cwd: string): { identity: string } | { problem: string } {
  try {
    const stat = statSync(cwd);
    if (!stat.isDirectory()) return { problem: `The working directory ${cwd} is not a directory.` };
    return { identity: `${stat.dev}:${stat.ino}` };
  } catch (error) {
    return { problem: `The working directory ${cwd} cannot be used: ${(error as Error).message}` };
  }
}

interface Entry {
  readonly listen: (event: ThreadEvent) => void;
  /** Set once it was told to end: calls off the wait for that. */
  callOffPatience?: () => void;
}

/** One process and the threads in it. */
class Host {
  readonly #cwd: string;
  readonly #identity: string;
  readonly #clock: Clock;
  readonly #idle: Duration;
  readonly #child: ChildProcess;
  readonly #entries = new Map<number, Entry>();
  readonly #gone = Promise.withResolvers<void>();
  #nextKey = 1;
  #callOffIdle: (() => void) | undefined;
  /** It is dying, or holds a thread that cannot be ended. */
  #retired = false;

  constructor(
    { cwd, identity }: { cwd: string; identity: string },
    options: ThreadPoolOptions,
    onGone: (host: Host) => void,
  ) {
    this.#cwd = cwd;
    this.#identity = identity;
    this.#clock = options.clock;
    this.#idle = options.idle;
    const [file = '', ...args] = options.command;
    const { output, environment } = options;
    // A group of its own: Ctrl-C in the daemon's terminal is not meant for it, and what its threads started ends with it.
    this.#child = spawn(file, args, {
      cwd,
      env: environment,
      stdio: ['ignore', output, output, 'ipc'],
      detached: true,
    });
    const over = (event: ThreadEvent): void => {
      this.#retired = true;
      this.#callOffIdle?.();
      onGone(this);
      for (const key of this.#entries.keys()) this.#settle(key, event);
      this.#gone.resolve();
    };
    this.#child.on('error', (error) => {
      // Other errors are of messages to a host that has just died: 'exit' follows.
      if (this.#child.pid === undefined)
        over({ kind: 'not_started', message: `No process for threads: ${error.message}` });
    });
    // Not 'exit', which may overtake the last messages.
    this.#child.on('close', (code, signal) => over(this.#eventOfDeath(signal ?? `exit code ${code}`)));
    this.#child.on('message', ({ key, outcome }: HostMessage) => {
      this.#settle(key, outcome === undefined ? { kind: 'ended_by_order' } : { kind: 'ended', outcome });
    });
  }

  accepts(cwd: string, identity: string): boolean {
    return !this.#retired && cwd === this.#cwd && identity === this.#identity;
  }

  run({ order, memory }: ThreadRequest, listen: (event: ThreadEvent) => void): Thread {
    this.#callOffIdle?.();
    const key = this.#nextKey++;
    this.#entries.set(key, { listen });
    this.#tell({ kind: 'run', key, order, ...(memory === undefined ? {} : { memory }) });
    if (this.#child.pid !== undefined) listen({ kind: 'started' });
    return { abort: () => this.#tell({ kind: 'abort', key }), end: () => this.#end(key) };
  }

  async close(): Promise<void> {
    this.#entries.clear();
    this.#kill();
    await this.#gone.promise;
  }

  #kill(): void {
    this.#retired = true;
    const { pid, exitCode, signalCode } = this.#child;
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
  }

  #tell(order: HostOrder): void {
    this.#child.send(order, () => undefined);
  }

  #end(key: number): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.callOffPatience !== undefined) return;
    this.#tell({ kind: 'end', key });
    entry.callOffPatience = this.#clock.after(patience, () => {
      // It is inside a system call. New threads go to a new host; this one dies when its other threads have ended.
      this.#retired = true;
      this.#settle(key, { kind: 'ended_by_order' });
    });
  }

  #settle(key: number, event: ThreadEvent): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    entry.callOffPatience?.();
    if (this.#entries.size === 0) this.#rest();
    entry.listen(event);
  }

  #rest(): void {
    if (this.#retired) this.#kill();
    else this.#callOffIdle = this.#clock.after(this.#idle, () => this.#kill());
  }

  #eventOfDeath(how: string): ThreadEvent {
    const message = `The process that ran this thread ended by ${how}`;
    if (this.#entries.size > 1) {
      return { kind: 'lost', message: `${message}, with ${this.#entries.size} threads in it.` };
    }
    return how.startsWith('SIG')
      ? { kind: 'signalled', signal: how }
      : { kind: 'lost', message: `${message}.` };
  }
}
