/** Schedules in words. The only file that knows cronstrue. */
import type Cronstrue from 'cronstrue';
import type { DayRule } from '../calendar.ts';
import type { AfterTrigger } from '../chain.ts';
import type { Instant, JobId, Schedule, TriggerDefinition } from '../model.ts';
import { readCron, usesHash } from '../schedule/cron.ts';
import type { CronFields } from '../schedule/cron-fields.ts';
import { formatDuration } from '../schedule/duration.ts';
import { plainWords } from './plain-words.ts';

/** e.g. `At 09:30, Monday through Friday`, `Every 30m`, `Once, at Sat 2027-01-31 02:00`. Points in time by `time`. */
export function scheduleInWords(
  schedule: Schedule,
  jobId: JobId,
  time: (instant: Instant) => string,
): string {
  const words = schedule.triggers.map((trigger) => triggerInWords(trigger, jobId, time)).join('; ');
  return words === '' ? 'Only when asked for' : `${words}${daysInWords(schedule.days)}`;
}

/** e.g. `, only on workdays, not on holidays (moved to the next such day)`; empty without calendars. */
function daysInWords(days: DayRule | undefined): string {
  if (days === undefined) return '';
  const { only, exclude, roll } = days;
  const names = (list: DayRule['only'], word: string): string =>
    (list ?? []).map(({ name }) => name).join(word);
  const moved = { skip: '', previous: ' (else the day before)', next: ' (else the day after)' }[roll];
  return `${only === undefined ? '' : `, only on ${names(only, ' or ')}`}${exclude === undefined ? '' : `, not on ${names(exclude, ' or ')}`}${moved}`;
}

/** As the job file has it: `30 9 * * 1-5`, `every 30m`. */
export function scheduleAsWritten(schedule: Schedule, time: (instant: Instant) => string): string {
  return schedule.triggers
    .flatMap((trigger) => {
      if (trigger.kind === 'cron') return trigger.expressions;
      if (trigger.kind === 'every') return [`every ${formatDuration(trigger.period)}`];
      if (trigger.kind === 'at') return trigger.instants.map((instant) => `at ${time(instant)}`);
      if (trigger.kind === 'after') return [afterAsWritten(trigger)];
      return [`startup ${trigger.when}`];
    })
    .join('; ');
}

function triggerInWords(
  trigger: TriggerDefinition,
  jobId: JobId,
  time: (instant: Instant) => string,
): string {
  switch (trigger.kind) {
    case 'cron':
      return trigger.expressions.map((expression) => cronInWords(expression, jobId)).join('; ');
    case 'every':
      return `Every ${formatDuration(trigger.period)}`;
    case 'at':
      return `Once, at ${trigger.instants.map(time).join(' and ')}`;
    case 'startup':
      return trigger.when === 'boot' ? 'Once after each boot' : 'At each start of tsched';
    case 'after':
      return afterInWords(trigger);
  }
}

function afterAsWritten({ jobs, on, when }: AfterTrigger): string {
  const kind = on === 'success' ? '' : ` (${on})`;
  return `after ${when === 'any' && jobs.length > 1 ? 'any of ' : ''}${jobs.join(', ')}${kind}`;
}

/** e.g. `After a, b have all succeeded`. */
export function afterInWords({ jobs, on, when }: AfterTrigger): string {
  const [first = '', ...others] = jobs;
  const ends = { success: 'succeeded', failure: 'failed', finish: 'ended' }[on];
  if (others.length === 0) return `After ${first} has ${ends}`;
  const names = jobs.join(', ');
  return when === 'all' ? `After ${names} have all ${ends}` : `After the first of ${names} has ${ends}`;
}

/** A cron expression in words; the expression itself where there are none for it. */
export function cronInWords(expression: string, jobId: JobId): string {
  const { fields } = readCron(expression, jobId);
  if (fields === undefined) return expression;
  const known = !expression.trim().startsWith('@') && !usesHash(expression);
  const text = known ? expression.trim().toUpperCase() : plainExpression(fields);
  const words = plainWords(text) ?? describe(text);
  if (words === undefined) return expression.trim();
  // "on day 13 of the month, and on Friday" reads as if both were needed.
  return fields.daysRestricted && fields.weekdaysRestricted ? `${words} (either one)` : words;
}

let library: typeof Cronstrue | undefined;

function describe(expression: string): string | undefined {
  try {
    library ??= process.getBuiltinModule('node:module').createRequire(import.meta.url)(
      'cronstrue',
    ) as typeof Cronstrue;
    return library.toString(expression, { use24HourTimeFormat: true });
  } catch {
    return undefined; // it knows fewer forms than we do
  }
}

/** What nicknames and H come to, in the plain form cronstrue knows. */
function plainExpression(fields: CronFields): string {
  const second = plainField(fields.seconds, 0, 59);
  const five = [
    plainField(fields.minutes, 0, 59),
    plainField(fields.hours, 0, 23),
    fields.lastDay ? 'L' : plainField(fields.days, 1, 31),
    plainField(fields.months, 1, 12),
    fields.weekdaysRestricted ? plainField(fields.weekdays, 0, 6) : '*',
  ];
  return [...(second === '0' ? [] : [second]), ...five].join(' ');
}

function plainField(values: readonly number[], least: number, most: number): string {
  const [first = least, second = first] = values;
  if (values.length === most - least + 1) return '*';
  const step = second - first;
  const even = values.length > 2 && values.every((value, index) => value === first + index * step);
  if (!even) return values.join(',');
  const last = values.at(-1) ?? first;
  if (step === 1) return `${first}-${last}`;
  return first === least && last + step > most ? `*/${step}` : `${first}-${last}/${step}`;
}
