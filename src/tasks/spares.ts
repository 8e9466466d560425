/**
 * Starts processes of module tasks ahead of time: one Node that is through with its own start waits for whichever run
 * comes next. It costs memory and nothing else, is made once a module run has shown that there are any, replaced after
 * use, and let go when nothing has wanted it for a while.
 *
 * A spare is launched like any process, in a directory that becomes the run's: its output is the run's from the first
 * byte, and its watcher writes the run's exit record. (The watcher knows the directory by its first name, which lives on
 * as a symbolic link.)
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import type { Duration } from '../model.ts';
import type { Clock } from '../engine/ports.ts';
import { readRecord } from './exit-record.ts';
import type { SpareOrder } from './module-host.ts';
import type { LaunchEvent, LaunchRequest } from './launch.ts';
import type { Spawner } from './spawner.ts';

export interface SparesOptions {
  readonly spawner: Spawner;
  readonly clock: Clock;
  /** Node and its arguments, up to and with the module host. */
  readonly command: readonly string[];
  /** Absolute path of a directory for spares alone, on the file system of the run directories. */
  readonly directory: string;
  /** The environment that processes inherit. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A run that a spare might take. */
export interface SpareRun {
  /** As it would be launched without a spare. */
  readonly request: LaunchRequest;
  readonly order: SpareOrder;
}

export interface Spares {
  /**
   * Gives the run to a spare, if one is ready and fits; the events are those of `Spawner.launch`. Else, or should the
   * spare die before it has begun, calls `launch`, which may rely on the run's directory but not on its being empty.
   */
  start(run: SpareRun, listen: (event: LaunchEvent) => void, launch: () => void): void;
  /** Ends the waiting spare and waits until it is gone. Runs that were given one are left alone. */
  close(): Promise<void>;
}

/** The next spare is made so much later than it is wanted: its start would slow down that of the run it was wanted for. */
const restocking: Duration = 250;

/** After so long without use a spare is let go: then its memory is worth more than a tenth of a second now and then. */
const unused: Duration = 10 * 60_000;

/** How long the end of a spare is waited for. */
const patience: Duration = 2_000;

/** From being given a run to beginning it. A spare that hangs, or was stopped, is ended, and the run launched afresh. */
const startPatience: Duration = 5_000;

/** Only first attempts: their directory is still empty, and theirs alone. */
const outputName = 'attempt-1.log';
const exitName = 'attempt-1.exit';

/** Variables that Node, its libraries or libc read once, at their start; a spare has had its own. */
const readAtStart = /^(?:NODE|UV|LD|SSL|OPENSSL|ICU|LC|MALLOC|GLIBC)_|^(?:LANG|LANGUAGE|LOCPATH|NLSPATH)$/u;

/** Whether a Node started with `given` can take on `wanted` afterwards, with nothing to tell the difference. */
export function startsAlike(
  given: SpareOrder['env'],
  wanted: SpareOrder['env'],
  names = readAtStart,
): boolean {
  const differs = (name: string): boolean => names.test(name) && given[name] !== wanted[name];
  return !Object.keys(given).some(differs) && !Object.keys(wanted).some(differs);
}

export function createSpares(options: SparesOptions): Spares {
  const { clock } = options;
  let spare: Spare | undefined;
  let callOffRestocking: (() => void) | undefined;
  let callOffUnused: (() => void) | undefined;
  let closed = false;
  clean(options.directory);

  const restock = (): void => {
    callOffRestocking = undefined;
    if (spare?.gone === false || closed) return;
    try {
      spare = new Spare(options);
    } catch {
      spare = undefined; // a full disk, say: runs start without
    }
  };
  const letGo = (): void => {
    void spare?.end();
    spare = undefined;
  };
  const wanted = (): void => {
    callOffRestocking ??= clock.after(restocking, restock);
    callOffUnused?.();
    callOffUnused = clock.after(unused, letGo);
  };
  return {
    start(run, listen, launch) {
      if (closed || !fits(run, options.environment)) return launch();
      wanted();
      if (spare === undefined || !spare.ready || !spare.take(run, listen, launch)) return launch();
      spare = undefined;
    },
    async close() {
      closed = true;
      callOffRestocking?.();
      callOffUnused?.();
      await spare?.end();
      spare = undefined;
      clean(options.directory);
    },
  };
}

/** A spare cannot become another user, or lower its limits after the fact; nor has it a standard input. */
function fits({ request, order }: SpareRun, environment: SpareOrder['env']): boolean {
  const { user, group, umask, nice, limits, stdinPath, inheritEnv, outputPath, exitPath } = request;
  return (
    [user, group, umask, nice, stdinPath].every((one) => one === undefined) &&
    inheritEnv &&
    Object.keys(limits).length === 0 &&
    outputPath === join(dirname(exitPath), outputName) &&
    basename(exitPath) === exitName &&
    startsAlike(environment, order.env)
  );
}

