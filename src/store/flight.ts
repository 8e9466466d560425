/** What is on its way to the tables, and who waits for it. */
import type { Instant, JobId, RunRecord, SkipRecord } from '../model.ts';
import { halves, isForSlot, type Batch, type BatchData } from './batch.ts';
import type { Places } from './places.ts';

export type Undecided = ReadonlyMap<JobId, Instant>;

/** Slots that somebody waits to have, or not. */
export interface Claim {
  readonly runs: readonly RunRecord[];
  readonly skips: readonly SkipRecord[];
  readonly undecided: Undecided | undefined;
  readonly resolve: (won: readonly boolean[]) => void;
  settled: boolean;
}

/** A batch that is being written. */
export interface Flight {
  readonly batch: Batch;
  readonly claims: readonly Claim[];
  readonly saved: PromiseWithResolvers<void>;
}

/** Tells those who wait for claims what became of them. */
export function settle(claims: readonly Claim[], won: readonly boolean[], places: Places): void {
  let index = 0;
  for (const claim of claims) {
    const theirs = won.slice(index, index + claim.runs.length);
    index += claim.runs.length;
    if (claim.settled) continue;
    decide(places, claim);
    claim.resolve(theirs);
  }
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

interface Recording {
  readonly ask: (data: BatchData) => Promise<readonly boolean[]>;
  /** Whether what was said of a batch would be said of it again, whenever it is asked for. */
  readonly isRefusal: (error: unknown) => boolean;
  /** What a claim that cannot be recorded counts as. */
  readonly wonUnrecorded: boolean;
  readonly onUnwritable: ((message: string) => void) | undefined;
}

/** A row that cannot be recorded, ever, would hold up all that come with it and after it: it alone is left out, and told. */
export async function recordAll(data: BatchData, recording: Recording): Promise<readonly boolean[]> {
  try {
    return await recording.ask(data);
  } catch (error) {
    if (!recording.isRefusal(error)) throw error;
    const parts = halves(data);
    if (parts !== undefined)
      return [...(await recordAll(parts[0], recording)), ...(await recordAll(parts[1], recording))];
    recording.onUnwritable?.((error as Error).message);
    return data.claims.map(() => recording.wonUnrecorded);
  }
}
