import type { JobId, Upstream } from '../model.ts';

/** What is known of a job that another one needs. */
export interface NeededJob {
  readonly jobId: JobId;
  /** A run of it that is due by the slot in question is not over, or still to come. */
  readonly isToCome: boolean;
  /** How its newest run ended, runs by hand aside that did not succeed; absent: it has none. */
  readonly last?: Upstream | undefined;
}

/** Whether a slot may run, by the jobs that it needs. */
export type Needing =
  | { readonly kind: 'start' }
  /** On these: they are not over, or did not succeed. */
  | { readonly kind: 'wait'; readonly for: readonly JobId[] };

/** Decides over a slot that needs other jobs, by what is known of each at this instant. */
export function need(needed: readonly NeededJob[]): Needing {
  const missing = needed.filter(({ isToCome, last }) => isToCome || last?.outcome !== 'succeeded');
  return missing.length === 0 ? { kind: 'start' } : { kind: 'wait', for: missing.map(({ jobId }) => jobId) };
}