/** Removes what earlier spares left: directories never given to a run, and first names nobody will look for any more. */
function clean(directory: string): void {
  let entries;
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch {
    return; // there never was a spare
  }
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (!entry.isSymbolicLink() || !existsSync(path) || hasEnded(join(path, exitName))) remove(path);
  }
}

/** Until then its watcher comes by the first name of the directory to write the record. */
function hasEnded(exitPath: string): boolean {
  const { kind } = readRecord(exitPath);
  return kind === 'exited' || kind === 'signalled' || kind === 'not_started';
}

function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    return; // on a file system that cannot be written it is in nobody's way
  }
}

/** One process that waits for a run. */
class Spare {
  /** It has connected: its start is over. */
  ready = false;
  gone = false;
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #server: Server;
  readonly #end = Promise.withResolvers<void>();
  #socket: Socket | undefined;
  #pid: number | undefined;
  #run: { listen: (event: LaunchEvent) => void; launch: () => void; exitPath: string } | undefined;
  #begun = false;
  #callOffStart: (() => void) | undefined;

  constructor({ spawner, clock, command, directory }: SparesOptions) {
    this.#clock = clock;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#directory = mkdtempSync(`${directory}/`);
    // The path of a socket may be 107 bytes long, that of a state directory longer.
    const descriptor = openSync(this.#directory, 'r');
    this.#server = createServer((socket) => this.#connected(socket));
    this.#server.once('close', () => closeSync(descriptor));
    this.#server.on('error', () => this.#server.close());
    this.#server.listen(`/proc/self/fd/${descriptor}/socket`);
    this.#server.unref();
    const request: LaunchRequest = {
      argv: [...command, 'spare', 'socket'],
      cwd: this.#directory,
      env: {},
      inheritEnv: true,
      limits: {},
      outputPath: join(this.#directory, outputName),
      exitPath: join(this.#directory, exitName),
    };
    spawner.launch(request, (event) => this.#heard(event));
  }

  /** False, and the spare is gone, when the run's directory cannot be had. */
  take({ request, order }: SpareRun, listen: (event: LaunchEvent) => void, launch: () => void): boolean {
    const directory = dirname(request.exitPath);
    this.ready = false;
    try {
      renameSync(this.#directory, directory);
      symlinkSync(directory, this.#directory);
    } catch {
      void this.end();
      return false;
    }
    this.#run = { listen, launch, exitPath: request.exitPath };
    this.#socket?.write(`${JSON.stringify(order)}\n`);
    this.#callOffStart = this.#clock.after(startPatience, () => this.#kill());
    return true;
  }

  /** Ends the process while it waits. */
  async end(): Promise<void> {
    this.ready = false;
    this.#server.close();
    // It hears that and exits; but it might hang, or be stopped.
    this.#socket?.destroy();
    const callOffs = [
      this.#clock.after(patience, () => this.#kill()),
      this.#clock.after(2 * patience, () => this.#end.resolve()), // those who would tell may be dead, or stopped
    ];
    await this.#end.promise;
    for (const callOff of callOffs) callOff();
  }

  #kill(): void {
    if (this.#pid === undefined || this.gone) return;
    try {
      process.kill(-this.#pid, 'SIGKILL');
    } catch {
      // It has just gone: that is about to be reported.
      return;
    }
  }

  #connected(socket: Socket): void {
    this.#socket = socket;
    this.ready = true;
    this.#server.close();
    socket.unref();
    socket.on('error', () => socket.destroy());
    socket.on('close', () => (this.ready = false));
    socket.once('data', () => {
      this.#begun = true;
      this.#callOffStart?.();
      if (this.#pid !== undefined) this.#run?.listen({ kind: 'started', pid: this.#pid });
    });
  }

  #heard(event: LaunchEvent): void {
    if (event.kind === 'started') {
      this.#pid = event.pid;
      return;
    }
    this.gone = true;
    this.ready = false;
    this.#server.close();
    remove(this.#directory);
    this.#callOffStart?.();
    this.#end.resolve();
    if (this.#run === undefined) return;
    // What it said last may still be on its way; that decides whether the run has begun.
    const { listen, launch, exitPath } = this.#run;
    const settle = (): void => {
      if (this.#begun) return listen(event);
      remove(exitPath);
      launch();
    };
    if (this.#socket === undefined || this.#socket.closed) settle();
    else this.#socket.once('close', settle);
  }
}
