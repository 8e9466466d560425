/** How long a run took. */
import type { AttemptRecord, Duration, RunRecord } from '../model.ts';

/** From the first start to the end, waits between attempts included. Undefined while it has not ended, or never began. */
export function lengthOf({ attempts, finishedAt }: RunRecord): Duration | undefined {
  const [first] = attempts;
  if (first === undefined || finishedAt === undefined || !hasBegun(first)) return undefined;
  return attempts.length === 1 ? first.duration : Math.max(0, finishedAt - first.startedAt);
}

/** With an outcome but without a length it was never begun. */
export function hasBegun({ duration, outcome }: AttemptRecord): boolean {
  return duration !== undefined || outcome === undefined;
}
