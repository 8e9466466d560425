/** Attempts of module tasks: a process of their own (a spare one where it fits), or a thread of the thread host. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttemptHandle, AttemptReport, AttemptSpec } from '../engine/ports.ts';
import type { Arguments, Duration, Json, Outcome, Task } from '../model.ts';
import { directoryOf } from '../shard.ts';
import type { ContextData } from './context.ts';
import { runEnvironment } from './environment.ts';
import type { LaunchEvent, LaunchRequest } from './launch.ts';
import type { Assignment } from './module-host.ts';
import { outcomeMessageLimit, parseOutcome, UNWRITABLE } from './module-outcome.ts';
import {
  attemptBase,
  outcomeOfProcess,
  startProcess,
  type OutcomeOf,
  type ProcessServices,
} from './process-attempt.ts';
import { createSpares, startsAlike, type Spares } from './spares.ts';
import { startThreadAttempt } from './thread-attempt.ts';
import { createThreadPool, type ThreadPool } from './thread-pool.ts';

export interface ModuleOptions {
  /** The Node that runs module tasks. */
  readonly nodePath: string;
  /** The environment that runs inherit. */
  readonly environment: Readonly<Record<string, string>>;
}

export type ModuleTask = Extract<Task, { kind: 'module' }>;

/** Runs module tasks. Nothing is started before the first of them. */
export interface Modules {
  /** Throws when the run's directory cannot be made or written. */
  start(spec: AttemptSpec, task: ModuleTask, report: (report: AttemptReport) => void): AttemptHandle;
  /** Ends the waiting spare, and the thread hosts with all their threads; processes of runs live on. */
  close(): Promise<void>;
}

/** How long an idle thread host is kept. */
const hostIdle: Duration = 10 * 60_000;

/** What V8 says when the heap is full stands this near the end of the output. Bytes. */
const lastWords = 16 * 1024;

/** A module whose package.json has no "type" is parsed twice, which is Node's business and not for the log of each run. */
const nodeFlags = ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON'];

/** Beside what spares must have from their start, threads cannot change their time zone. */
const fixedInThreads =
  /^(?:NODE|UV|LD|SSL|OPENSSL|ICU|LC|MALLOC|GLIBC)_|^(?:LANG|LANGUAGE|LOCPATH|NLSPATH|TZ)$/u;

export function createModules(services: ProcessServices, options: ModuleOptions): Modules {
  const { clock, spawner, runsDirectory, output } = services;
  const { environment, nodePath } = options;
  const command = [nodePath, ...nodeFlags, program('module-host')];
  const spares = createSpares({
    spawner,
    clock,
    command,
    directory: join(runsDirectory, '.spares'),
    environment,
  });
  const threads = createThreadPool({
    command: [nodePath, ...nodeFlags, program('thread-host')],
    environment,
    output: output === 'inherit' ? 'inherit' : 'ignore',
    clock,
    idle: hostIdle,
  });
  return {
    start(spec, task, report) {
      const context = { services, environment, spec, task };
      return task.isolation === 'thread' && fitsThread(spec, environment)
        ? startInThread(context, threads, report)
        : startInProcess(context, { spares, nodePath }, report);
    },
    async close() {
      await Promise.all([spares.close(), threads.close()]);
    },
  };
}

/** The program of that name: a source beside this one, or a bundle beside the one this is in. */
function program(name: 'module-host' | 'thread-host'): string {
  const here = fileURLToPath(import.meta.url);
  return join(dirname(here), name + extname(here));
}

interface Attempt {
  readonly services: ProcessServices;
  readonly environment: Readonly<Record<string, string>>;
  readonly spec: AttemptSpec;
  readonly task: ModuleTask;
}

function startInProcess(
  { services, environment, spec, task }: Attempt,
  { spares, nodePath }: { spares: Spares; nodePath: string },
  report: (report: AttemptReport) => void,
): AttemptHandle {
  const paths = pathsOf(services, spec);
  const { memory, ...limits } = spec.surroundings.limits;
  // As an address space limit it would keep Node from starting at all: it is the heap that is limited.
  const heap = memory === undefined ? [] : [`--max-old-space-size=${mebibytes(memory)}`];
  const assignment: Assignment = { ...callOf(spec, task), killSignal: signalName(spec.killSignal) };

  const launch = (given: LaunchRequest, listen: (event: LaunchEvent) => void): void => {
    const request = { ...given, limits };
    const cold = (): void => {
      try {
        writeFileSync(paths.task, JSON.stringify(assignment), { mode: 0o600 });
      } catch (error) {
        return listen({
          kind: 'not_started',
          message: `The run could not be prepared: ${(error as Error).message}`,
        });
      }
      services.spawner.launch(request, listen);
    };
    if (heap.length > 0) return cold();
    const env = { ...environment, ...request.env };
    spares.start(
      { request, order: { assignment, outcome: paths.result, cwd: request.cwd, env } },
      listen,
      cold,
    );
  };
  // Another user cannot open files below the state directory: the spawner opens them, as these descriptors.
  const { user, group } = spec.surroundings;
  const files = user === undefined && group === undefined ? [paths.task, paths.result] : ['7', '8'];
  const argv = [nodePath, ...nodeFlags, ...heap, program('module-host'), 'attempt', ...files];
  const outcomeOf = moduleOutcome(services, spec);
  return startProcess(services, spec, { plan: { argv, launch, outcomeOf }, report });
}

