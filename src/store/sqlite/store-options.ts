import type { Clock } from '../../engine/ports.ts';
import type { Retention } from '../../model.ts';
import type { StoreListener } from '../batching.ts';

export interface SqliteStoreOptions extends StoreListener {
  readonly path: string;
  readonly clock: Clock;
  readonly retention: Retention;
  /** The write-ahead log has grown to so many bytes, because another process reads the database all the while. */
  readonly onLongLog?: (bytes: number) => void;
  /** The file is gone: makes its directory and takes its lock again. Throws when that cannot be. */
  readonly reclaim: () => void;
}
