/**
 * Starts processes without forking the daemon, whose forks cost the more the larger its heap is: one small long-lived
 * shell, fed over a pipe, does it (spawner-script.ts has the program and the protocol).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../engine/ports.ts';
import type { ResourceLimits } from '../model.ts';
import { encodeRequest, unacceptable } from './launch-request.ts';
import { explainLaunchProblem } from './launch-problem.ts';
import { LAUNCHER_SCRIPT, SPAWNER_SCRIPT } from './spawner-script.ts';

/** What is to be started. Strings may hold anything but NUL; they reach the process byte for byte. */
export interface LaunchRequest {
  /** Program and arguments; a program without a slash is looked for in the PATH of the process's own environment. */
  readonly argv: readonly string[];
  /** Absolute path. */
  readonly cwd: string;
  /** Variables set on top of the inherited environment, or, with `inheritEnv` false, of a nearly empty one. */
  readonly env: Readonly<Record<string, string>>;
  readonly inheritEnv: boolean;
  readonly user?: string;
  readonly group?: string;
  readonly umask?: number;
  readonly nice?: number;
  readonly limits: ResourceLimits;
  /** Absolute path of a file to be standard input; /dev/null when absent. */
  readonly stdinPath?: string;
  /** Absolute path: stdout and stderr are appended to it (0600). Absent: the daemon's own stdout and stderr. */
  readonly outputPath?: string;
  /** Absolute path: how the process ended is written there before it is reported, so it is known even if nobody listens. */
  readonly exitPath: string;
}

/** How a process ended. */
export type Ending =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'signalled'; readonly signal: string };

/**
 * What becomes of a request: `not_started`, or `started` and then exactly one of the others (`not_started` after
 * `started` is rare: the process came to be, but could not become the program). Never before `launch` has returned.
 */
export type LaunchEvent =
  /** The process leads a process group of its own: its id is the group's. */
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'not_started'; readonly message: string }
  | Ending
  /** The processes that watched it died; how it ended, or whether it has, is not known. */
  | { readonly kind: 'lost'; readonly message: string };

export interface Spawner {
  /** Starts a process. Never throws: trouble is an event. Requests of one turn of the event loop are written together. */
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
  /** The shell's argv; by default bash if there is one, else sh. */
  readonly shell?: readonly string[];
}

/** One request on its way. */
interface Launch {
  readonly id: number;
  readonly request: LaunchRequest;
  readonly listen: (event: LaunchEvent) => void;
  /** Shells this was sent to. */
  sent: number;
  /** A supervisor has it. */
  accepted: boolean;
  pid?: number;
  /** The process was found gone, but its supervisor has said nothing yet. */
  missing?: boolean;
}

/** One shell and what was sent to it. Its reports outlast it: the supervisors it forked hold them open. */
interface Shell {
  readonly child: ChildProcess;
  readonly requests: Writable;
  readonly launches: Map<number, Launch>;
  readonly gone: Promise<void>;
}

/** From the death of a shell, or of a process, to the conclusion that no word of it is on the way. Milliseconds. */
const GRACE = 500;
/** Requests written at once, so that the shell begins while the daemon still prepares the others. */
const BATCH = 16;

