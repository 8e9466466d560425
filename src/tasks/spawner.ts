/**
 * Starts processes without forking the daemon, whose forks cost the more the larger its heap is: one small long-lived
 * shell, fed over a pipe, does it (spawner-script.ts has its program and the protocol).
 */
import { existsSync } from 'node:fs';
import type { Clock } from '../engine/ports.ts';
import type { LaunchEvent, LaunchRequest } from './launch.ts';
import { unacceptable } from './launch-request.ts';
import { Shell, type Launch } from './shell.ts';

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
  /** The shell's argv; by default bash if there is one, else sh. */
  readonly shell?: readonly string[];
}

/** Requests written at once: not all, so that the shell begins while the daemon still prepares the others. */
const BATCH = 16;
/** A request that this many shells died over is given up. */
const TRIES = 2;

/**
 * Starts the shell at once, since while the daemon is small a fork is cheap; and again whenever it died. Throws when
 * there is not the memory for the first.
 */
export function createSpawner(options: SpawnerOptions): Spawner {
  const argv = options.shell ?? preferredShell();
  const shells = new Set<Shell>();
  let current: Shell | undefined;
  let batch: Launch[] = [];
  let lastId = 0;
  let closed = false;

  function open(): Shell {
    const shell: Shell = new Shell({
      argv,
      environment: options.environment,
      clock: options.clock,
      inherit: options.output === 'inherit',
      died: () => {
        if (current === shell) current = undefined;
      },
      left: (launches) => launches.forEach(again),
      silent: () => shells.delete(shell),
    });
    shells.add(shell);
    return shell;
  }

  function again(launch: Launch): void {
    if (launch.deaths < TRIES) return send(launch);
    refuse([launch], 'The process that starts others died twice before it could start this one.');
  }

  function send(launch: Launch): void {
    batch.push(launch);
    if (batch.length === 1) queueMicrotask(flush);
    else if (batch.length >= BATCH) flush();
  }

  function flush(): void {
    if (batch.length === 0 || closed) return;
    const launches = batch;
    batch = [];
    try {
      current ??= open();
      current.send(launches);
    } catch (error) {
      refuse(launches, `The process that starts others could not be started (${(error as Error).message}).`);
    }
  }

  current = open();
  return {
    get pid() {
      return current?.pid;
    },
    launch(request, listen) {
      lastId += 1;
      const launch: Launch = { id: lastId, request, listen, deaths: 0, begun: false, accepted: false };
      const message = unacceptable(request);
      if (message === undefined) send(launch);
      else refuse([launch], message);
    },
    async close() {
      closed = true;
      await Promise.all(Array.from(shells, (shell) => shell.close()));
    },
  };
}

function refuse(launches: readonly Launch[], message: string): void {
  queueMicrotask(() => launches.forEach(({ listen }) => listen({ kind: 'not_started', message })));
}

/**
 * Bash can give a process a group of its own; see spawner-script.ts. With `-p` it reads no BASH_ENV. Without `--norc` it reads ~/.bashrc,
 * because its standard input is a socket, from which it concludes that it was started by rshd.
 */
function preferredShell(): readonly string[] {
  const bash = ['/bin/bash', '/usr/bin/bash', '/usr/local/bin/bash'].find((path) => existsSync(path));
  return bash === undefined ? ['/bin/sh'] : [bash, '--norc', '-p'];
}
