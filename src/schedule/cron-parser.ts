/**
 * The one place that knows cron-parser. It reads the forms the front door leaves to it: L, # and H.
 *
 * It is loaded when the first such expression is met, since the load alone (luxon with it) takes as long as a whole
 * `tsched list`. The load has to be synchronous: a trigger is compiled in one call. It is always asked in UTC and only
 * for its fields: in zones with clock changes its own `next()` depends on when it is asked.
 */
import type * as CronParser from 'cron-parser';
import type { JobId } from '../model.ts';
import type { CronFields } from './cron-fields.ts';

let library: typeof CronParser | undefined;

function load(): typeof CronParser {
  library ??= process.getBuiltinModule('node:module').createRequire(import.meta.url)(
    'cron-parser',
  ) as typeof CronParser;
  return library;
}

const isNumber = (value: unknown): value is number => typeof value === 'number';

/**
 * @param expression six fields, upper case, already through the front door
 * @param jobId seeds H, so that a job keeps its minute through reloads and on every host
 * @throws Error in cron-parser's words, for what the front door let through but cron-parser refuses
 */
export function parseByLibrary(expression: string, jobId: JobId): CronFields {
  // An empty seed would make H random.
  const options = { tz: 'UTC', currentDate: 0, hashSeed: jobId === '' ? 'tsched' : jobId };
  const { fields } = load().CronExpressionParser.parse(expression, options);
  const days: readonly (number | string)[] = fields.dayOfMonth.values;
  const weekdays: readonly (number | string)[] = fields.dayOfWeek.values;
  return {
    seconds: fields.second.values,
    minutes: fields.minute.values,
    hours: fields.hour.values,
    days: days.filter(isNumber),
    lastDay: fields.dayOfMonth.hasLastChar,
    months: fields.month.values,
    weekdays: weekdays.filter(isNumber).map((day) => day % 7),
    nth: fields.dayOfWeek.nthDay,
    lastWeekdays: weekdays.filter((day) => !isNumber(day)).map((day) => Number.parseInt(day, 10) % 7),
    daysRestricted: !fields.dayOfMonth.isWildcard,
    weekdaysRestricted: !fields.dayOfWeek.isWildcard,
  };
}
