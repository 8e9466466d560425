/** A part of the composition root: where a daemon keeps what happens, and says what it is. */
import { resolve } from 'node:path';
import type { AppOptions } from './app-options.ts';
import type { LoadedFile } from './config/load.ts';
import { systemClock } from './engine/clock.ts';
import type { Store } from './engine/ports.ts';
import type { Lock } from './store/lock.ts';
import { MemoryStore } from './store/memory.ts';
import { openSqliteStore, type StoreHealth } from './store/sqlite/store.ts';
import { statePaths, takeStateDirectory } from './store/state-directory.ts';
import { processStartTime } from './tasks/process-group.ts';
import type { RunDirectories } from './tasks/run-directories.ts';

/** What is there only once the daemon is. */
export interface Late {
  health: (health: StoreHealth) => void;
  unwritable: (message: string) => void;
}

/** The lock in force: of the directory as it is now, should it have been removed and made anew. */
export interface Holding {
  lock: Lock;
}

/** Opens the store that the options ask for. */
export async function openStore(
  { ephemeral, stateDirectory }: AppOptions,
  { late, runs, holding }: { late: Late; runs: RunDirectories; holding: Holding },
): Promise<Store> {
  if (ephemeral) return new MemoryStore();
  return openSqliteStore({
    path: statePaths(stateDirectory).database,
    clock: systemClock,
    retention: { keep: 1000, maxAge: 90 * 24 * 3_600_000 },
    onHealth: (health) => late.health(health),
    onUnwritable: (message) => late.unwritable(message),
    onPruned: (ids) => runs.forget(ids),
    reclaim: () => {
      holding.lock.release();
      holding.lock = takeStateDirectory(stateDirectory);
    },
  });
}

/** What the daemon says of itself at first. */
export function describe({ file, version, ephemeral }: AppOptions, { jobs }: LoadedFile) {
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
    store: { kind: ephemeral ? ('memory' as const) : ('well' as const) },
  };
}
