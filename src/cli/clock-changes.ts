/** Slots of the coming year that a clock change touches. */
import type { Duration, Instant, JobDefinition } from '../model.ts';
import { printable } from '../observe/text.ts';
import { clockChangeNote } from '../schedule/notes.ts';
import { compileSchedule } from '../schedule/trigger.ts';
import { zoneOf } from '../schedule/zone.ts';
import { localDateTime } from '../observe/when.ts';

const DAY: Duration = 86_400_000;
const YEAR: Duration = 366 * DAY;
/** Slots looked at around one clock change: enough for one a minute on the days beside it. */
const MOST_SLOTS = 4000;
/** Jobs told of; a thousand lines that say the same help nobody. */
const MOST_LINES = 20;

/** One line for each job and clock change; every-hour schedules, which take each change in their stride, have none. */
export function clockChangesAhead(jobs: readonly JobDefinition[], now: Instant): string[] {
  const changes = new Map<string, readonly Instant[]>();
  const lines: string[] = [];
  for (const job of jobs) {
    const { timezone, triggers } = job.schedule;
    if (!job.enabled || triggers.every((trigger) => trigger.kind !== 'cron')) continue;
    const known = changes.get(timezone) ?? changesOf(timezone, now);
    changes.set(timezone, known);
    lines.push(...known.flatMap((change) => touchedBy(job, change)));
    if (lines.length > MOST_LINES) return [...lines.slice(0, MOST_LINES), '… and more: see tsched next <id>'];
  }
  return lines;
}

function changesOf(timezone: string, now: Instant): readonly Instant[] {
  const zone = zoneOf(timezone);
  const found: Instant[] = [];
  for (let span = zone.at(now); span.until < now + YEAR;) {
    const after = zone.at(span.until);
    if (after.offset !== span.offset) found.push(span.until);
    span = after;
  }
  return found;
}

function touchedBy(job: JobDefinition, change: Instant): string[] {
  const trigger = compileSchedule(job.schedule, job.id);
  const { timezone } = job.schedule;
  let at = trigger.next(change - DAY);
  for (let looked = 0; at !== undefined && at < change + DAY && looked < MOST_SLOTS; looked += 1) {
    const note = clockChangeNote(job.schedule, at, job.id);
    if (note !== undefined)
      return [`${printable(job.id)}: ${localDateTime(at, timezone)} ${timezone}: ${note}`];
    at = trigger.next(at);
  }
  return [];
}
