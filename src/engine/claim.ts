import type { Cause, Instant, Outcome, RunId, RunRecord, Shard, Upstream, Waited } from '../model.ts';
import type { Growing } from '../growing.ts';
import type { TurnOf } from './job.ts';
import { bounded } from './upstream.ts';

const NONE: readonly never[] = [];

/** What a claim has that not every one has. */
export interface ClaimedHow {
  /** The end of a run that never begins. */
  readonly refusal?: Outcome | undefined;
  readonly waited?: Waited | undefined;
  /** It has to wait for its pool though it is claimed. */
  readonly isWaiting?: boolean | undefined;
}

/** The run that a turn becomes, as it is claimed. */
export function claimOf(
  { job, slot, with: given, replay }: TurnOf,
  about: ClaimedHow & {
    readonly id: RunId;
    readonly cause: Cause;
    readonly now: Instant;
    readonly upstream: readonly Upstream[] | undefined;
  },
): RunRecord {
  const { id, cause, now, upstream, refusal, isWaiting, waited } = about;
  const { pool } = job.definition.policy;
  const claim: Growing<RunRecord> = {
    id,
    jobId: job.definition.id,
    scheduledAt: slot,
    cause,
    claimedAt: now,
    state: isWaiting === true ? 'waiting' : 'claimed',
    attempts: NONE,
  };
  if (given !== undefined) claim.with = given;
  if (replay !== undefined) claim.replay = replay;
  if (upstream !== undefined) claim.upstream = bounded(upstream);
  if (pool !== undefined) claim.pool = { name: pool.name, slots: pool.slots };
  if (waited !== undefined) claim.waited = waited;
  if (refusal !== undefined) {
    claim.state = 'finished';
    claim.finishedAt = now;
    claim.outcome = refusal;
  }
  return claim;
}

/** The parts that a slot's run has; undefined: it is one. */
export function shardsOf({ job, shards }: Pick<TurnOf, 'job' | 'shards'>): readonly Shard[] | undefined {
  return shards ?? job.definition.shards;
}

/** A claim of a run in parts: all of them are claimed by it. */
export function inShards(claim: RunRecord, shards: readonly Shard[]): RunRecord {
  return { ...claim, shards: shards.map((shard) => ({ ...shard, state: 'claimed', attempts: NONE })) };
}

/** A run of an earlier daemon as it was claimed then. */
export function claimAgain(record: RunRecord): RunRecord {
  const {
    id,
    jobId,
    scheduledAt,
    cause,
    claimedAt,
    with: given,
    replay,
    upstream,
    pool,
    waited,
    shards,
  } = record;
  return {
    id,
    jobId,
    scheduledAt,
    cause,
    claimedAt,
    state: 'claimed',
    attempts: NONE,
    ...(given !== undefined && { with: given }),
    ...(replay !== undefined && { replay }),
    ...(upstream !== undefined && { upstream }),
    ...(pool !== undefined && { pool }),
    ...(waited !== undefined && { waited }),
    ...(shards !== undefined && { shards }),
  };
}

/** Why a slot runs. */
export function causeOf({ upstream, caughtUp }: TurnOf): Cause {
  if (upstream !== undefined) return 'dependency';
  return caughtUp ? 'catch_up' : 'schedule';
}

/** One of several missed slots that `misfire: all` catches up. */
export function isBacklog(turn: TurnOf): boolean {
  return turn.caughtUp && turn.job.definition.policy.misfire.run === 'all';
}

/** Who waits for a limit comes last: it has its turn when all that runs is counted. */
export function lineLast(records: readonly RunRecord[]): RunRecord[] {
  const isInLine = ({ state }: RunRecord): boolean => state === 'waiting';
  return [...records.filter((record) => !isInLine(record)), ...records.filter(isInLine)];
}
