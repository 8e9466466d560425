/** How long a run took. */
import type { AttemptRecord, Duration, Instant, RunRecord } from '../model.ts';

/** From the first start to the end, waits between attempts included. Undefined while it has not ended, or never began. */
export function lengthOf(run: RunRecord): Duration | undefined {
  const { attempts, finishedAt } = run;
  if (run.shards !== undefined) {
    const begun = begunAt(run);
    return begun === undefined || finishedAt === undefined ? undefined : Math.max(0, finishedAt - begun);
  }
  const [first] = attempts;
  if (first === undefined || finishedAt === undefined || !hasBegun(first)) return undefined;
  return attempts.length === 1 ? first.duration : Math.max(0, finishedAt - first.startedAt);
}

/** With an outcome but without a length it was never begun. */
export function hasBegun({ duration, outcome }: AttemptRecord): boolean {
  return duration !== undefined || outcome === undefined;
}

/** When its first attempt began, or that of the first of its parts. */
export function begunAt({ attempts, shards }: Pick<RunRecord, 'attempts' | 'shards'>): Instant | undefined {
  if (shards === undefined) return attempts[0]?.startedAt;
  const starts = shards.flatMap((shard) => shard.attempts[0]?.startedAt ?? []);
  return starts.length === 0 ? undefined : Math.min(...starts);
}
