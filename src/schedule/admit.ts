import type { OverlapPolicy, SkipReason } from '../model.ts';

/** What a job is busy with at the moment a slot of it falls due. */
export interface Occupancy {
  /** Runs that are claimed, running or waiting for a retry. */
  readonly active: number;
  /** Slots that wait for their turn. */
  readonly waiting: number;
  readonly paused: boolean;
}

/** What becomes of a slot that is due, and why. */
export type Admission =
  | { readonly kind: 'start' }
  /** Waits for the active run to end; the slot that waited before gives way to this newer one. */
  | { readonly kind: 'wait' }
  /** Cancels the active runs and waits for their end; a slot that waited before gives way. */
  | { readonly kind: 'replace' }
  | { readonly kind: 'skip'; readonly reason: SkipReason };

const START: Admission = { kind: 'start' };

/** Decides over one due slot by the job's overlap policy (DESIGN section 4, "Overlap and limits"). */
export function admit(
  policy: { readonly overlap: OverlapPolicy; readonly maxInstances: number },
  occupancy: Occupancy,
): Admission {
  if (occupancy.paused) return { kind: 'skip', reason: 'paused' };
  if (occupancy.active === 0 && occupancy.waiting === 0) return START;
  switch (policy.overlap) {
    case 'skip':
      return { kind: 'skip', reason: 'overlap' };
    case 'queue':
      return { kind: 'wait' };
    case 'replace':
      return { kind: 'replace' };
    case 'allow':
      return occupancy.active < policy.maxInstances ? START : { kind: 'skip', reason: 'limit' };
  }
}
