/** Jobs as they are told to those who ask. */
import type { JobStatus } from '../engine/engine.ts';
import type { JobState, JobView, NextTime, Standing } from '../engine/ports-operator.ts';
import type { Store } from '../engine/ports.ts';
import type { Instant, RunRecord } from '../model.ts';
import { slotNote } from '../schedule/notes.ts';
import { compileSchedule } from '../schedule/trigger.ts';
import type { JobHistory } from '../store/history.ts';
import type { Wording } from './wording.ts';

export function stateOf({ state, nextSlot, definition }: JobStatus): JobState {
  if (state !== 'enabled') return state;
  const comesUnseen = definition.schedule.triggers.some(({ kind }) => kind === 'startup' || kind === 'after');
  return nextSlot !== undefined || comesUnseen ? 'scheduled' : 'ended';
}

/** What else is known of a job. */
interface Seen {
  readonly known: JobHistory | undefined;
  /** The newest state of a run that history may not have yet. */
  readonly fresh: (run: RunRecord) => RunRecord;
  readonly isAdded: boolean;
}

export function viewOf(job: JobStatus, wording: Wording, { known, fresh, isAdded }: Seen): JobView {
  const { definition, nextSlot, pause, fault, active, waiting, waitsFor } = job;
  const last = newest(known?.last, active);
  return {
    definition,
    origin: isAdded ? 'added' : 'file',
    schedule: wording.asWritten(definition.schedule),
    scheduleInWords: wording.inWords(definition.schedule, definition.id),
    state: stateOf(job),
    nextAt: nextSlot,
    pause,
    fault,
    active,
    waiting,
    waitsFor,
    last: last === undefined ? undefined : fresh(last),
    recent: known?.outcomes ?? [],
    recentDurations: known?.durations ?? [],
  };
}

function newest(last: RunRecord | undefined, active: readonly RunRecord[]): RunRecord | undefined {
  const newer = active.findLast(({ id }) => last === undefined || id > last.id);
  return newer ?? last;
}

/** The next scheduled times: none of a job that is disabled or cannot be scheduled. */
export function nextTimesOf(
  { definition, fault }: JobStatus,
  wording: Wording,
  { after, count }: { after: Instant; count: number },
): readonly NextTime[] {
  const { id, schedule, enabled } = definition;
  const times: NextTime[] = [];
  if (!enabled || fault !== undefined) return times;
  const trigger = compileSchedule(schedule, id);
  for (let at = trigger.next(after); at !== undefined && times.length < count; at = trigger.next(at)) {
    times.push({
      at,
      local: wording.local(at, schedule.timezone),
      note: slotNote(schedule, at, id),
    });
  }
  return times;
}

/** Every job as it stands, without its history. */
export function* standingOf(
  all: Iterable<JobStatus>,
  store: Pick<Store, 'previousSuccess'>,
): Generator<Standing> {
  for (const job of all) {
    const { id } = job.definition;
    yield {
      jobId: id,
      state: stateOf(job),
      nextAt: job.nextSlot,
      active: job.active.length,
      waiting: job.waiting,
      lastSuccessAt: store.previousSuccess(id),
    };
  }
}
