import type { RunRecord, Upstream } from '../model.ts';

/** How a run ended, for those that follow or need it; undefined while it has not. */
export function upstreamOf({ id, jobId, outcome }: RunRecord): Upstream | undefined {
  if (outcome === undefined) return undefined;
  const end = { jobId, runId: id, outcome: outcome.kind };
  const result = outcome.kind === 'succeeded' ? outcome.result : undefined;
  return result === undefined ? end : { ...end, result };
}
