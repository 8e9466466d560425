/** How a slot hangs together with those of other jobs: what became of what it follows and needs, and of what that follows. */
import type { Engine } from '../engine/engine.ts';
import type { Answer, SlotLink } from '../engine/ports-operator.ts';
import type { HistoryRow } from '../engine/ports.ts';
import type { Instant, JobDefinition, JobId, RunId, RunRecord, Shard, ShardRecord } from '../model.ts';
import { afterOf } from '../schedule/follow.ts';
import { graphOf, type Graph } from '../schedule/graph.ts';
import { done } from './answers.ts';

/** Where to look. */
export interface LinkSources {
  definition(jobId: JobId): JobDefinition | undefined;
  /** What became of the slot. */
  row(jobId: JobId, slot: Instant): Promise<HistoryRow | undefined>;
  run(runId: RunId): Promise<HistoryRow | undefined>;
  /** The newest slot at or before that moment that there is a row of. */
  newestSlot(jobId: JobId, at: Instant): Promise<Instant | undefined>;
}

/** A slot, and what became of it. */
interface Told {
  readonly slot: Instant;
  readonly row: HistoryRow | undefined;
}

/** Links that are told; more nobody would read. */
const MOST = 50;

/** The story of a slot, nearest first along each way, each job once. */
export async function linksOf(
  job: JobDefinition,
  story: Told,
  sources: LinkSources,
): Promise<readonly SlotLink[]> {
  const links: SlotLink[] = [];
  const seen = new Set<JobId>([job.id]);
  const tell = async (of: JobDefinition, { slot, row }: Told, depth: number): Promise<void> => {
    for (const { via, jobId } of upstreamOf(of)) {
      if (seen.has(jobId) || links.length >= MOST) continue;
      seen.add(jobId);
      // The run knows which it followed; a slot without one has the time of theirs.
      const followed = row !== undefined && 'run' in row ? row.run.upstream : undefined;
      const runId = followed?.find((each) => each.jobId === jobId)?.runId;
      const at = via === 'after' ? slot : await sources.newestSlot(jobId, slot);
      const known = runId === undefined ? undefined : await sources.run(runId);
      const theirs = known ?? (at === undefined ? undefined : await sources.row(jobId, at));
      links.push({ of: of.id, via, jobId, depth, row: theirs });
      const next = sources.definition(jobId);
      if (next !== undefined) await tell(next, { slot: at ?? slot, row: theirs }, depth + 1);
    }
  };
  await tell(job, story, 1);
  return links;
}

/** The newest slot of a job without a clock: one that has a row, or one of a job that it follows. */
export async function newestFollowed(
  job: JobDefinition,
  now: Instant,
  sources: Pick<LinkSources, 'definition' | 'newestSlot'>,
): Promise<Instant | undefined> {
  const seen = new Set<JobId>([job.id]);
  let newest: Instant | undefined;
  for (const jobId of seen) {
    if (seen.size > MOST) break;
    const slot = await sources.newestSlot(jobId, now);
    if (slot !== undefined && (newest === undefined || slot > newest)) newest = slot;
    const definition = jobId === job.id ? job : sources.definition(jobId);
    for (const upstream of (definition && afterOf(definition.schedule))?.jobs ?? []) seen.add(upstream);
  }
  return newest;
}

function upstreamOf({ schedule, needs }: JobDefinition): { via: SlotLink['via']; jobId: JobId }[] {
  return [
    ...(afterOf(schedule)?.jobs ?? []).map((jobId) => ({ via: 'after' as const, jobId })),
    ...(needs?.jobs ?? []).map((jobId) => ({ via: 'needs' as const, jobId })),
  ];
}

export type GraphAnswer = Answer<Graph>;

/** Undefined: there is no such job. */
export function graphAround(
  engine: Pick<Engine, 'job' | 'jobs'>,
  around: JobId | undefined,
): GraphAnswer | undefined {
  if (around !== undefined && engine.job(around) === undefined) return undefined;
  return done(
    graphOf(
      Array.from(engine.jobs(), ({ definition }) => definition),
      around,
    ),
  );
}

/** What a run has of the one that it repeats. */
export type Repeated = Partial<Pick<RunRecord, 'scheduledAt' | 'upstream'>> & {
  readonly shards?: readonly Shard[];
};

/** The same amount of work once more: what follows it sees the same scheduled time. */
export function repeated({ scheduledAt, upstream, shards }: RunRecord): Repeated {
  return {
    scheduledAt,
    ...(upstream !== undefined && { upstream }),
    ...(shards !== undefined && { shards: unsuccessful(shards) }),
  };
}

/** Of a run in parts those that did not succeed are repeated; all, where all did. */
function unsuccessful(shards: readonly ShardRecord[]): Shard[] {
  const failed = shards.filter(({ outcome }) => outcome?.kind !== 'succeeded');
  return (failed.length === 0 ? shards : failed).map(({ index, total, values }) =>
    values === undefined ? { index, total } : { index, total, values },
  );
}
