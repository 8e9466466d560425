/** Claims while the disk fails. */
import { isForSlot, type Batch } from '../batch.ts';
import { decide, type Claim } from '../flight.ts';
import type { Places } from '../places.ts';

/** Decides without the disk, and takes out of the batch what is another's. */
export function settleByMemory(claims: readonly Claim[], batch: Batch, places: Places): void {
  for (const claim of claims) {
    if (claim.settled) continue;
    const won = claim.runs.map((run) => {
      // Slots of followers come in any order; the engine knows which it has claimed.
      if (!isForSlot(run) || run.cause === 'dependency') return true;
      const isNew = !places.isDecided(run.jobId, run.scheduledAt);
      if (!isNew) batch.withdraw(run);
      return isNew;
    });
    decide(places, claim);
    claim.settled = true;
    claim.resolve(won);
  }
}

/** Times in milliseconds. */
export const LIMITS = {
  /** Between two tries while the disk fails. */
  retry: 2000,
  /** A start does not wait longer than this for the disk: beyond what a busy disk takes now and then, since what is begun without it is forgotten by a kill. */
  patience: 5000,
  /** How long the end waits for what is still to be written. */
  lastPatience: 10_000,
  /** Rows kept in memory while the disk fails; some 100 MB. */
  waiting: 100_000,
} as const;
