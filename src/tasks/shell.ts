/** One shell that starts processes, and what was asked of it. Speaks the protocol of spawner-script.ts. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '../engine/ports.ts';
import { parseEnding, readRecord } from './exit-record.ts';
import type { Ending, LaunchEvent, LaunchRequest } from './launch.ts';
import { commandProblem, explainLaunchProblem } from './launch-problem.ts';
import { encodeRequest } from './launch-request.ts';
import { LAUNCHER_SCRIPT, SPAWNER_SCRIPT } from './spawner-script.ts';

/** One request on its way. */
export interface Launch {
  readonly id: number;
  readonly request: LaunchRequest;
  readonly listen: (event: LaunchEvent) => void;
  /** Shells that died over this, as far as can be told: it was the next, or none was begun. */
  deaths: number;
  /** The shell has read it, and is about to fork. */
  begun: boolean;
  /** A supervisor has it. */
  accepted: boolean;
  pid?: number;
  /** The process was found gone, but its supervisor has said nothing yet. */
  missing?: boolean;
}

export interface ShellOptions {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Processes may want the daemon's own stdout and stderr. */
  readonly inherit: boolean;
  /** The shell died, or never lived; it takes no more requests. */
  readonly died: () => void;
  /** After its death: launches that it certainly did not begin. */
  readonly left: (launches: readonly Launch[]) => void;
  /** Nobody is left who could report. */
  readonly silent: () => void;
}

/** From the death of a shell, or of a process, to the conclusion that no word of it is on the way. Milliseconds. */
const GRACE = 500;
/** Between two looks at processes that have run for long, such as a spare one that waits. Milliseconds. */
const RARELY = 30_000;

/** From the end of its input to the end of a shell, unless something holds it up. Milliseconds. */
const PATIENCE = 2_000;
/** Shells that reap their children only when told are told with each batch, and when there is nothing else to do. */
const REAP = '0\n';

const LOST = 'The process that watched over this one died: how it ended is not known.';
const DOUBTFUL = 'The process that starts others died while it may have been starting this one.';

/** Its reports outlast the shell itself: the supervisors it forked hold their pipe open. */
export class Shell {
  readonly #options: ShellOptions;
  readonly #child: ChildProcess;
  readonly #launches = new Map<number, Launch>();
  readonly #gone = Promise.withResolvers<void>();
  #callOff: (() => void) | undefined;
  #interval = 2 * GRACE;
  /** What the shell was last heard to begin: it is through with all before that. */
  #latest: Launch | undefined;
  #closed = false;

