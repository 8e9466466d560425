/** One shell, or perl, that starts processes, and what was asked of it. Hears the reports of spawner-script.ts. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '../engine/ports.ts';
import { parseEnding, readRecord } from './exit-record.ts';
import type { Ending, LaunchEvent, LaunchRequest } from './launch.ts';
import { commandProblem, explainLaunchProblem } from './launch-problem.ts';
import type { SpawnerProgram } from './spawner-program.ts';

/** One request on its way. */
export interface Launch {
  readonly id: number;
  readonly request: LaunchRequest;
  readonly listen: (event: LaunchEvent) => void;
  /** Shells and supervisors that died over this, as far as can be told: it was the next, or none was begun. */
  deaths: number;
  /** It was asked for before: should whoever was asked come to it after all, the record keeps it from being started twice. */
  again: boolean;
  /** A supervisor has it. */
  begun: boolean;
  /** Process id of the supervisor, while it has not said anything of this. */
  supervisor?: number | undefined;
  pid?: number;
  /** Nobody will speak of it any more, but the record may. */
  silent?: boolean;
  /** The process, or its supervisor, was found gone, but nothing was said yet. */
  missing?: boolean;
}

export interface ShellOptions {
  readonly program: SpawnerProgram;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Processes may want the daemon's own stdout and stderr. */
  readonly inherit: boolean;
  /** The shell died, or never lived (`mute`: it never said a word); it takes no more requests. */
  readonly died: (mute: boolean) => void;
  /** Launches that were not begun: who should have is dead, or hangs. */
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
const LOST = 'The process that watched over this one died: how it ended is not known.';

/** Its reports outlast the shell itself: the supervisors it forked hold their pipe open. */
export class Shell {
  readonly #options: ShellOptions;
  readonly #child: ChildProcess;
  readonly #launches = new Map<number, Launch>();
  readonly #gone = Promise.withResolvers<void>();
  #callOff: (() => void) | undefined;
  #interval = 2 * GRACE;
  #mute = true;
  /** It has got as far as a first request. */
  #begun = false;
  #dead = false;
  /** Nobody is left who could report. */
  #deaf = false;
  #closed = false;

  /** Throws when the system has not the memory for another process. */
  constructor(options: ShellOptions) {
    this.#options = options;
    const { program, environment, inherit } = options;
    const [file = '/bin/sh', ...rest] = program.argv;
    this.#child = spawn(file, rest, {
      cwd: '/',
      env: program.environment(environment, inherit),
      detached: true,
      stdio: program.stdio(inherit),
    });
    this.#child.once('error', (error) => this.#stillborn(error));
    this.#child.once('exit', () => this.#exited());
    this.#child.stdin?.on('error', ignore); // EPIPE: its exit says it
    this.#child.stdin?.write(program.greeting(environment));
    this.#receive();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(launches: readonly Launch[]): void {
    for (const launch of launches) this.#launches.set(launch.id, launch);
    this.#child.stdin?.write(this.#options.program.encode(launches));
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
      this.#deaf = true;
      if (!this.#closed) this.#hurry();
    });
  }

  #hear([verb, id = '', ...rest]: readonly string[]): void {
    this.#mute = false;
    if (verb !== 'H') this.#begun = true;
    if (verb === 'A') return rest.forEach((each) => this.#began(Number(each), Number(id)));
    const launch = this.#launches.get(Number(id));
    if (launch === undefined) return;
    launch.begun = true;
    if (verb === 'S') this.#started(launch, Number(rest[0]));
    else if (verb === 'F') void this.#refuse(launch, ['fork']);
    else if (verb === 'N' && rest[0] === 'fenced' && launch.again) this.#silence(launch);
    else if (verb === 'N') void this.#refuse(launch, rest);
    else if (verb === 'E') void this.#settle(launch, parseEnding(rest));
  }

  /** Who was asked first has it after all. */
  #silence(launch: Launch): void {
    launch.silent = true;
    launch.supervisor = undefined;
    this.#hurry();
  }

  #began(id: number, supervisor: number): void {
    const launch = this.#launches.get(id);
    if (launch === undefined || launch.begun) return; // its supervisor was faster
    launch.begun = true;
    launch.supervisor = supervisor;
    this.#hurry();
  }

  #started(launch: Launch, pid: number): void {
    if (launch.pid !== undefined) return;
    launch.pid = pid;
    launch.missing = false;
    launch.listen({ kind: 'started', pid });
    this.#hurry();
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
    this.#options.died(true);
    const message = `The process that starts others could not be started (${error.message}).`;
    for (const launch of this.#launches.values()) this.#finish(launch, { kind: 'not_started', message });
  }

  #exited(): void {
    this.#gone.resolve();
    if (this.#closed) return;
    this.#dead = true;
    this.#options.died(this.#mute);
    this.#options.clock.after(GRACE, () => this.#bequeath());
  }

  /**
   * What its supervisors have is theirs. What none has spoken of, and has no record, is returned: should there be one that is
   * only late, the record will keep it from being started twice.
   */
  #bequeath(): void {
    if (this.#closed) return;
    const left = Array.from(this.#launches.values()).filter(
      ({ begun, request }) => !begun && readRecord(request.exitPath).kind === 'absent',
    );
    for (const launch of this.#begun ? left.slice(0, 1) : left) launch.deaths += 1;
    this.#return(left);
    this.#hurry();
  }

  #return(launches: readonly Launch[]): void {
    for (const launch of launches) {
      this.#launches.delete(launch.id);
      launch.begun = false;
      launch.again = true;
      launch.supervisor = undefined;
      launch.missing = false;
    }
    this.#options.left(launches);
  }

  /** There is something new to look at. */
  #hurry(): void {
    if (this.#interval > 2 * GRACE) {
      this.#callOff?.();
      this.#callOff = undefined;
      this.#interval = 2 * GRACE;
    }
    this.#watch();
  }

  /** Looks now and then whether processes are still there, since a supervisor may be killed. */
  #watch(): void {
    this.#callOff ??= this.#options.clock.after(this.#interval, () => {
      this.#callOff = undefined;
      this.#interval = Math.min(2 * this.#interval, RARELY);
      for (const launch of this.#launches.values()) this.#look(launch);
      if (this.#launches.size > 0) this.#watch();
      else if (this.#deaf) this.#options.silent();
      else if (!this.#dead) this.#child.stdin?.write(this.#options.program.reap);
    });
  }

  #look(launch: Launch): void {
    const { pid, supervisor, silent = false, request } = launch;
    const watched = pid ?? supervisor;
    if (watched === undefined && !this.#dead && !silent) return; // in line
    const lives = watched !== undefined && exists(watched);
    // A supervisor that does not come to it hangs in another of its batch, or was stopped.
    if (lives && (pid !== undefined || readRecord(request.exitPath).kind !== 'absent')) return;
    if (launch.missing !== true) launch.missing = true;
    else if (lives) this.#return([launch]);
    else void this.#conclude(launch);
    this.#interval = 2 * GRACE;
  }

  /** No report will come; but something may have been written on record. */
  async #conclude(launch: Launch): Promise<void> {
    const record = readRecord(launch.request.exitPath);
    if (record.kind === 'exited' || record.kind === 'signalled') return this.#settle(launch, record);
    if (record.kind === 'not_started') return this.#refuse(launch, record.step);
    if (launch.pid === undefined && record.kind === 'started') return this.#started(launch, record.pid);
    if (launch.pid === undefined && record.kind === 'absent') {
      launch.deaths += 1;
      return this.#return([launch]);
    }
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
