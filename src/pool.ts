/** Limits that runs share, as the job file and the history have them. */

/** Epoch milliseconds. */
type Instant = number;
type JobId = string;
type RunId = string;

/** What a run takes of a pool. */
export interface PoolUse {
  readonly name: string;
  readonly slots: number;
  /** Longest wait for them, in milliseconds; absent: none. */
  readonly maxWait?: number;
}

/** How many slots each pool has, by name. */
export type Pools = Readonly<Record<string, number>>;

/** That a run had to wait for a limit before it could start. */
export interface Waited {
  /** A pool, or one of the daemon's own bounds. */
  readonly limit: string;
  readonly since: Instant;
  /** Whose runs had it then; a few of them, and none of the daemon's own bounds. */
  readonly heldBy: readonly JobId[];
}

/** A limit as it stands: a pool of the job file, or one of the daemon's own bounds, whose names begin with "_". */
export interface PoolView {
  readonly name: string;
  readonly slots: number;
  /** More than `slots` for a while, when it shrank, or counts runs that pass by it. */
  readonly used: number;
  /** Slots, and runs by hand, in its line. */
  readonly waiting: number;
  /** Whose runs have it, oldest first; none of the daemon's own bounds. */
  readonly holders: readonly {
    readonly id: RunId;
    readonly jobId: JobId;
    readonly claimedAt: Instant;
    readonly slots: number;
  }[];
  /** Who has the next turn. */
  readonly next: { readonly jobId: JobId; readonly since: Instant } | undefined;
}