const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** Starts the shell at once: while the daemon is small a fork is cheap. */
export function createSpawner(options: SpawnerOptions): Spawner {
  const { clock } = options;
  const argv = options.shell ?? preferredShell();
  const shells = new Set<Shell>();
  let shell: Shell | undefined;
  let batch: Launch[] = [];
  let lastId = 0;
  let closed = false;
  let stopWatching: (() => void) | undefined;

  function open(): Shell | undefined {
    const [file = '/bin/sh', ...rest] = argv;
    const env = { ...options.environment, TSCHED_SPAWNER: SPAWNER_SCRIPT, TSCHED_LAUNCHER: LAUNCHER_SCRIPT };
    const child = spawn(file, [...rest, '-c', 'eval "$TSCHED_SPAWNER"', 'tsched-spawner'], {
      cwd: '/',
      env,
      detached: true,
      // 5 and 6: what a process writes to that has no output file.
      stdio: ['pipe', 'ignore', 'ignore', 'pipe', 'ignore', 1, 2],
    });
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    const requests = child.stdin as Writable;
    const opened: Shell = { child, requests, launches: new Map(), gone };
    shells.add(opened);
    requests.on('error', () => undefined); // EPIPE: the shell's exit says it
    let failed = false;
    child.once('error', (error) => {
      failed = true;
      resolve();
      buried(opened, `The process that starts others could not be started (${error.message}).`);
    });
    child.once('exit', (_code, signal) => {
      resolve();
      if (shell === opened) shell = undefined;
      if (!failed) clock.after(GRACE, () => bereaved(opened, signal !== null));
    });
    const reports = child.stdio[3] as Readable | null;
    if (reports) receive(opened, reports);
    return opened;
  }

  function receive(from: Shell, reports: Readable): void {
    let rest = '';
    reports.setEncoding('latin1');
    reports.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) hear(from, line.split(' '));
    });
    reports.on('error', () => undefined);
    reports.on('close', () => {
      // Nobody is left who could report: neither the shell nor any supervisor.
      clock.after(GRACE, () => {
        for (const launch of from.launches.values()) if (launch.accepted) void conclude(from, launch);
        shells.delete(from);
      });
    });
  }

  function hear(from: Shell, [verb, id = '', ...rest]: readonly string[]): void {
    const launch = from.launches.get(Number(id));
    if (launch === undefined) return;
    if (verb === 'A') launch.accepted = true;
    else if (verb === 'S') {
      launch.accepted = true;
      launch.pid = Number(rest[0]);
      launch.listen({ kind: 'started', pid: launch.pid });
      watch();
    } else if (verb === 'F') refuse(from, launch, ['fork']);
    else if (verb === 'N') refuse(from, launch, rest);
    else finish(from, launch, parseEnding(rest));
  }

  function finish(from: Shell, launch: Launch, event: LaunchEvent): void {
    if (!from.launches.delete(launch.id)) return;
    if (closed) return;
    launch.listen(event);
    // Shells that reap only when told are told when there is nothing else to do.
    if (from === shell && from.launches.size === 0) from.requests.write('0\n');
  }

  function refuse(from: Shell, launch: Launch, step: readonly string[]): void {
    from.launches.delete(launch.id);
    void explainLaunchProblem(launch.request, step).then((message) => {
      if (!closed) launch.listen({ kind: 'not_started', message });
    });
  }

  /** No shell came to be. */
  function buried(dead: Shell, message: string): void {
    if (shell === dead) shell = undefined;
    shells.delete(dead);
    for (const launch of dead.launches.values()) finish(dead, launch, { kind: 'not_started', message });
  }

  /**
   * A shell died. What its supervisors have is theirs. What it had not yet read goes to another shell. If it was killed, it
   * may have been at work on the oldest of those: whether that one was started nobody knows.
   */
  function bereaved(dead: Shell, killed: boolean): void {
    if (closed) return;
    let doubtful = killed;
    for (const launch of dead.launches.values()) {
      if (launch.accepted) continue;
      if (doubtful) {
        finish(dead, launch, {
          kind: 'lost',
          message: 'The process that starts others died while it may have been starting this one.',
        });
      } else if (launch.sent > 1) {
        refuse(dead, launch, ['fork']);
      } else {
        dead.launches.delete(launch.id);
        send(launch);
      }
      doubtful = false;
    }
  }

  /** Looks now and then whether started processes are still there, since a supervisor may be killed. */
  function watch(): void {
    stopWatching ??= clock.after(2 * GRACE, () => {
      stopWatching = undefined;
      let any = false;
      for (const from of shells) {
        for (const launch of from.launches.values()) {
          if (launch.pid === undefined) continue;
          any = true;
          if (exists(launch.pid)) continue;
          if (launch.missing === true) void conclude(from, launch);
          launch.missing = true;
        }
      }
      if (any && !closed) watch();
    });
  }

  /** No report will come; but the exit record may have been written. */
  async function conclude(from: Shell, launch: Launch): Promise<void> {
    const record = await readExitRecord(launch.request.exitPath);
    finish(
      from,
      launch,
      record ?? {
        kind: 'lost',
        message: 'The process that watched over this one died: how it ended is not known.',
      },
    );
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
    shell ??= open();
    if (shell === undefined) return;
    let text = '';
    for (const launch of launches) {
      launch.sent += 1;
      shell.launches.set(launch.id, launch);
      text += encodeRequest(launch.id, launch.request);
    }
    shell.requests.write(text);
  }

  shell = open();
  return {
    get pid() {
      return shell?.child.pid;
    },
    launch(request, listen) {
      const launch: Launch = { id: (lastId += 1), request, listen, sent: 0, accepted: false };
      const message = unacceptable(request);
      if (message === undefined) send(launch);
      else queueMicrotask(() => listen({ kind: 'not_started', message }));
    },
    async close() {
      closed = true;
      stopWatching?.();
      await Promise.all(
        Array.from(shells, async (each) => {
          each.requests.end();
          (each.child.stdio[3] as Readable | null)?.destroy();
          await each.gone;
        }),
      );
    },
  };
}

/** Bash can give a process a group of its own; see spawner-script.ts. */
function preferredShell(): readonly string[] {
  const bash = ['/bin/bash', '/usr/bin/bash', '/usr/local/bin/bash'].find((path) => existsSync(path));
  return bash === undefined ? ['/bin/sh'] : [bash, '-p'];
}

/**
 * Reads how a process ended. Undefined when that is not known (yet). A record without its line end is unfinished.
 */
export async function readExitRecord(path: string): Promise<LaunchEvent | undefined> {
  const text = await readFile(path, 'latin1').catch(() => '');
  if (!text.endsWith('\n')) return undefined;
  const words = text.trimEnd().split(' ');
  return words[0] === 'exited' || words[0] === 'signalled' ? parseEnding(words) : undefined;
}

function parseEnding([kind, number]: readonly string[]): Ending {
  const value = Number(number);
  return kind === 'exited' ? { kind, exitCode: value } : { kind: 'signalled', signal: signalName(value) };
}

/** The name of a signal; real-time signals, which Node has no names for, as RTMIN+n. */
function signalName(number: number): string {
  return SIGNALS.get(number) ?? (number >= 34 ? `SIGRTMIN+${number - 34}` : `signal ${number}`);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
