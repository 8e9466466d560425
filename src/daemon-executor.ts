/** Part of the composition roots: what starts processes for a daemon, on its own or a node of a cluster. */
import type { AppOptions } from './app-options.ts';
import { systemClock } from './engine/clock.ts';
import type { Log } from './observe/log.ts';
import { statePaths } from './store/state-directory.ts';
import { createExecutor, type ProcessExecutor } from './tasks/executor.ts';

/** To be made first: a fork is cheap while the daemon is small. `log` is there by the time that anything prints. */
export function daemonExecutor(
  { stateDirectory, environment }: AppOptions,
  log: () => Log | undefined,
): ProcessExecutor {
  return createExecutor({
    runsDirectory: statePaths(stateDirectory).runs,
    clock: systemClock,
    nodePath: process.execPath,
    inheritedEnvironment: environment,
    output: 'file',
    onOutput: ({ jobId, runId, lines }) => {
      for (const line of lines) log()?.output(line, { job: jobId, run: runId });
    },
  });
}
