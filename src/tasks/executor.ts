/** Starts attempts, each by the kind of its task. */
import { mkdirSync } from 'node:fs';
import type { AttemptHandle, AttemptReport, AttemptSpec, Clock, Executor } from '../engine/ports.ts';
import { inheritable } from './environment.ts';
import { createModules, type Modules } from './module-attempt.ts';
import { createOutputWatch } from './output.ts';
import { startProcess, type OutputLines, type ProcessServices } from './process-attempt.ts';
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
  return {
    get spawnerPid() {
      return spawner.pid;
    },
    start(spec, report) {
      try {
        return begin({ services, modules }, spec, report);
      } catch (error) {
        const message = `The run could not be prepared: ${(error as Error).message}`;
        report({ kind: 'ended', outcome: { kind: 'not_started', message } });
        return { stop: nothing, kill: nothing };
      }
    },
    async close() {
      outputs.close();
      await modules.close();
      await spawner.close();
    },
  };
}

function begin(
  { services, modules }: { services: ProcessServices; modules: Modules },
  spec: AttemptSpec,
  report: (report: AttemptReport) => void,
): AttemptHandle {
  const { task } = spec;
  switch (task.kind) {
    case 'run':
      return startProcess(services, spec, { plan: { argv: [...task.shell, task.script] }, report });
    case 'command':
      return startProcess(services, spec, { plan: { argv: task.argv }, report });
    case 'module':
      return modules.start(spec, task, report);
  }
}

function nothing(): void {
  // There is nothing to stop.
}
