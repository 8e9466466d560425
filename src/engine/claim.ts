import type { Cause, Instant, Outcome, RunId, RunRecord, Upstream } from '../model.ts';
import type { TurnOf } from './job.ts';

const NONE: readonly never[] = [];

/** The run that a turn becomes, as it is claimed. `refusal`: the end of a run that never begins. */
export function claimOf(
  { job, slot, with: given }: TurnOf,
  about: {
    readonly id: RunId;
    readonly cause: Cause;
    readonly now: Instant;
    readonly upstream: readonly Upstream[] | undefined;
    readonly refusal: Outcome | undefined;
  },
): RunRecord {
  const { id, cause, now, upstream, refusal } = about;
  return {
    id,
    jobId: job.definition.id,
    scheduledAt: slot,
    cause,
    claimedAt: now,
    state: 'claimed',
    attempts: NONE,
    ...(given !== undefined && { with: given }),
    ...(upstream !== undefined && { upstream }),
    ...(refusal !== undefined && { state: 'finished', finishedAt: now, outcome: refusal }),
  };
}

/** A run of an earlier daemon as it was claimed then. */
export function claimAgain(record: RunRecord): RunRecord {
  const { id, jobId, scheduledAt, cause, claimedAt, with: given, upstream } = record;
  return {
    id,
    jobId,
    scheduledAt,
    cause,
    claimedAt,
    state: 'claimed',
    attempts: NONE,
    ...(given !== undefined && { with: given }),
    ...(upstream !== undefined && { upstream }),
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
