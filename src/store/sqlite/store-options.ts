import type { Clock } from '../../engine/ports.ts';
import type { Instant, Retention, RunId } from '../../model.ts';

/** How the store is. */
export type StoreHealth =
  | {
      readonly kind: 'well';
      /** Rows that had to wait and are recorded now. */
      readonly caughtUp: number;
      readonly dropped: number;
    }
  | { readonly kind: 'degraded'; readonly since: Instant; readonly message: string; readonly hint?: string };

export interface SqliteStoreOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly retention: Retention;
  /** Called when it changes, and again when the reason does. */
  readonly onHealth: (health: StoreHealth) => void;
  /** A row that the database does not take, which is a mistake of ours; all others go on. */
  readonly onUnwritable?: (message: string) => void;
  /** Runs whose rows are gone. */
  readonly onPruned: (runs: readonly RunId[]) => void;
  /** The write-ahead log has grown to so many bytes, because another process reads the database all the while. */
  readonly onLongLog?: (bytes: number) => void;
  /** The file is gone: makes its directory and takes its lock again. Throws when that cannot be. */
  readonly reclaim: () => void;
}
