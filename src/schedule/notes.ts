import type { Instant, JobId, Schedule } from '../model.ts';
import { dateOf, localDay, type DayRefusal } from './calendar.ts';
import type { CronTrigger } from './cron-trigger.ts';
import { compileSchedule, cronTrigger } from './trigger.ts';
import type { Span } from './zone.ts';
import { LATEST, zoneOf } from './zone.ts';

/** What clock changes and calendars did to one instant of a schedule; undefined where neither did anything. */
export function slotNote(schedule: Schedule, at: Instant, jobId: JobId = ''): string | undefined {
  const change = clockChangeNote(schedule, at, jobId);
  const rolled = rollNote(schedule, at, jobId);
  return change === undefined || rolled === undefined ? (change ?? rolled) : `${rolled}; ${change}`;
}

function rollNote(schedule: Schedule, at: Instant, jobId: JobId): string | undefined {
  if (schedule.days === undefined) return undefined;
  const rolled = compileSchedule(schedule, jobId).days?.rolledFrom(at);
  if (rolled === undefined) return undefined;
  const { from, refusal } = rolled;
  const date = dateOf(localDay(from, zoneOf(schedule.timezone).at(from).offset));
  return `moved from ${date}: ${refusalInWords(refusal)}`;
}

/** Why a day is not allowed, to stand after a colon. */
export function refusalInWords(refusal: DayRefusal): string {
  if (refusal.by === 'exclude') return `${refusal.calendar} excludes it (${refusal.entry})`;
  return `it is not in ${refusal.calendars.join(' or ')}`;
}

/**
 * What a clock change did to one instant of a schedule, e.g. `clocks go back at 03:00; the second 02:30 is not used`;
 * undefined where none touched it. Only cron expressions are moved by clock changes.
 *
 * @param jobId as given to `compileSchedule`; it matters only where H is used
 */
export function clockChangeNote(schedule: Schedule, at: Instant, jobId: JobId = ''): string | undefined {
  for (const definition of schedule.triggers) {
    if (definition.kind !== 'cron') continue;
    for (const expression of definition.expressions) {
      const note = noteOf(cronTrigger(expression, schedule, jobId), at);
      if (note !== undefined) return note;
    }
  }
  return undefined;
}

function noteOf(trigger: CronTrigger, at: Instant): string | undefined {
  if (trigger.next(at - 1) !== at) return undefined;
  const span = trigger.zone.at(at);
  const following = span.until > LATEST ? span : trigger.zone.at(span.until);
  return noteBefore(trigger, following, at) ?? noteAfter(trigger, span, at);
}

/** The instant's reading is about to come again. */
function noteBefore(trigger: CronTrigger, change: Span, at: Instant): string | undefined {
  const size = change.before - change.offset;
  if (size <= 0 || at >= change.changedAt || at < change.changedAt - size) return undefined;
  const reading = clock(at + change.before);
  const back = `clocks go back at ${clock(change.changedAt + change.before)}`;
  return trigger.rule.overlap === 'first'
    ? `${back}; the second ${reading} is not used`
    : `${back}; this is the first of two ${reading}`;
}

function noteAfter(trigger: CronTrigger, change: Span, at: Instant): string | undefined {
  const { changedAt, before, offset, settled } = change;
  if (offset < before && at < settled) {
    return `clocks went back at ${clock(changedAt + before)}; this is the second ${clock(at + offset)}`;
  }
  if (offset <= before) return undefined;
  const from = onDay(changedAt + before, changedAt + offset);
  const forward = `clocks go forward from ${from} to ${clock(changedAt + offset)}`;
  const lost = at + before;
  if (trigger.rule.gap === 'run_after') {
    if (at >= settled || trigger.walk.after(lost - 1) !== lost) return undefined;
    return `${forward}; ${onDay(lost, at + offset)} does not exist, so it runs at ${clock(at + offset)}`;
  }
  const firstLost = trigger.walk.after(changedAt + before - 1);
  if (firstLost >= changedAt + offset || trigger.next(changedAt - 1) !== at) return undefined;
  return `${forward}; ${onDay(firstLost, at + offset)} does not exist and is left out`;
}

/** A nominal time as HH:MM, with seconds where there are any. */
function clock(nominal: number): string {
  const text = new Date(nominal).toISOString().slice(11, 19);
  return text.endsWith(':00') ? text.slice(0, 5) : text;
}

/** With its date, when that is not the date of the time beside it. */
function onDay(nominal: number, beside: number): string {
  const date = new Date(nominal).toISOString().slice(0, 10);
  return date === new Date(beside).toISOString().slice(0, 10) ? clock(nominal) : `${date} ${clock(nominal)}`;
}
