/** What a daemon keeps of its past: the store it was asked for, opened. Part of the composition root, called by app.ts alone. */
import { existsSync } from 'node:fs';
import { systemClock } from './engine/clock.ts';
import type { Store } from './engine/ports.ts';
import type { Retention, RunId } from './model.ts';
import type { DaemonFile } from './store/daemon-file.ts';
import type { Lock } from './store/lock.ts';
import { MemoryStore } from './store/memory.ts';
import { openSqliteStore, type StoreHealth } from './store/sqlite/store.ts';
import { statePaths, takeStateDirectory } from './store/state-directory.ts';
import type { AskOwners } from './tasks/run-directories.ts';

export interface Keeping {
  readonly store: Store;
  /** How much history is kept from now on. */
  readonly retain: (retention: Retention) => void;
  /** Undefined: who owns what is there cannot be told, so nothing of it is swept. */
  readonly owners: AskOwners | undefined;
}

export interface KeepingOptions {
  readonly stateDirectory: string;
  readonly ephemeral: boolean;
  readonly retention: Retention;
  readonly holding: Holding;
  readonly onHealth: (health: StoreHealth) => void;
  readonly onUnwritable: (message: string) => void;
  readonly onPruned: (runs: readonly RunId[]) => void;
  readonly onWarning: (message: string) => void;
}

/** What is there only once the daemon is. */
export interface Late {
  health: (health: StoreHealth) => void;
  unwritable: (message: string) => void;
}

/** The lock in force: of the directory as it is now, should it have been removed and made anew. */
export interface Holding {
  lock: Lock;
  daemonFile?: DaemonFile;
}

/**
 * Makes the state directory anew, in place of one that was removed, and takes it.
 * @throws as takeStateDirectory, and what the system says
 */
export function reclaim(holding: Holding, stateDirectory: string): void {
  holding.lock.release();
  holding.lock = takeStateDirectory(stateDirectory);
  holding.daemonFile?.renew();
}

/** @throws StoreTrouble when the database cannot be used */
export async function openKeeping(options: KeepingOptions): Promise<Keeping> {
  const { stateDirectory, holding } = options;
  const { database } = statePaths(stateDirectory);
  if (options.ephemeral) {
    const owners = existsSync(database) ? undefined : async () => new Map();
    return { store: new MemoryStore(), retain: () => undefined, owners };
  }
  const store = await openSqliteStore({
    ...options,
    path: database,
    clock: systemClock,
    onLongLog: (bytes) => options.onWarning(longLog(bytes)),
    reclaim: () => reclaim(holding, stateDirectory),
  });
  return {
    store,
    retain: (retention) => store.retain(retention),
    owners: (runs) => store.owners(runs),
  };
}

function longLog(bytes: number): string {
  const size = Math.round(bytes / 2 ** 20);
  return `the history's write-ahead log has grown to ${size} MiB, because another process holds a transaction on the database open (a backup, a forgotten sqlite3 shell?); it shrinks once that ends`;
}
