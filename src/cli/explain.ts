import type { Instant, Schedule } from '../model.ts';
import { printable, printableJson } from '../observe/text.ts';
import { readCron, type Problem } from '../schedule/cron.ts';
import type { CronFields } from '../schedule/cron-fields.ts';
import { clockChangeNote } from '../schedule/notes.ts';
import { compileSchedule } from '../schedule/trigger.ts';
import { exit, Failure } from './exit.ts';
import type { Session } from './session.ts';
import { fromNow, localDateTime, localIso, rfc3339 } from '../observe/when.ts';
import { cronInWords } from './words.ts';

export interface ExplainOptions {
  readonly tz?: string;
  readonly json?: boolean;
  readonly count: number;
  /** The job id that H is drawn from. */
  readonly id?: string;
}

/** A cron expression in words, its traps and its next times. */
export function explain(expression: string, options: ExplainOptions, session: Session): void {
  const id = options.id ?? 'example';
  const timezone = options.tz ?? session.hostTimezone;
  const { errors, warnings, fields } = readCron(expression, id);
  if (fields === undefined) throw refused(expression, errors, session);

  const schedule: Schedule = {
    triggers: [{ kind: 'cron', expressions: [expression] }],
    timezone,
    dst: {},
    jitter: 0,
  };
  const times = soonest(schedule, { id, after: session.now, count: options.count });
  const traps = [...warnings.map(inOneLine), ...trapsOf(fields)];
  const words = cronInWords(expression, id);
  if (options.json === true) {
    const shown = times.map((at) => ({
      at: rfc3339(at),
      local: localIso(at, timezone),
      note: clockChangeNote(schedule, at, id) ?? null,
    }));
    session.out(`${printableJson({ expression, words, timezone, warnings: traps, times: shown })}\n`);
    return;
  }
  const paint = session.painter('out');
  const notes = traps.map((trap) => `  ${paint('yellow', '!')} ${printable(trap)}\n`).join('');
  const lines = times.map((at) => {
    const note = clockChangeNote(schedule, at, id);
    return `  ${localDateTime(at, timezone)}   ${paint('dim', fromNow(at, session.now))}${note === undefined ? '' : `   ${paint('yellow', note)}`}\n`;
  });
  session.out(
    `${paint('bold', printable(words))}\n${notes}Next, in ${timezone}:\n${lines.join('') || '  never\n'}`,
  );
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

/** The expression with a caret under each thing that is wrong. */
function refused(expression: string, errors: readonly Problem[], session: Session): Failure {
  const paint = session.painter('err');
  for (const { message, hint, at = 0, length = expression.length } of errors) {
    const before = printable(expression.slice(0, at)).length;
    const caret = `${' '.repeat(before)}${'^'.repeat(Math.max(1, printable(expression.slice(at, at + length)).length))}`;
    session.err(
      `${paint('red', 'error')}: ${printable(message)}\n  ${printable(expression)}\n  ${paint('red', caret)}`,
    );
    session.err(`${hint === undefined ? '' : ` ${printable(hint)}`}\n`);
  }
  return new Failure(exit.usage, `"${printable(expression)}" is not a cron expression`);
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
