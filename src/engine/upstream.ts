import type { RunRecord, Upstream } from '../model.ts';

/** Characters of JSON that a run is handed over of all results together: they go into its record and its environment. */
const MOST_RESULTS = 512 * 1024;

/** Without the results that would be too many together; of each job alone they are bounded already. */
export function bounded(upstream: readonly Upstream[]): readonly Upstream[] {
  let room = MOST_RESULTS;
  return upstream.map((each) => {
    const size = each.result === undefined ? 0 : JSON.stringify(each.result).length;
    if (size > room) return bare(each);
    room -= size;
    return each;
  });
}

/** Without its result. */
export function bare({ jobId, runId, outcome }: Upstream): Upstream {
  return runId === undefined ? { jobId, outcome } : { jobId, runId, outcome };
}

/** How a run ended, for those that follow or need it; undefined while it has not. */
export function upstreamOf({ id, jobId, outcome }: RunRecord): Upstream | undefined {
  if (outcome === undefined) return undefined;
  const end = { jobId, runId: id, outcome: outcome.kind };
  const result = outcome.kind === 'succeeded' ? outcome.result : undefined;
  return result === undefined ? end : { ...end, result };
}
