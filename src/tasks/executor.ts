/** Starts attempts, each by the kind of its task. */
import { closeSync, existsSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type {
  AttemptHandle,
  AttemptReport,
  AttemptSpec,
  Clock,
  Executor,
  KnownProcess,
  Recovery,
} from '../engine/ports.ts';
import type { Outcome, Task } from '../model.ts';
import { runCommand, type CommandSpec } from './command.ts';
import { inheritable } from './environment.ts';
import { HttpRequests } from './http-attempt.ts';
import { explainLaunchProblem } from './launch-problem.ts';
import { createModules, moduleOutcome, type Modules } from './module-attempt.ts';
import { createOutputWatch } from './output.ts';
import {
  attemptBase,
  outcomeOfProcess,
  outcomeOfStop,
  type OutcomeOf,
  type ProcessPlan,
  startProcess,
  type OutputLines,
  type ProcessServices,
} from './process-attempt.ts';
import { recoverProcess } from './recover.ts';
import { resultVariables, withResult } from './result.ts';
import { createSpawner } from './spawner.ts';

export interface ExecutorOptions {
  /** Absolute path; made if need be. Has a directory for each run. */
  readonly runsDirectory: string;
  readonly clock: Clock;
  /** The Node that runs module tasks. */
  readonly nodePath: string;
  /** The daemon's environment as it was given to it. */
  readonly inheritedEnvironment: Readonly<Record<string, string | undefined>>;
  /** Where processes write: files of their runs, or the daemon's own stdout and stderr. */
  readonly output: 'file' | 'inherit';
  /** The argv of the program that starts processes, a shell or perl; by default the best there is. */
  readonly spawnerArgv?: readonly string[];
  /** Output that a job's `output.log` wants copied to the daemon's log. */
  readonly onOutput?: (output: OutputLines) => void;
}

export interface ProcessExecutor extends Executor {
  /**
   * Process id of the spawner; undefined when there is none just now. It outlives a daemon that is killed until it is
   * through with what it was sent.
   */
  readonly spawnerPid: number | undefined;
  /** Runs a program for the daemon itself. Gives what went wrong, if anything did; never rejects. */
  runCommand(command: CommandSpec): Promise<string | undefined>;
}

/** Starts the spawner at once, so create it while the process is small. Throws when the directory cannot be made. */
export function createExecutor(options: ExecutorOptions): ProcessExecutor {
  const { runsDirectory, clock, output, onOutput } = options;
  mkdirSync(runsDirectory, { recursive: true, mode: 0o700 });
  const environment = inheritable(options.inheritedEnvironment);
  const argv = options.spawnerArgv;
  const spawner = createSpawner({ environment, clock, output, ...(argv && { argv }) });
  const outputs = createOutputWatch(clock);
  const services: ProcessServices = { runsDirectory, clock, spawner, outputs, output, onOutput };
  const modules = createModules(services, { nodePath: options.nodePath, environment });
  const http = new HttpRequests(services);
  // What an earlier daemon left there is of no use any more.
  const commands = join(runsDirectory, '.commands');
  rmSync(commands, { recursive: true, force: true });
  let lastCommand = 0;
  return {
    get spawnerPid() {
      return spawner.pid;
    },
    start(spec, report) {
      try {
        return begin({ services, modules, http }, spec, report);
      } catch (error) {
        const message = `The run could not be prepared: ${(error as Error).message}`;
        report({ kind: 'ended', outcome: { kind: 'not_started', message } });
        return { stop: nothing, kill: nothing };
      }
    },
    async recover(spec, known) {
      const found = await recover(services, { spec, known }, environment['PATH']);
      return found.kind === 'ended' ? { ...found, outcome: asAsked(found.outcome, known) } : found;
    },
    runCommand(command) {
      lastCommand += 1;
      const directory = join(commands, String(lastCommand));
      return runCommand({ spawner, clock, directory }, command);
    },
    async close() {
      http.close();
      outputs.close();
      await modules.close();
      await spawner.close();
    },
  };
}

function begin(
  { services, modules, http }: { services: ProcessServices; modules: Modules; http: HttpRequests },
  spec: AttemptSpec,
  report: (report: AttemptReport) => void,
): AttemptHandle {
  const { task } = spec;
  switch (task.kind) {
    case 'run':
    case 'command':
      return startProcess(services, spec, { plan: commandPlan(services, spec, argvOf(task)), report });
    case 'module':
      return modules.start(spec, task, report);
    case 'http':
      return http.start(spec, task, report);
  }
}

function commandPlan(services: ProcessServices, spec: AttemptSpec, argv: readonly string[]): ProcessPlan {
  const base = attemptBase(services, spec);
  return { argv, env: resultVariables(spec, base), outcomeOf: commandOutcome(spec, base) };
}

function commandOutcome({ successExitCodes }: AttemptSpec, base: string): OutcomeOf {
  return async (ending) => withResult(outcomeOfProcess(ending, successExitCodes), base);
}

async function recover(
  services: ProcessServices,
  found: { readonly spec: AttemptSpec; readonly known: KnownProcess },
  searchPath: string | undefined,
): Promise<Recovery> {
  const { spec } = found;
  const { task } = spec;
  const base = attemptBase(services, spec);
  if (task.kind === 'http') return wasBegun(base) ? ended(HTTP_LOST) : { kind: 'never_begun' };
  if (task.kind === 'module' && task.isolation === 'thread' && wasBegun(base)) return ended(THREAD_LOST);
  const { stdin: _, ...surroundings } = spec.surroundings;
  const request = {
    ...surroundings,
    argv: argvOf(task),
    outputPath: `${base}.log`,
    exitPath: `${base}.exit`,
  };
  return recoverProcess(services, found, {
    outcomeOf: task.kind === 'module' ? moduleOutcome(services, spec) : commandOutcome(spec, base),
    explain: (step) => explainLaunchProblem(request, step, searchPath),
  });
}

/** What it was asked to end for is why it ended, as it is under the daemon that asked; whether it ran and is gone is another matter. */
function asAsked(outcome: Outcome, { asked }: KnownProcess): Outcome {
  const isKnown = outcome.kind !== 'lost' && outcome.kind !== 'not_started';
  return asked !== undefined && isKnown ? outcomeOfStop(asked) : outcome;
}

function ended(message: string): Recovery {
  return { kind: 'ended', outcome: { kind: 'lost', message } };
}

/**
 * Whether the attempt was begun in a thread or as a request, which ended with its daemon. Both make the output file before they
 * begin, and only if it is not there: where it is made here, none will ever begin. With an exit record, it was given a process
 * after all.
 */
function wasBegun(base: string): boolean {
  if (existsSync(`${base}.exit`)) return false;
  try {
    closeSync(openSync(`${base}.log`, 'wx', 0o600));
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST';
  }
}

const THREAD_LOST = 'It was under way in a thread of tsched when that ended.';
const HTTP_LOST = 'The request was under way when tsched ended; whether it was answered is not known.';

function argvOf(task: Task): readonly string[] {
  switch (task.kind) {
    case 'run':
      return [...task.shell, task.script];
    case 'command':
      return task.argv;
    case 'module':
    case 'http':
      return [];
  }
}

function nothing(): void {
  // There is nothing to stop.
}
