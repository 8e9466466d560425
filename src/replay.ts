/** Slots that are run again, or after all: words like those of model.ts. */
import type { Instant, JobId } from './model.ts';

/** A UUIDv7. */
export type ReplayId = string;

/** A batch of past slots of one job, each of which becomes a run with the cause `replay`. Outlives the daemon. */
export interface Replay {
  readonly id: ReplayId;
  readonly jobId: JobId;
  /** Scheduled times, both included. */
  readonly from: Instant;
  readonly to: Instant;
  readonly order: 'oldest' | 'newest';
  /** Slots that had a run that succeeded, or was active, were left out. */
  readonly missingOnly: boolean;
  /** Most of its runs at once. */
  readonly parallel: number;
  readonly askedAt: Instant;
  /** Its slots. */
  readonly total: number;
  /** The first so many of them have become runs; `begun - succeeded - failed` of those are not over. */
  readonly begun: number;
  readonly succeeded: number;
  /** Ended otherwise. */
  readonly failed: number;
  readonly state: 'active' | 'finished' | 'cancelled';
  readonly endedAt?: Instant;
}

/** A replay and the slots it has, in the order of their runs: what it will do does not change with the job file. */
export interface ReplayWithSlots {
  readonly replay: Replay;
  /** None once it is over. */
  readonly slots: readonly Instant[];
}

/** Replays that are over, of which the newest are remembered. */
export const REPLAYS_KEPT = 100;
