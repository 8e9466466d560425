/** Part of the composition root: what a daemon says of itself when it starts. */
import { resolve } from 'node:path';
import type { AppOptions } from './app-options.ts';
import type { LoadedFile } from './config/load.ts';
import { systemClock } from './engine/clock.ts';
import type { DaemonInfo } from './store/daemon-file.ts';
import { processStartTime } from './tasks/process-group.ts';

export function daemonInfo(
  { file, version, ephemeral }: AppOptions,
  { jobs }: Pick<LoadedFile, 'jobs'>,
): DaemonInfo {
  const startTime = processStartTime(process.pid);
  const now = systemClock.now();
  return {
    pid: process.pid,
    ...(startTime === undefined ? {} : { startTime }),
    startedAt: now,
    version,
    file: resolve(file),
    jobs: jobs.length,
    loadedAt: now,
    store: { kind: ephemeral ? 'memory' : 'well' },
  };
}
