/** The daemon as a real process, and an account of what its jobs really did. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach } from 'vitest';
import { PATIENCE } from './patience.ts';

const root = join(import.meta.dirname, '../..');
export const bin = join(root, 'bin/tsched.js');

type Cleanup = () => Promise<void> | void;

const cleanups: Cleanup[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Has something done when the test is over, last asked first. Concurrent tests pass their own `onTestFinished` instead. */
export type Later = (cleanup: Cleanup) => void;
const afterThisTest: Later = (cleanup) => void cleanups.push(cleanup);

/** A directory that is gone after the test. */
export function directory(later: Later = afterThisTest): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'tsched-e2e-')));
  later(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

/** Waits for a named thing; when it does not come, says its name and what `told` tells. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false,
  { told = () => '', patience = PATIENCE }: { told?: () => string; patience?: number } = {},
): Promise<T> {
  const end = performance.now() + patience;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`waited in vain for ${what}${told()}`);
    await pause(10);
  }
}

/** One record of the daemon's log. */
export interface Line {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly event?: string;
  readonly job?: string;
  readonly run?: string;
  /** Of the scheduled time, e.g. 2024-03-31T01:30:00Z. */
  readonly slot?: string;
  readonly [name: string]: unknown;
}

export interface DaemonOptions {
  /** The text of the job file; it is written into `directory`. */
  readonly jobs?: string;
  /** A job file that is there already. */
  readonly file?: string;
  /** Where the job file (`jobs.yaml`) and the state (`state`) are; another daemon's to restart it. Default: a new one. */
  readonly directory?: string;
  /** A worker has no job file. Default: start. */
  readonly command?: 'start' | 'worker';
  /** After `start <file> --state-dir … --log-format json`. */
  readonly args?: readonly string[];
  /** Added to a plain environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What starts Node, e.g. `['setpriv', '--reuid=65534']`; `exec`s it, so that the pid stays. */
  readonly wrapper?: readonly string[];
  /** Milliseconds of any wait for it. */
  readonly patience?: number;
  readonly later?: Later;
}

/** Starts the built daemon; `await daemon.ready()` when it must be up. It and all that it started are gone after the test. */
export function startDaemon(options: DaemonOptions): Daemon {
  if (!existsSync(join(root, 'dist/cli.cjs'))) throw new Error('nothing is built: run node scripts/build.ts');
  const { later = afterThisTest } = options;
  const where = options.directory ?? directory(later);
  if (options.jobs !== undefined) writeFileSync(join(where, 'jobs.yaml'), options.jobs);
  const daemon = new Daemon(options, where);
  later(() => daemon.destroy());
  return daemon;
}

export class Daemon {
  readonly pid: number;
  readonly directory: string;
  readonly file: string;
  readonly stateDirectory: string;
  /** Every record so far. */
  readonly lines: Line[] = [];
  /** What it wrote that is no record: errors for people. */
  text = '';
  /** The exit code, or the name of the signal that ended it. */
  readonly exited: Promise<number | string>;
  readonly #child: ChildProcess;
  /** In the environment of all it starts, so that they are found wherever they went. */
  readonly #mark = `DAEMON_TEST_MARK=${randomUUID()}`;
  readonly #patience: number | undefined;
  #ended: number | string | undefined;
  #rest = '';

  constructor(options: DaemonOptions, where: string) {
    const { command = 'start', args = [], env = {}, wrapper = [], patience } = options;
    this.#patience = patience;
    this.directory = where;
    this.file = options.file ?? join(where, 'jobs.yaml');
    this.stateDirectory = join(where, 'state');
    const file = command === 'start' ? [this.file] : [];
    const start = [command, ...file, '--state-dir', this.stateDirectory, '--log-format', 'json', ...args];
    const [program = '', ...argv] = [...wrapper, process.execPath, bin, ...start];
    const [name = '', value = ''] = this.#mark.split('=');
    this.#child = spawn(program, argv, {
      cwd: where,
      env: { PATH: process.env.PATH ?? '', HOME: where, TZ: 'UTC', ...env, [name]: value },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.#child.pid ?? 0;
    this.#child.stdout?.setEncoding('utf8').on('data', (chunk: string) => this.#take(chunk));
    this.#child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk));
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // `close`, not `exit`: by then all it wrote has been read. A job has no pipe of the daemon that could hold it up.
      this.#child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    });
    this.exited.then(
      (code) => (this.#ended = code),
      (error: unknown) => (this.#ended = String(error)),
    );
  }

  /** Waits until jobs are armed. */
  async ready(): Promise<this> {
    await this.waitFor('the daemon to start', (line) => line.event === 'engine_started');
    return this;
  }

  /** Waits for a record that matches, from the first on. */
  waitFor(what: string, matches: (line: Line) => boolean): Promise<Line> {
    return this.until(what, () => this.lines.find(matches));
  }

  /** Waits for anything, with the daemon's last records in the message if it does not come. */
  until<T>(what: string, look: () => T | undefined | false): Promise<T> {
    const told = (): string => `; the daemon's last words:\n${this.#lastWords()}`;
    const watch = (): T | undefined | false => {
      const over = this.#ended !== undefined;
      const found = look();
      if (over && (found === undefined || found === false))
        throw new Error(`the daemon ended (${this.#ended}) before ${what}${told()}`);
      return found;
    };
    return until(what, watch, {
      told,
      ...(this.#patience === undefined ? {} : { patience: this.#patience }),
    });
  }

  /** Waits for something that comes after the daemon's end. */
  afterwards<T>(what: string, look: () => T | undefined | false): Promise<T> {
    return until(what, look, { told: () => `; the daemon's last words:\n${this.#lastWords()}` });
  }

  /** All records of one kind of event, perhaps of one job. */
  events(event: string, job?: string): Line[] {
    return this.lines.filter((line) => line.event === event && (job === undefined || line.job === job));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Asks it once to stop and gives its exit code. */
  async stop(name: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.signal(name);
    return this.end();
  }

  /** Its exit code, bounded in time. */
  async end(): Promise<number | string> {
    return this.until('the daemon to end', () => this.#ended);
  }

  /** Every process it started that lives, itself included, wherever they went: found by their environment. */
  family(): number[] {
    return processIds().filter((pid) => environmentOf(pid).includes(this.#mark));
  }

  /** The processes it started itself, jobs not among them. */
  helpers(): Process[] {
    return processIds()
      .map(processOf)
      .filter((found) => found !== undefined)
      .filter(({ parent }) => parent === this.pid);
  }

  /** Ends it and all that it started, at once. */
  async destroy(): Promise<void> {
    await until(`the end of ${this.pid} and all that it started`, () => {
      const family = this.family();
      for (const pid of family) end(pid);
      return family.length === 0;
    });
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    await this.exited.catch(() => undefined);
  }

  #take(chunk: string): void {
    const parts = (this.#rest + chunk).split('\n');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) {
      if (part.startsWith('{')) this.lines.push(JSON.parse(part) as Line);
      else this.text += `${part}\n`;
    }
  }

  #lastWords(): string {
    return [...this.lines.slice(-15).map((line) => JSON.stringify(line)), this.text.slice(-2000)].join('\n');
  }
}

export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Ended, but its parent has not asked how. */
  readonly zombie: boolean;
  /** Its arguments, with spaces between. */
  readonly command: string;
}

function processIds(): number[] {
  return readdirSync('/proc').map(Number).filter(Boolean);
}

/** Undefined when there is none (any more). */
export function processOf(pid: number): Process | undefined {
  try {
    const [, state, parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
    const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
    return { pid, parent: Number(parent), zombie: state === 'Z' || state === 'X', command };
  } catch {
    return undefined;
  }
}

/** Empty for a zombie, and for a process of somebody else. */
function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    return [];
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** One execution, as the job itself wrote it down. */
export interface Execution {
  readonly job: string;
  /** Scheduled time, e.g. 2024-03-31T01:30:00.000Z. */
  readonly slot: string;
  readonly run: string;
  /** What else the job wrote, e.g. `date`'s word of the time. */
  readonly more: string;
}

export interface Account {
  /** A shell line for `run:` that adds one line to the account; `more` is shell text within double quotes. */
  line(more?: string): string;
  /** In the order they were written. */
  executions(job?: string): Execution[];
  /** Scheduled times, sorted, to the minute: 2024-03-31T01:30Z. With their seconds if those are not 0. */
  slots(job: string): string[];
}

/** Kept by the jobs, not by the daemon: one line per execution, appended in one write so that none is torn. */
export function account(path: string): Account {
  const executions = (job?: string): Execution[] => {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const all = text.split('\n').slice(0, -1).map(parse);
    return job === undefined ? all : all.filter((entry) => entry.job === job);
  };
  return {
    line: (more = '') => `echo "$TSCHED_JOB_ID $TSCHED_SCHEDULED_AT $TSCHED_RUN_ID ${more}" >> '${path}'`,
    executions,
    slots: (job) =>
      executions(job)
        .map(({ slot }) => slot.replace(/\.000Z$/, 'Z').replace(/:00Z$/, 'Z'))
        .sort(),
  };
}

function parse(line: string): Execution {
  const [job = '', slot = '', run = '', ...more] = line.split(' ');
  return { job, slot, run, more: more.join(' ') };
}
