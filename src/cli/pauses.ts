import type { Instant, JobId, Pause } from '../model.ts';

/** Those that have not ended by themselves. */
export function pausesInForce(pauses: ReadonlyMap<JobId, Pause>, now: Instant): Map<JobId, Pause> {
  return new Map([...pauses].filter(([, { until }]) => until === undefined || now < until));
}
