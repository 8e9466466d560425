/**
 * The front door of cron expressions: reads 5 or 6 fields, refuses what no one can mean, and says what to write.
 * cron-parser alone accepts the empty string, one to four fields and steps wider than their field.
 */
import type { JobId } from '../model.ts';
import type { FieldReading, Findings } from './cron-field.ts';
import { readField } from './cron-field.ts';
import type { CronFields, FieldRule } from './cron-fields.ts';
import { DAY, HOUR, LONGEST, MINUTE, MONTH, SECOND, WEEKDAY } from './cron-fields.ts';
import { parseByLibrary } from './cron-parser.ts';
import type { Problem } from './problem.ts';
import { suggest } from './suggest.ts';

export type { Problem } from './problem.ts';

const RULES = [SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY];
/** cron-parser's own limit; naming every value of every field takes half of it. */
const MAX_LENGTH = 1024;

const NICKNAMES: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
  '@minutely': '* * * * *',
  '@secondly': '* * * * * *',
  '@weekdays': '0 0 * * 1-5',
  '@weekends': '0 0 * * 0,6',
};

const EMPTY: Problem = {
  message: 'the cron expression is empty',
  hint: 'write 5 fields: minute, hour, day of month, month, day of week, e.g. "30 2 * * *"',
};

/** Errors, warnings, and the fields when there are no errors. */
export interface CronReading {
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly fields: CronFields | undefined;
}

/**
 * All that is wrong or odd with an expression.
 * @param jobId seeds H
 */
export function checkCron(expression: string, jobId: JobId): { errors: Problem[]; warnings: Problem[] } {
  const { errors, warnings } = readCron(expression, jobId);
  return { errors: [...errors], warnings: [...warnings] };
}

/** Whether the expression's times depend on the job's id. */
export function usesHash(expression: string): boolean {
  if (!expression.includes('H') && !expression.includes('h')) return false;
  // THU and MARCH hold an H too; a false "yes" only costs sharing.
  return /H/i.test(expression.replaceAll(/THU/gi, ''));
}

/** Readings by expression and, where it counts, job: each is asked for several times, and many jobs share one. */
const known = new Map<string, CronReading>();
const MOST_KNOWN = 10_000;

export function readCron(expression: string, jobId: JobId): CronReading {
  const key = usesHash(expression) ? `${expression}\n${jobId}` : expression;
  const before = known.get(key);
  if (before !== undefined) return before;
  const findings: Findings = { errors: [], warnings: [] };
  const fields = readExpression(expression, jobId, findings);
  const reading = { ...findings, fields: findings.errors.length === 0 ? fields : undefined };
  if (known.size < MOST_KNOWN) known.set(key, reading);
  return reading;
}

function readExpression(expression: string, jobId: JobId, findings: Findings): CronFields | undefined {
  const words = [...expression.matchAll(/\S+/g)].map((match) => ({ text: match[0], at: match.index }));
  const first = words[0];
  if (first?.text.startsWith('@') === true) {
    const meaning = NICKNAMES[expression.trim().toLowerCase()];
    if (meaning !== undefined) return readExpression(meaning, jobId, findings);
    findings.errors.push(refuseNickname(expression.trim()));
    return undefined;
  }
  const refusal = first === undefined ? EMPTY : refuseShape(expression, words);
  if (refusal !== undefined) {
    findings.errors.push(refusal);
    return undefined;
  }
  const sources = words.length === 5 ? [{ text: '0', at: 0 }, ...words] : words;
  const readings = RULES.map((rule, i) => readField(rule, sources[i] ?? { text: '', at: 0 }, findings));
  if (!readings.every((reading) => reading !== undefined)) return undefined;
  const fields = toFields(readings, jobId, findings);
  if (fields !== undefined) checkDays(fields, readings, findings);
  return fields;
}

function refuseShape(
  expression: string,
  words: readonly { text: string; at: number }[],
): Problem | undefined {
  const first = words[0]?.text ?? '';
  const zone = /^(?:CRON_)?TZ=(.*)$/.exec(first);
  if (zone)
    return {
      message: `a cron expression cannot hold "${first}"`,
      hint: `write \`timezone: ${zone[1]}\` beside it`,
      at: words[0]?.at ?? 0,
      length: first.length,
    };
  if (expression.length > MAX_LENGTH)
    return {
      message: `the cron expression is ${expression.length} characters long, at most ${MAX_LENGTH} are read`,
    };
  if (words.length === 5 || words.length === 6) return undefined;
  const message = `expected 5 fields (or 6 with seconds first), got ${words.length}`;
  if (words.length < 5) return { message, hint: shortHint(words.map((word) => word.text)) };
  const year = words[6];
  if (words.length === 7 && year !== undefined && /^[\d*,/-]+$/.test(year.text)) {
    return {
      message: `${message}: there is no year field`,
      hint: 'leave the year away and use `start:` and `end:`, or `at:` for a single time',
      at: year.at,
      length: year.text.length,
    };
  }
  return {
    message,
    hint: 'the order is [second] minute hour day-of-month month day-of-week; the command belongs under `run:`',
  };
}

