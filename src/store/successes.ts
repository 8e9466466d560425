import type { Instant, JobId, RunRecord } from '../model.ts';

/** Keeps the newest slot of each job that succeeded. */
export function noteSuccess(successes: Map<JobId, Instant>, run: RunRecord): void {
  const { jobId, scheduledAt, outcome } = run;
  const isNewer = scheduledAt > (successes.get(jobId) ?? Number.NEGATIVE_INFINITY);
  if (outcome?.kind === 'succeeded' && isNewer) successes.set(jobId, scheduledAt);
}
