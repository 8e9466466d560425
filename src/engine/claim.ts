import type { Cause, Instant, Outcome, RunId, RunRecord, Shard, Upstream, Waited } from '../model.ts';
import type { TurnOf } from './job.ts';
import { bounded } from './upstream.ts';

const NONE: readonly never[] = [];

/** The run that a turn becomes, as it is claimed. `refusal`: the end of a run that never begins. */
export function claimOf(
  { job, slot, with: given, replay }: TurnOf,
  about: {
    readonly id: RunId;
    readonly cause: Cause;
    readonly now: Instant;
    readonly upstream: readonly Upstream[] | undefined;
    readonly refusal: Outcome | undefined;
    /** It has to wait for its pool though it is claimed. */
    readonly isWaiting: boolean;
    readonly waited: Waited | undefined;
  },
): RunRecord {
  const { id, cause, now, upstream, refusal, isWaiting, waited } = about;
  const { pool } = job.definition.policy;
  return {
    id,
    jobId: job.definition.id,
    scheduledAt: slot,
    cause,
    claimedAt: now,
    state: isWaiting ? 'waiting' : 'claimed',
    attempts: NONE,
    ...(given !== undefined && { with: given }),
    ...(replay !== undefined && { replay }),
    ...(upstream !== undefined && { upstream: bounded(upstream) }),
    ...(pool !== undefined && { pool: { name: pool.name, slots: pool.slots } }),
    ...(waited !== undefined && { waited }),
    ...(refusal !== undefined && { state: 'finished', finishedAt: now, outcome: refusal }),
  };
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
