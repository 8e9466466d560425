/** What is on its way to the disk, and who waits for it. */
import type { Instant, JobId, RunRecord, SkipRecord } from '../../model.ts';
import type { Batch } from '../batch.ts';
import type { Places } from '../places.ts';

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

/** Moves places on by a claim. Not before what was claimed before it: of two slots of a job the older would count as decided. */
export function decide(places: Places, { runs, skips, undecided }: Claim): void {
  for (const { cause, jobId, scheduledAt: slot } of runs) {
    if (cause === 'manual') continue;
    places.decide(jobId, { from: slot, through: slot, undecided: undecided?.get(jobId) });
  }
  for (const { jobId, scheduledAt: from, through } of skips)
    places.decide(jobId, { from, through, undecided: undecided?.get(jobId) });
}
