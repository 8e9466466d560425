/**
 * Starts processes without forking the daemon, whose forks cost the more the larger its heap is: one small long-lived
 * shell (or perl), fed over a pipe, does it (spawner-script.ts has its program and the protocol).
 */
import type { Clock } from '../engine/ports.ts';
import type { LaunchEvent, LaunchRequest } from './launch.ts';
import { unacceptable } from './launch-request.ts';
import { Shell, type Launch } from './shell.ts';
import { spawnerPrograms, type SpawnerProgram } from './spawner-program.ts';

export type { Ending, LaunchEvent, LaunchRequest } from './launch.ts';

export interface Spawner {
  /** Starts a process. Never throws: trouble is an event, and no event comes before this has returned. */
  launch(request: LaunchRequest, listen: (event: LaunchEvent) => void): void;
  /** Process id of the shell; undefined when there is none just now. */
  readonly pid: number | undefined;
  /** Lets the shell go. Processes it started, and those that watch over them, live on. Listeners are not called again. */
  close(): Promise<void>;
}

export interface SpawnerOptions {
  /** The environment processes inherit. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Processes without an output file write to the daemon's own stdout and stderr; otherwise such a request fails. */
  readonly output?: 'file' | 'inherit';
  /** The argv of a shell, or of perl; by default the best there is. */
  readonly argv?: readonly string[];
}

/**
 * Requests written at once: not all, so that the shell begins while the daemon still prepares the others; and whoever
 * watches over the processes of one batch should not have too many.
 */
const BATCH = 16;
/** A request that this many shells died over is given up. */
const TRIES = 2;

/**
 * Starts the shell at once, since while the daemon is small a fork is cheap; and again whenever it died. Throws when
 * there is not the memory for the first.
 */
export function createSpawner(options: SpawnerOptions): Spawner {
  return new ShellSpawner(options);
}

class ShellSpawner implements Spawner {
  readonly #options: SpawnerOptions;
  readonly #fallback: SpawnerProgram;
  readonly #shells = new Set<Shell>();
  readonly #batch: Launch[] = [];
  #program: SpawnerProgram;
  #current: Shell | undefined;
  #lastId = 0;
  #closed = false;

  constructor(options: SpawnerOptions) {
    this.#options = options;
    const { best, fallback } = spawnerPrograms(options.argv);
    this.#program = best;
    this.#fallback = fallback;
    this.#current = this.#open();
  }

  get pid(): number | undefined {
    return this.#current?.pid;
  }

  launch(request: LaunchRequest, listen: (event: LaunchEvent) => void): void {
    this.#lastId += 1;
    const launch: Launch = { id: this.#lastId, request, listen, deaths: 0, again: false, begun: false };
    const message = unacceptable(request);
    if (message !== undefined) refuse([launch], message);
    // Who a user is may be asked of a server that does not answer.
    else if (request.user !== undefined || request.group !== undefined) this.#sendAlone(launch);
    else this.#send(launch);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#shells, (shell) => shell.close()));
  }

  #open(): Shell {
    const { environment, clock, output } = this.#options;
    const shell: Shell = new Shell({
      program: this.#program,
      environment,
      clock,
      inherit: output === 'inherit',
      died: (mute) => {
        if (this.#current === shell) this.#current = undefined;
        if (mute) this.#program = this.#fallback;
      },
      left: (launches) => launches.forEach((launch) => this.#again(launch)),
      silent: () => this.#shells.delete(shell),
    });
    this.#shells.add(shell);
    return shell;
  }

  #again(launch: Launch): void {
    if (launch.deaths < TRIES) return this.#sendAlone(launch);
    refuse([launch], 'The process that starts others died twice before it could start this one.');
  }

  /** What may hang or kill who is to start it should not hit others. */
  #sendAlone(launch: Launch): void {
    this.#flush();
    this.#batch.push(launch);
    this.#flush();
  }

  #send(launch: Launch): void {
    this.#batch.push(launch);
    if (this.#batch.length === 1) queueMicrotask(() => this.#flush());
    else if (this.#batch.length >= BATCH) this.#flush();
  }

  #flush(): void {
    if (this.#batch.length === 0 || this.#closed) return;
    const launches = this.#batch.splice(0);
    try {
      this.#current ??= this.#open();
      this.#current.send(launches);
    } catch (error) {
      refuse(launches, `The process that starts others could not be started (${(error as Error).message}).`);
    }
  }
}

function refuse(launches: readonly Launch[], message: string): void {
  queueMicrotask(() => launches.forEach(({ listen }) => listen({ kind: 'not_started', message })));
}
