/** What is on its way to the disk, and who waits for it. */
import type { Instant, JobId, RunRecord, SkipRecord } from '../../model.ts';
import type { Batch } from '../batch.ts';

export type Undecided = ReadonlyMap<JobId, Instant>;

/** Slots that somebody waits to have, or not. */
export interface Claim {
  readonly runs: readonly RunRecord[];
  readonly skips: readonly SkipRecord[];
  readonly undecided: Undecided | undefined;
  readonly resolve: (won: readonly boolean[]) => void;
  settled: boolean;
}

/** A batch that was given to the thread. */
export interface Flight {
  readonly batch: Batch;
  readonly claims: readonly Claim[];
  readonly saved: PromiseWithResolvers<void>;
}
