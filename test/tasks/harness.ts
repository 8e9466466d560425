import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import { PATIENCE } from '../support/patience.ts';
import type { AttemptHandle, AttemptReport, AttemptSpec, Executor } from '../../src/engine/ports.ts';
import type { Outcome } from '../../src/model.ts';
import { createExecutor, type ProcessExecutor } from '../../src/tasks/executor.ts';
import type { OutputLines } from '../../src/tasks/process-attempt.ts';

export const isRoot = process.getuid?.() === 0;
export const programs = join(import.meta.dirname, '../fixtures/programs');

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Done after the test, last asked first. */
export function later(cleanup: () => Promise<void> | void): void {
  cleanups.push(cleanup);
}

export function temporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'tsched-tasks-')));
  later(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Waits for a named thing, and says its name if it does not come. */
export async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const end = performance.now() + PATIENCE;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise<void>((resolve) => {
      systemClock.after(10, resolve);
    });
  }
}

/** Whether a process is there and not a zombie. */
export function lives(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/su.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

export interface Attempt {
  readonly handle: AttemptHandle;
  readonly reports: AttemptReport[];
  readonly started: Promise<number>;
  readonly outcome: Promise<Outcome>;
  /** What it has written so far. */
  log(): string;
  /** The number that it wrote after a word. */
  number(word: string): Promise<number>;
  readonly base: string;
}

export interface Bench {
  readonly executor: ProcessExecutor;
  readonly runsDirectory: string;
  readonly output: OutputLines[];
  readonly start: (spec: Partial<AttemptSpec>) => Attempt;
}

let spawnerArgv: readonly string[] | undefined;

/** Has another program start the processes of all executors to come. */
export function spawnBy(argv: readonly string[]): void {
  spawnerArgv = argv;
}

/** An executor with real processes. */
export function bench(environment: Record<string, string | undefined> = process.env): Bench {
  const runsDirectory = join(temporaryDirectory(), 'runs');
  const output: OutputLines[] = [];
  const executor = createExecutor({
    runsDirectory,
    clock: systemClock,
    nodePath: process.execPath,
    inheritedEnvironment: environment,
    output: 'file',
    onOutput: (lines) => output.push(lines),
    ...(spawnerArgv && { spawnerArgv }),
  });
  later(() => executor.close());
  let count = 0;
  return {
    executor,
    runsDirectory,
    output,
    start(spec) {
      count += 1;
      return watched(executor, runsDirectory, { ...BLANK, runId: `run-${count}`, ...spec });
    },
  };
}

function watched(executor: Executor, runsDirectory: string, spec: AttemptSpec): Attempt {
  const reports: AttemptReport[] = [];
  const started = Promise.withResolvers<number>();
  const ended = Promise.withResolvers<Outcome>();
  const base = join(runsDirectory, spec.runId, `attempt-${spec.attempt}`);
  const handle = executor.start(spec, (report) => {
    reports.push(report);
    if (report.kind === 'started') started.resolve(report.pid ?? 0);
    else ended.resolve(report.outcome);
  });
  const log = (): string => {
    try {
      return readFileSync(`${base}.log`, 'utf8');
    } catch {
      return '';
    }
  };
  const number = (word: string): Promise<number> =>
    until(`"${word}" in the output`, () => {
      const found = new RegExp(`${word} (\\d+)\n`, 'u').exec(log());
      return found ? Number(found[1]) : undefined;
    });
  return { handle, reports, started: started.promise, outcome: ended.promise, log, number, base };
}

/** What a test says nothing about. */
export const BLANK: AttemptSpec = {
  runId: 'run',
  jobId: 'job',
  attempt: 1,
  scheduledAt: Date.UTC(2026, 0, 1),
  cause: 'schedule',
  task: { kind: 'command', argv: ['true'] },
  surroundings: { cwd: '/', env: {}, inheritEnv: true, limits: {} },
  output: { maxSize: 1_000_000, keep: 10, log: 'none' },
  successExitCodes: [0],
  killSignal: 'TERM',
  killAfter: 10_000,
};

export function shell(script: string, more: Partial<AttemptSpec> = {}): Partial<AttemptSpec> {
  return { task: { kind: 'run', script, shell: ['/bin/sh', '-c'] }, ...more };
}

export function command(argv: readonly string[], more: Partial<AttemptSpec> = {}): Partial<AttemptSpec> {
  return { task: { kind: 'command', argv }, ...more };
}

export function surroundings(more: Partial<AttemptSpec['surroundings']>): Pick<AttemptSpec, 'surroundings'> {
  return { surroundings: { cwd: '/', env: {}, inheritEnv: true, limits: {}, ...more } };
}
