/** Why a slot became what it became, or did not become anything: one pure decision over what is known of it. */
import type {
  AttemptRecord,
  Duration,
  Instant,
  RunRecord,
  ShardRecord,
  SkipReason,
  SkipRecord,
} from '../model.ts';
import { MOMENT } from './plan.ts';
import type { SlotFate } from './slots.ts';
import { hasBegun } from './run-length.ts';

/**
 * on_time          its run started when it was due, or within a moment
 * late             its run started later than that
 * caught_up        it had been missed, and its misfire policy ran it afterwards
 * followed         its run started when the jobs that it follows had ended
 * not_followed     no job that it follows has a run of that time
 * starting         it is claimed, and its run is about to start
 * not_begun        its run ended before it began
 * (a SkipReason)   it was skipped; `paused` and `excluded` also of a slot to come that will be
 * future           it has not come
 * jitter           it has come, and starts when its jitter has passed
 * rolled           calendars exclude its day, and it moved to another
 * disabled         the job rests by its `enabled: false`
 * not_a_slot       the job has no slot at that time
 * no_schedule      the job has no slots at all
 * not_in_file      the job is neither in the job file nor loaded by a daemon
 * not_loaded       no daemon has the job loaded
 * not_known_yet    the job was not known by then: a job starts at the moment it is first loaded
 * pruned           history does not go back that far any more
 * unrecorded       history goes back further, but knows nothing of it
 * schedule_changed the job had another schedule when it was last loaded
 * daemon_down      no daemon runs to decide over it
 * ephemeral        the daemon keeps its history in memory
 * degraded         the daemon cannot record at the moment what became of it
 * waiting          it is due, but waits for its turn
 */
export type SlotReason =
  | 'on_time'
  | 'late'
  | 'caught_up'
  | 'followed'
  | 'not_followed'
  | 'starting'
  | 'not_begun'
  | SkipReason
  | 'future'
  | 'jitter'
  | 'rolled'
  | 'disabled'
  | 'not_a_slot'
  | 'no_schedule'
  | 'not_in_file'
  | 'not_loaded'
  | 'not_known_yet'
  | 'pruned'
  | 'unrecorded'
  | 'schedule_changed'
  | 'daemon_down'
  | 'ephemeral'
  | 'degraded'
  | 'waiting';

export interface SlotFacts {
  readonly slot: Instant;
  readonly now: Instant;
  /** Whether the job has a slot then, by the schedule it has now; `none`: it has none at any time. */
  readonly isSlot: boolean | 'none';
  /** What calendars do with a slot that would be there; undefined where they do nothing. */
  readonly fate: SlotFate | undefined;
  /** How far the runs of that time are that it follows; undefined of a job with a clock. */
  readonly follows: 'open' | 'over' | 'nothing' | undefined;
  /** Its schedule is known, from the job file or from the daemon that has it loaded. */
  readonly isInFile: boolean;
  readonly row: RunRecord | SkipRecord | undefined;
  /** Of this slot's start. */
  readonly jitter: Duration;
  readonly enabled: boolean;
  readonly paused: boolean;
  /** Every slot up to there is decided; undefined while no daemon has the job loaded. */
  readonly decidedTo: Instant | undefined;
  /** The schedule that it was last loaded with is the one it has now. */
  readonly isSameSchedule: boolean;
  readonly daemon: 'down' | 'well' | 'degraded' | 'memory';
  /** The oldest slot in the history of the job. */
  readonly oldest: Instant | undefined;
  /** History has been removed up to there, if any was. */
  readonly prunedTo: Instant | undefined;
}

export interface SlotVerdict {
  readonly reason: SlotReason;
  /** From when it was due to when it started; for a skip, to when that was decided. */
  readonly late?: Duration;
}

/** The reason, and what it is measured by. */
export function whySlot(facts: SlotFacts): SlotVerdict {
  const { slot, row, isSlot, jitter, now } = facts;
  if (row !== undefined && 'id' in row) return ofRun(row, jitter);
  // A stretch says what became of the slots in it, not of every moment.
  const isOf = isSlot === true || (row?.reason === 'excluded' && facts.fate?.kind === 'excluded');
  if (row !== undefined && (isOf || row.scheduledAt === slot || row.through === slot)) {
    return { reason: row.reason, late: Math.max(0, row.at - slot - jitter) };
  }
  if (!facts.isInFile) return { reason: 'not_in_file' };
  if (isSlot !== true && facts.fate !== undefined) return { reason: facts.fate.kind };
  if (facts.follows !== undefined) return { reason: ofFollower(facts.follows, facts) };
  if (isSlot === 'none') return { reason: 'no_schedule' };
  if (!isSlot) return { reason: 'not_a_slot' };
  return { reason: slot + jitter > now ? ofFuture(facts) : ofPast(facts) };
}

function ofRun(run: RunRecord, jitter: Duration): SlotVerdict {
  const { scheduledAt, cause, state } = run;
  const first = run.shards === undefined ? run.attempts[0] : firstAttempt(run.shards);
  if (first === undefined) {
    return { reason: state === 'finished' ? 'not_begun' : state === 'waiting' ? 'waiting' : 'starting' };
  }
  if (first.duration === undefined && first.outcome !== undefined) return { reason: 'not_begun' };
  const late = Math.max(0, first.startedAt - scheduledAt - jitter);
  if (cause === 'catch_up') return { reason: 'caught_up', late };
  if (cause === 'dependency') return { reason: 'followed', late };
  return { reason: late < MOMENT ? 'on_time' : 'late', late };
}

/** Of all parts that which began first. */
function firstAttempt(shards: readonly ShardRecord[]): AttemptRecord | undefined {
  const attempts = shards.flatMap((shard) => shard.attempts[0] ?? []);
  const [first] = attempts.filter(hasBegun).sort((a, b) => a.startedAt - b.startedAt);
  return first ?? attempts[0];
}

/** Nothing is recorded of it. */
function ofFollower(follows: 'open' | 'over' | 'nothing', { enabled, daemon }: SlotFacts): SlotReason {
  if (!enabled) return 'disabled';
  if (follows === 'nothing') return 'not_followed';
  if (daemon === 'memory') return 'ephemeral';
  if (daemon === 'down') return 'daemon_down';
  if (follows === 'open') return 'waiting';
  return daemon === 'degraded' ? 'degraded' : 'unrecorded';
}

function ofFuture({ enabled, paused, slot, now }: SlotFacts): SlotReason {
  if (!enabled) return 'disabled';
  if (paused) return 'paused';
  return slot > now ? 'future' : 'jitter';
}

function ofPast(facts: SlotFacts): SlotReason {
  const { slot, decidedTo, daemon, isSameSchedule } = facts;
  if (daemon === 'memory') return 'ephemeral';
  if (decidedTo === undefined) return facts.enabled ? 'not_loaded' : 'disabled';
  if (slot <= decidedTo) return ofDecided(facts);
  if (!isSameSchedule) return 'schedule_changed';
  if (daemon === 'down') return 'daemon_down';
  return daemon === 'degraded' ? 'degraded' : 'waiting';
}

/** It was decided over, or never had to be, and there is no row of it. */
function ofDecided({ slot, oldest, prunedTo }: SlotFacts): SlotReason {
  if (prunedTo !== undefined && slot <= prunedTo) return 'pruned';
  return oldest !== undefined && slot > oldest ? 'unrecorded' : 'not_known_yet';
}