function shortHint(words: readonly string[]): string {
  const filled = [...words, ...Array.from({ length: 5 - words.length }, () => '*')].join(' ');
  return `write all of: minute, hour, day of month, month, day of week, e.g. "${filled}"`;
}

function refuseNickname(text: string): Problem {
  const [name = '', ...rest] = text.toLowerCase().split(/\s+/);
  if (name === '@reboot')
    return { message: '"@reboot" is not a time', hint: 'write `startup: boot` in place of cron' };
  if (name === '@every')
    return {
      message: '"@every" is not a cron expression',
      hint: `write \`every: ${rest.join('') || '5m'}\` in place of cron`,
    };
  const near = suggest(text, Object.keys(NICKNAMES));
  const hint =
    near === undefined ? `write one of ${Object.keys(NICKNAMES).join(' ')}` : `did you mean ${near}?`;
  return { message: `unknown nickname "${text}"`, hint };
}

function toFields(
  readings: readonly FieldReading[],
  jobId: JobId,
  findings: Findings,
): CronFields | undefined {
  if (readings.every((reading) => reading.values !== undefined)) return plainFields(readings);
  // cron-parser refuses a value named twice: give it what was read where that is plain.
  const text = readings
    .map((field) => (field.wildcard ? '*' : (field.values?.join(',') ?? field.text)))
    .join(' ');
  try {
    return parseByLibrary(text, jobId);
  } catch (error) {
    findings.errors.push(libraryRefusal(error, readings));
    return undefined;
  }
}

/** The library's own words where it refuses what passed so far: e.g. a random list that names a value twice. */
function libraryRefusal(error: unknown, readings: readonly FieldReading[]): Problem {
  const words = error instanceof Error ? error.message : String(error);
  if (words.includes('explicit day of month')) return refuseDays(readings);
  return { message: `the cron expression cannot be read: ${words}` };
}

function plainFields(readings: readonly FieldReading[]): CronFields {
  const [second, minute, hour, day, month, weekday] = readings;
  return {
    seconds: second?.values ?? [],
    minutes: minute?.values ?? [],
    hours: hour?.values ?? [],
    days: day?.values ?? [],
    months: month?.values ?? [],
    weekdays: weekday?.values ?? [],
    lastDay: false,
    nth: 0,
    lastWeekdays: [],
    daysRestricted: day?.wildcard === false,
    weekdaysRestricted: weekday?.wildcard === false,
  };
}

/** What only the day fields together can tell. */
function checkDays(fields: CronFields, readings: readonly FieldReading[], findings: Findings): void {
  const { daysRestricted, weekdaysRestricted, months } = fields;
  if (!daysRestricted && fields.nth === 0) return;
  const where = placeOf(readings, DAY);
  const onlyFebruary = months.every((month) => month === 2);
  const first = fields.lastDay ? 1 : Math.min(...fields.days);
  if (daysRestricted && weekdaysRestricted) {
    const message = 'day of month and day of week are both set: the job runs when either matches';
    findings.warnings.push({ message, hint: 'write * in one of them if only the other is meant', ...where });
  } else if (daysRestricted && first > longestOf(months)) {
    findings.errors.push(refuseDays(readings));
  } else if (daysRestricted && onlyFebruary && first === 29) {
    const hint = 'write L for the last day of February';
    findings.warnings.push({ message: '29 February comes only in leap years', hint, ...where });
  } else if (weekdaysRestricted && onlyFebruary && fields.nth === 5) {
    const message = 'February has five of one weekday only in leap years, once in 28 years for each';
    const hint = 'write MON#1 to #4, or MONL for the last';
    findings.warnings.push({ message, hint, ...placeOf(readings, WEEKDAY) });
  }
}

function refuseDays(readings: readonly FieldReading[]): Problem {
  const text = (rule: FieldRule): string => readings.find((reading) => reading.rule === rule)?.text ?? '';
  const months = readings.find((reading) => reading.rule === MONTH)?.values ?? [];
  const message = `the day of month field asks for day ${text(DAY)}, which month ${text(MONTH)} never has`;
  return {
    message,
    hint: `write a day up to ${longestOf(months)}, or L for the last`,
    ...placeOf(readings, DAY),
  };
}

function longestOf(months: readonly number[]): number {
  return Math.max(...months.map((month) => LONGEST[month - 1] ?? 31));
}

function placeOf(readings: readonly FieldReading[], rule: FieldRule): { at: number; length: number } {
  const field = readings.find((reading) => reading.rule === rule);
  return { at: field?.at ?? 0, length: field?.text.length ?? 1 };
}
