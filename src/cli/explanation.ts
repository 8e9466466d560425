import type { Explanation } from '../engine/ports-operator.ts';
import type { Instant, Schedule } from '../model.ts';
import { readCron, type Problem } from '../schedule/cron.ts';
import type { CronFields } from '../schedule/cron-fields.ts';
import { clockChangeNote } from '../schedule/notes.ts';
import { compileSchedule } from '../schedule/trigger.ts';
import { localIso } from '../observe/when.ts';
import { cronInWords } from './words.ts';

export interface Question {
  readonly expression: string;
  readonly timezone: string;
  readonly count: number;
  /** The job id that H is drawn from. */
  readonly id: string;
}

/** A cron expression in words, its traps and its next times after `now`; or what is wrong with it. */
export function explanationOf(
  { expression, timezone, count, id }: Question,
  now: Instant,
): Explanation | { readonly errors: readonly Problem[] } {
  const { errors, warnings, fields } = readCron(expression, id);
  if (fields === undefined) return { errors };
  const schedule: Schedule = {
    triggers: [{ kind: 'cron', expressions: [expression] }],
    timezone,
    dst: {},
    jitter: 0,
  };
  const times = soonest(schedule, { id, after: now, count }).map((at) => ({
    at,
    local: localIso(at, timezone),
    note: clockChangeNote(schedule, at, id),
  }));
  const traps = [...warnings.map(inOneLine), ...trapsOf(fields)];
  return { expression, words: cronInWords(expression, id), timezone, warnings: traps, times };
}

function soonest(schedule: Schedule, from: { id: string; after: Instant; count: number }): Instant[] {
  const trigger = compileSchedule(schedule, from.id);
  const times: Instant[] = [];
  let at = trigger.next(from.after);
  while (at !== undefined && times.length < from.count) {
    times.push(at);
    at = trigger.next(at);
  }
  return times;
}

function inOneLine({ message, hint }: Problem): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

/** What surprises people though it is right. */
function trapsOf(fields: CronFields): string[] {
  const traps: string[] = [];
  const uneven = unevenStep(fields.minutes, 60);
  if (uneven !== undefined) {
    traps.push(
      `every ${uneven} minutes does not divide the hour: the last step of each hour is shorter; for equal steps write every: ${uneven}m`,
    );
  }
  const unevenHours = unevenStep(fields.hours, 24);
  if (unevenHours !== undefined) {
    traps.push(
      `every ${unevenHours} hours does not divide the day: the last step of each day is shorter; for equal steps write every: ${unevenHours}h`,
    );
  }
  const only =
    fields.daysRestricted && !fields.weekdaysRestricted && !fields.lastDay ? Math.min(...fields.days) : 0;
  if (only > 28 && fields.months.length > 1) {
    traps.push(`months without a day ${only} are left out; for the last day of each month write L`);
  }
  return traps;
}

/** The step of values that start at 0 and go on evenly, where it does not divide the whole. */
function unevenStep(values: readonly number[], whole: number): number | undefined {
  const [first, second] = values;
  if (first !== 0 || second === undefined || values.length < 3) return undefined;
  const even = values.every((value, index) => value === index * second);
  return even && whole % second !== 0 && values.length === Math.ceil(whole / second) ? second : undefined;
}
