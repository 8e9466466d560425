/** What is on its way to the disk, and who waits for it. */
import type { Instant, JobId, RunRecord, SkipRecord } from '../../model.ts';
import { halves, isForSlot, type Batch, type BatchData } from '../batch.ts';
import type { Places } from '../places.ts';
import { StoreTrouble } from './connection.ts';

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
  for (const run of runs) {
    const { jobId, scheduledAt: slot } = run;
    if (!isForSlot(run)) continue;
    places.decide(jobId, { from: slot, through: slot, undecided: undecided?.get(jobId) });
  }
  for (const { jobId, scheduledAt: from, through } of skips)
    places.decide(jobId, { from, through, undecided: undecided?.get(jobId) });
}
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
  /** A start does not wait longer than this for the disk. */
  patience: 1000,
  /** How long the end waits for what is still to be written. */
  lastPatience: 10_000,
  /** Rows kept in memory while the disk fails; some 100 MB. */
  waiting: 100_000,
} as const;

interface Recording {
  readonly ask: (data: BatchData) => Promise<readonly boolean[]>;
  readonly onUnwritable: ((message: string) => void) | undefined;
}

/** A row that cannot be recorded, ever, would hold up all that come with it and after it: it alone is left out, and told. */
export async function recordAll(data: BatchData, recording: Recording): Promise<readonly boolean[]> {
  try {
    return await recording.ask(data);
  } catch (error) {
    if (!(error instanceof StoreTrouble) || error.kind !== 'bug') throw error;
    const parts = halves(data);
    if (parts !== undefined)
      return [...(await recordAll(parts[0], recording)), ...(await recordAll(parts[1], recording))];
    recording.onUnwritable?.(error.message);
    return data.claims.map(() => true);
  }
}
