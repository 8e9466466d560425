import type { Instant, JobDefinition, Schedule } from '../model.ts';
import { printable, printableJson } from '../observe/text.ts';
import { afterOf } from '../schedule/follow.ts';
import { jitterOf } from '../schedule/jitter.ts';
import { DueQueue } from '../schedule/due-queue.ts';
import { slotNote } from '../schedule/notes.ts';
import { compileSchedule } from '../schedule/trigger.ts';
import { formatDuration } from '../schedule/duration.ts';
import { jobOf } from './job-file.ts';
import { loadMeant } from './meant-file.ts';
import type { Session } from './session.ts';
import { table } from './table.ts';
import { fromNow, localDateTime, localIso, rfc3339 } from '../observe/when.ts';
import { scheduleAsWritten, scheduleInWords } from './words.ts';
import { momentOf } from './zones.ts';

export interface NextOptions {
  readonly file?: string;
  readonly stateDir?: string;
  readonly tz?: string;
  readonly json?: boolean;
  readonly count: number;
  /** A point in time as people write it; that very moment counts too. */
  readonly from?: string;
}

interface Slot {
  readonly job: JobDefinition;
  readonly at: Instant;
}

/** The coming slots of one job, or of all enabled jobs together. */
export async function next(id: string | undefined, options: NextOptions, session: Session): Promise<void> {
  const file = await loadMeant(options, session);
  const jobs = id === undefined ? file.jobs.filter((job) => job.enabled) : [jobOf(id, file)];
  // A time without an offset is local where the times are shown.
  const zone = options.tz ?? (id === undefined ? file.timezone : jobs[0]?.schedule.timezone) ?? file.timezone;
  const after = options.from === undefined ? session.now : momentOf(options.from, zone, '--from') - 1;
  const slots = soonest(jobs, after, options.count);

  if (options.json === true) session.out(asJson(slots, options.tz));
  else if (id === undefined) session.out(together(slots, options.tz, session));
  else session.out(jobs.map((job) => alone(job, slots, { timezone: options.tz, session })).join(''));
}

/** Those of one instant in the order of the file. Holds no more than it gives: there may be 100,000 jobs. */
function soonest(jobs: readonly JobDefinition[], after: Instant, count: number): Slot[] {
  const due = new DueQueue<{ readonly job: JobDefinition; readonly rank: number }>();
  const arm = (job: JobDefinition, rank: number, after: Instant): void => {
    const at = compileSchedule(job.schedule, job.id).next(after);
    if (at !== undefined) due.push(at, { job, rank }, -rank);
  };
  for (const [rank, job] of jobs.entries()) arm(job, rank, after);
  const slots: Slot[] = [];
  for (let at = due.nextAt(); at !== undefined && slots.length < count; at = due.nextAt()) {
    const first = due.takeDue(at);
    if (first === undefined) break;
    slots.push({ job: first.job, at });
    arm(first.job, first.rank, at);
  }
  return slots;
}

function noteOf({ job, at }: Slot): string | undefined {
  const { jitter } = job.schedule;
  const delay =
    jitter > 0 ? `starts ${formatDuration(jitterOf(job.id, at, jitter))} later (jitter)` : undefined;
  const notes = [slotNote(job.schedule, at, job.id), delay].filter((note) => note !== undefined);
  return notes.length === 0 ? undefined : notes.join('; ');
}

function asJson(slots: readonly Slot[], timezone: string | undefined): string {
  const times = slots.map((slot) => ({
    jobId: slot.job.id,
    at: rfc3339(slot.at),
    local: localIso(slot.at, timezone ?? slot.job.schedule.timezone),
    note: noteOf(slot) ?? null,
  }));
  return `${printableJson({ times })}\n`;
}

function together(slots: readonly Slot[], timezone: string | undefined, session: Session): string {
  if (slots.length === 0) return 'No slot will come.\n';
  const rows = slots.map((slot) => {
    const zone = timezone ?? slot.job.schedule.timezone;
    return [
      { text: localDateTime(slot.at, zone) },
      { text: zone, style: 'dim' as const },
      { text: fromNow(slot.at, session.now), style: 'green' as const },
      { text: printable(slot.job.id), style: 'bold' as const },
      { text: noteOf(slot) ?? '', style: 'yellow' as const },
    ];
  });
  return table(['TIME', 'ZONE', 'LEFT', 'ID', ''], rows, session.painter('out'));
}

function alone(
  job: JobDefinition,
  slots: readonly Slot[],
  view: { readonly timezone: string | undefined; readonly session: Session },
): string {
  const paint = view.session.painter('out');
  const zone = view.timezone ?? job.schedule.timezone;
  const time = (instant: Instant): string => localIso(instant, zone).replace('T', ' ');
  const written = printable(scheduleAsWritten(job.schedule, time));
  const words = printable(scheduleInWords(job.schedule, job.id, time));
  const head = `${paint('bold', printable(job.id))}   ${written}   "${words}"   ${zone}${job.enabled ? '' : paint('yellow', '   disabled')}\n`;
  const lines = slots.map((slot) => {
    const note = noteOf(slot);
    return `  ${localDateTime(slot.at, zone)}${note === undefined ? '' : `   ${paint('yellow', note)}`}\n`;
  });
  return `${head}${lines.join('') || `  ${whyNone(job.schedule)}\n`}`;
}

function whyNone(schedule: Schedule): string {
  const after = afterOf(schedule);
  return after === undefined
    ? 'no slot will come'
    : 'it has no times of its own: it runs when those end that it follows';
}