function pathsOf(
  services: ProcessServices,
  spec: AttemptSpec,
): { readonly task: string; readonly result: string; readonly log: string } {
  const base = attemptBase(services, spec);
  return { task: `${base}.task.json`, result: `${base}.result.json`, log: `${base}.log` };
}

/** What the end of a module's process means: its own word, if it left one. */
export function moduleOutcome(services: ProcessServices, spec: AttemptSpec): OutcomeOf {
  const paths = pathsOf(services, spec);
  const { memory } = spec.surroundings.limits;
  return async (ending) => {
    await rm(paths.task, { force: true }).catch(() => undefined); // it does no harm
    const message = parseOutcome(await readEnd(paths.result, outcomeMessageLimit));
    if (message !== undefined) return message;
    if (ending.kind === 'exited') return { kind: 'threw', message: noMessage(ending.exitCode) };
    return (
      outOfMemory(ending.signal, await readEnd(paths.log, lastWords), memory) ?? outcomeOfProcess(ending, [])
    );
  };
}

function noMessage(exitCode: number): string {
  const called = `process.exit(${exitCode}) called before the task had ended`;
  return exitCode === UNWRITABLE
    ? `How the task ended could not be written: the disk may be full. (Or: ${called}.)`
    : called;
}

function outOfMemory(signal: string, output: string, memory: number | undefined): Outcome | undefined {
  if (!output.includes('JavaScript heap out of memory')) return undefined;
  const limit =
    memory === undefined
      ? "Node's own limit; limits.memory sets another"
      : `the ${mebibytes(memory)} MiB of limits.memory`;
  return { kind: 'killed', signal, hint: `out of memory: the JavaScript heap reached ${limit}` };
}

function startInThread(
  { services, environment, spec, task }: Attempt,
  pool: ThreadPool,
  report: (report: AttemptReport) => void,
): AttemptHandle {
  const { runsDirectory, clock, outputs, onOutput } = services;
  const { runId, jobId, attempt, surroundings, killAfter } = spec;
  const directory = join(runsDirectory, directoryOf(runId));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const outputPath = services.output === 'file' ? join(directory, `attempt-${attempt}.log`) : undefined;
  const watched =
    outputPath === undefined
      ? undefined
      : outputs.watch(outputPath, spec.output, {
          listen: (lines) => onOutput?.({ runId, jobId, attempt, lines }),
          from: 'beginning',
        });
  const order = {
    ...callOf(spec, task),
    ...(outputPath !== undefined && { outputPath }),
    env: { ...environment, ...runEnvironment(spec) },
  };
  const { memory } = surroundings.limits;
  const request = { order, cwd: surroundings.cwd, ...(memory !== undefined && { memory }) };
  const finish = async (last: Extract<AttemptReport, { kind: 'ended' }>): Promise<void> => {
    await watched?.finish(last.outcome.kind === 'succeeded');
    report(last);
  };
  return startThreadAttempt({ request, killAfter, pool, clock }, (each) => {
    if (each.kind === 'started') report(each);
    else void finish(each);
  });
}

/** Threads share what belongs to a process; a task that wants its own gets a process, whatever its isolation says. */
function fitsThread(
  { surroundings, ...spec }: AttemptSpec,
  environment: Readonly<Record<string, string>>,
): boolean {
  const { user, group, umask, nice, stdin, inheritEnv, limits } = surroundings;
  return (
    [user, group, umask, nice, stdin].every((one) => one === undefined) &&
    inheritEnv &&
    Object.keys(limits).every((name) => name === 'memory') &&
    startsAlike(environment, { ...environment, ...runEnvironment({ ...spec, surroundings }) }, fixedInThreads)
  );
}

function callOf(
  spec: AttemptSpec,
  task: ModuleTask,
): { path: string; exportName: string; context: ContextData } {
  const { jobId, runId, attempt, scheduledAt, previousSuccessAt, cause } = spec;
  return {
    path: task.path,
    exportName: task.exportName,
    context: {
      jobId,
      runId,
      attempt,
      scheduledAt,
      ...(previousSuccessAt !== undefined && { previousSuccessAt }),
      cause,
      ...(spec.shard !== undefined && { shard: spec.shard, matrix: spec.shard.values ?? {} }),
      params: spec.params ?? {},
      needs: Object.fromEntries((spec.upstream ?? []).map(({ jobId, ...end }) => [jobId, end])),
      with: spec.with === undefined ? task.with : withGiven(task.with, spec.with),
    },
  };
}

/** What was given along wins over what the job file says; arguments that are no mapping are replaced. */
function withGiven(own: Json, given: Arguments): Json {
  const isMap = typeof own === 'object' && own !== null && !Array.isArray(own);
  return isMap ? { ...(own as Arguments), ...given } : given;
}

/** The last bytes of a file as text; empty when it cannot be read. */
async function readEnd(path: string, bytes: number): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, Math.max(0, size - bytes));
    return buffer.toString('utf8', 0, bytesRead);
  } catch {
    return '';
  } finally {
    await file.close();
  }
}

function signalName(signal: string): string {
  return signal.startsWith('SIG') ? signal : `SIG${signal}`;
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
