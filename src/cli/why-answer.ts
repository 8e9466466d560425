/** What is known of a slot, gathered from the job file, the history and the daemon; what follows from it is decided elsewhere. */
import type { HistoryRow } from '../engine/ports.ts';
import type { Instant, JobDefinition, JobId, Pause, Place, Schedule } from '../model.ts';
import { fingerprint, scheduleOf } from '../schedule/fingerprint.ts';
import { jitterOf } from '../schedule/jitter.ts';
import { slotUpTo } from '../schedule/previous.ts';
import type { Trigger } from '../schedule/trigger.ts';
import { whySlot, type SlotFacts, type SlotVerdict } from '../schedule/why.ts';
import type { DaemonInfo } from '../store/daemon-file.ts';
import { USUAL_KEEP, USUAL_MAX_AGE, type HistoryReader, type Kept } from '../store/history.ts';
import { Failure } from './exit.ts';
import { findJobFile } from './find-file.ts';
import { loadJobs } from './job-file.ts';
import { assertKnown } from './known-job.ts';
import { newestDaemon, runningDaemon } from './past.ts';
import type { Session } from './session.ts';

export interface WhyOptions {
  readonly file?: string;
  readonly stateDir?: string;
  readonly tz?: string;
  readonly json?: boolean;
}

/** What is known of the job, from the job file and the history. */
export interface Known {
  readonly id: JobId;
  /** Undefined when the job file cannot be read, or has no such job. */
  readonly job: JobDefinition | undefined;
  readonly schedule: Schedule | undefined;
  readonly place: Place | undefined;
  readonly pause: Pause | undefined;
  readonly daemon: DaemonInfo | 'unknown' | undefined;
}

/** The answer for one slot, as it is shown. */
export interface Answer {
  readonly known: Known;
  readonly slot: Instant;
  readonly row: HistoryRow | undefined;
  readonly verdict: SlotVerdict;
  readonly facts: SlotFacts;
  readonly previousAt: Instant | undefined;
  readonly nextAt: Instant | undefined;
  readonly timezone: string;
}

interface Origins {
  readonly history: HistoryReader | undefined;
  readonly state: string;
  readonly options: WhyOptions;
  readonly session: Session;
}

/** @throws Failure when the id is unknown, or neither the job file nor the history says what the job's schedule is */
export async function gather(id: JobId, { history, state, options, session }: Origins): Promise<Known> {
  const daemon = runningDaemon(state);
  const place = history?.place(id);
  const stored = place === undefined ? undefined : scheduleOf(place.schedule);
  const job = await definitionOf(id, { file: options.file ?? usualFile(state), stored, session });
  if (job === undefined) await assertKnown(id, { history, file: options.file, session });
  return { id, job, schedule: job?.schedule ?? stored, place, pause: history?.pauses().get(id), daemon };
}

/** The newest daemon's, where there is none in the usual places. */
function usualFile(state: string): string | undefined {
  try {
    return findJobFile(undefined);
  } catch (error) {
    const file = newestDaemon(state)?.file;
    if (file === undefined) throw error;
    return file;
  }
}

/** A file that is broken just now is no reason not to answer: the history knows the schedule too. */
async function definitionOf(
  id: JobId,
  { file, stored, session }: { file: string | undefined; stored: Schedule | undefined; session: Session },
): Promise<JobDefinition | undefined> {
  try {
    const { jobs } = await loadJobs(file, session);
    return jobs.find((job) => job.id === id);
  } catch (error) {
    if (!(error instanceof Failure) || stored === undefined) throw error;
    session.err(`tsched: ${error.message}; answering by what the newest daemon knew\n`);
    return undefined;
  }
}

interface Around {
  readonly trigger: Trigger | undefined;
  readonly history: HistoryReader | undefined;
  readonly session: Session;
  readonly timezone: string;
}

/** What is to be said of one slot. */
export function answerFor(
  slot: Instant,
  known: Known,
  { trigger, history, session, timezone }: Around,
): Answer {
  const row = history?.slot(known.id, slot);
  const isSlot = trigger?.next(slot - 1) === slot;
  const previousAt = trigger === undefined ? undefined : slotUpTo(trigger, slot - 1);
  const nextAt = trigger?.next(slot);
  const facts: SlotFacts = {
    slot,
    now: session.now,
    isSlot: isSlot || previousAt !== undefined || nextAt !== undefined ? isSlot : 'none',
    row: row === undefined ? undefined : 'run' in row ? row.run : row.skip,
    ...jobFacts(slot, known),
    ...keptFacts(history?.kept(known.id), session.now),
  };
  return { known, slot, row, verdict: whySlot(facts), facts, previousAt, nextAt, timezone };
}

function jobFacts(slot: Instant, { id, job, schedule, place, pause, daemon }: Known) {
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

function daemonState(daemon: Known['daemon']): SlotFacts['daemon'] {
  if (daemon === undefined) return 'down';
  return daemon === 'unknown' ? 'well' : daemon.store.kind;
}
