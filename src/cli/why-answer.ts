/** What is to be said of a slot, by what is known of it; what follows from that is decided by schedule/why.ts. */
import type { SlotLink } from '../engine/ports-operator.ts';
import type { HistoryRow } from '../engine/ports.ts';
import type { Instant, Pause } from '../model.ts';
import type { KnownJob } from '../operator/wording.ts';
import { fingerprint } from '../schedule/fingerprint.ts';
import { afterOf } from '../schedule/follow.ts';
import { jitterOf } from '../schedule/jitter.ts';
import { slotUpTo } from '../schedule/previous.ts';
import type { Trigger } from '../schedule/trigger.ts';
import { whySlot, type SlotFacts, type SlotVerdict } from '../schedule/why.ts';
import { USUAL_KEEP, USUAL_MAX_AGE, type Kept, type SlotPast } from '../store/history.ts';

/** The answer for one slot, as it is shown. */
export interface Answer {
  readonly known: KnownJob;
  readonly slot: Instant;
  readonly row: HistoryRow | undefined;
  readonly links: readonly SlotLink[];
  readonly verdict: SlotVerdict;
  readonly facts: SlotFacts;
  /** The slots beside it. */
  readonly previousAt: Instant | undefined;
  readonly nextAt: Instant | undefined;
  /** The next one from now on. */
  readonly comingAt: Instant | undefined;
  readonly timezone: string;
}

interface Around {
  readonly trigger: Trigger | undefined;
  readonly past: Pick<SlotPast, 'row' | 'kept'> | undefined;
  readonly links: readonly SlotLink[];
  readonly now: Instant;
  readonly timezone: string;
}

/** What is to be said of one slot. */
export function answerFor(
  slot: Instant,
  known: KnownJob,
  { trigger, past, links, now, timezone }: Around,
): Answer {
  const row = past?.row;
  const isSlot = trigger?.next(slot - 1) === slot;
  const previousAt = trigger === undefined ? undefined : slotUpTo(trigger, slot - 1);
  const nextAt = trigger?.next(slot);
  const facts: SlotFacts = {
    slot,
    now,
    isSlot: isSlot || previousAt !== undefined || nextAt !== undefined ? isSlot : 'none',
    fate: trigger?.days?.fateOf(slot),
    follows: standingOf(known, links),
    row: row === undefined ? undefined : 'run' in row ? row.run : row.skip,
    ...jobFacts(slot, known),
    ...keptFacts(past?.kept, now),
  };
  const comingAt = trigger?.next(now);
  return { known, slot, row, links, verdict: whySlot(facts), facts, previousAt, nextAt, comingAt, timezone };
}

/** How far what it follows is; undefined of a job with a clock. */
function standingOf({ schedule }: KnownJob, links: readonly SlotLink[]): SlotFacts['follows'] {
  if (schedule === undefined || afterOf(schedule) === undefined) return undefined;
  // Nobody follows a replay.
  const runs = links.flatMap(({ row, depth }) =>
    row !== undefined && 'run' in row && row.run.cause !== 'replay'
      ? [{ depth, isOver: row.run.state === 'finished' }]
      : [],
  );
  if (runs.some(({ isOver }) => !isOver)) return 'open';
  return runs.some(({ depth }) => depth === 1) ? 'over' : 'nothing';
}

function jobFacts(slot: Instant, { id, job, schedule, place, pause, daemon }: KnownJob) {
  return {
    isInFile: schedule !== undefined,
    jitter: jitterOf(id, slot, schedule?.jitter ?? 0),
    enabled: job?.enabled ?? true,
    paused: isPausedAt(slot, pause),
    decidedTo: place?.from,
    isSameSchedule: schedule !== undefined && place?.schedule === fingerprint(schedule),
    daemon: daemonState(daemon),
  };
}

/** How far back the history of the job can be trusted to be whole. */
function keptFacts(kept: Kept | undefined, now: Instant): Pick<SlotFacts, 'oldest' | 'prunedTo'> {
  const isFull = kept !== undefined && Math.max(kept.runs, kept.skips) >= USUAL_KEEP;
  const byCount = isFull ? (kept.oldestRun ?? 0) - 1 : Number.NEGATIVE_INFINITY;
  return { oldest: kept?.oldest, prunedTo: Math.max(now - USUAL_MAX_AGE, byCount) };
}

function isPausedAt(slot: Instant, pause: Pause | undefined): boolean {
  return pause !== undefined && slot >= pause.since && slot < (pause.until ?? Number.POSITIVE_INFINITY);
}

function daemonState(daemon: KnownJob['daemon']): SlotFacts['daemon'] {
  if (daemon === undefined) return 'down';
  return daemon === 'unknown' ? 'well' : daemon.store.kind;
}