  /** Throws when the system has not the memory for another process. */
  constructor(options: ShellOptions) {
    this.#options = options;
    const [file = '/bin/sh', ...rest] = options.argv;
    const own = options.inherit ? [1, 2] : [];
    this.#child = spawn(file, [...rest, '-c', 'eval "$TSCHED_SPAWNER"', 'tsched-spawner'], {
      cwd: '/',
      env: { ...options.environment, TSCHED_SPAWNER: SPAWNER_SCRIPT, TSCHED_LAUNCHER: LAUNCHER_SCRIPT },
      detached: true,
      // 5 and 6, where processes write that have no output file. Else nothing should hold the daemon's own open.
      stdio: ['pipe', 'pipe', 'ignore', 'ignore', 'ignore', ...own],
    });
    this.#child.once('error', (error) => this.#stillborn(error));
    this.#child.once('exit', () => this.#exited());
    this.#child.stdin?.on('error', ignore); // EPIPE: its exit says it
    this.#receive();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(launches: readonly Launch[]): void {
    let text = REAP;
    for (const launch of launches) {
      this.#launches.set(launch.id, launch);
      text += encodeRequest(launch.id, launch.request);
    }
    this.#child.stdin?.write(text);
  }

  /** Lets the shell end. What it started lives on, and nothing is heard of it any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#callOff?.();
    this.#child.stdin?.end();
    this.#reports?.destroy();
    const callOff = this.#options.clock.after(PATIENCE, () => this.#child.kill('SIGKILL')); // it may be stopped
    await this.#gone.promise;
    callOff();
  }

  get #reports(): Readable | null {
    return this.#child.stdout;
  }

  #receive(): void {
    let rest = '';
    this.#reports?.setEncoding('latin1');
    this.#reports?.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#hear(line.split(' '));
    });
    this.#reports?.on('error', ignore);
    this.#reports?.once('close', () => {
      if (this.#closed) return;
      this.#options.clock.after(2 * GRACE, () => {
        for (const launch of this.#launches.values()) void this.#conclude(launch);
        this.#options.silent();
      });
    });
  }

  #hear([verb, id = '', ...rest]: readonly string[]): void {
    const launch = this.#launches.get(Number(id));
    if (launch === undefined) return;
    if (verb === 'A') return this.#began(launch);
    launch.accepted = true;
    if (verb === 'S') {
      launch.pid = Number(rest[0]);
      launch.listen({ kind: 'started', pid: launch.pid });
      if (this.#interval > 2 * GRACE) {
        this.#callOff?.();
        this.#callOff = undefined;
        this.#interval = 2 * GRACE;
      }
      this.#watch();
    } else if (verb === 'F') void this.#refuse(launch, ['fork']);
    else if (verb === 'N') void this.#refuse(launch, rest);
    else if (verb === 'E') void this.#settle(launch, parseEnding(rest));
  }

  #began(launch: Launch): void {
    if (this.#latest) this.#latest.accepted = true;
    this.#latest = launch;
    launch.begun = true;
  }

  async #settle(launch: Launch, ending: Ending): Promise<void> {
    delete launch.pid; // it may be another's by now
    const suspicious = ending.kind === 'exited' && (ending.exitCode === 126 || ending.exitCode === 127);
    const { request } = launch;
    const message = suspicious ? await commandProblem(request, this.#options.environment['PATH']) : undefined;
    this.#finish(launch, message === undefined ? ending : { kind: 'not_started', message });
  }

  async #refuse(launch: Launch, step: readonly string[]): Promise<void> {
    delete launch.pid;
    const message = await explainLaunchProblem(launch.request, step, this.#options.environment['PATH']);
    this.#finish(launch, { kind: 'not_started', message });
  }

  #finish(launch: Launch, event: LaunchEvent): void {
    if (!this.#launches.delete(launch.id) || this.#closed) return;
    launch.listen(event);
    if (this.#launches.size === 0) this.#watch(); // for the reaping
  }

  #stillborn(error: Error): void {
    this.#gone.resolve();
    this.#options.died();
    const message = `The process that starts others could not be started (${error.message}).`;
    for (const launch of this.#launches.values()) this.#finish(launch, { kind: 'not_started', message });
  }

  #exited(): void {
    this.#gone.resolve();
    if (this.#closed) return;
    this.#options.died();
    this.#options.clock.after(GRACE, () => this.#bequeath());
  }

  /**
   * What its supervisors have is theirs, what it had not begun is returned. What it had begun last, and no supervisor
   * speaks of, may have been started or not: nobody knows.
   */
  #bequeath(): void {
    if (this.#closed) return;
    const left: Launch[] = [];
    for (const launch of this.#launches.values()) {
      if (launch.accepted) continue;
      if (launch.begun) {
        this.#finish(launch, { kind: 'lost', message: DOUBTFUL });
      } else {
        this.#launches.delete(launch.id);
        left.push(launch);
      }
    }
    const blamed = this.#latest === undefined ? left : left.slice(0, 1);
    for (const launch of blamed) launch.deaths += 1;
    this.#options.left(left);
  }

  /** Looks now and then whether started processes are still there, since a supervisor may be killed. */
  #watch(): void {
    this.#callOff ??= this.#options.clock.after(this.#interval, () => {
      this.#callOff = undefined;
      this.#interval = Math.min(2 * this.#interval, RARELY);
      for (const launch of this.#launches.values()) {
        if (launch.pid === undefined || exists(launch.pid)) continue;
        if (launch.missing === true) void this.#conclude(launch);
        launch.missing = true;
        this.#interval = 2 * GRACE;
      }
      if (this.#launches.size > 0) this.#watch();
      else if (this.#child.stdin?.writable === true) this.#child.stdin.write(REAP);
    });
  }

  /** No report will come; but the exit record may have been written. */
  async #conclude(launch: Launch): Promise<void> {
    const record = readRecord(launch.request.exitPath);
    if (record.kind === 'exited' || record.kind === 'signalled') return this.#settle(launch, record);
    if (record.kind === 'not_started') return this.#refuse(launch, record.step);
    this.#finish(launch, { kind: 'lost', message: LOST });
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function ignore(): void {
  // Said in another way.
}
