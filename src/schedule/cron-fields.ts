/**
 * A cron expression as the walk wants it: plain sets of numbers. Two sources fill it, the front door for the everyday
 * forms and cron-parser for L, # and H; a property test holds them equal wherever both can read an expression.
 */
export interface CronFields {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** 1 to 31; may be empty when `lastDay` is set. */
  readonly days: readonly number[];
  /** L: the last day of the month. */
  readonly lastDay: boolean;
  /** 1 to 12. */
  readonly months: readonly number[];
  /** 0 (Sunday) to 6. */
  readonly weekdays: readonly number[];
  /** `#n`: only the n-th such weekday of the month; 0 for all of them. */
  readonly nth: number;
  /** `5L`: weekdays of which only the last in the month counts. */
  readonly lastWeekdays: readonly number[];
  /** Anything but a bare `*` or `?`. When both day fields are restricted, either may match. */
  readonly daysRestricted: boolean;
  readonly weekdaysRestricted: boolean;
}

/** What is known of one of the six fields, in their order. */
export interface FieldRule {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Count of distinct values: a step beyond it is a mistake. */
  readonly width: number;
  /** Names for values: names[i] stands for min + i. */
  readonly names: readonly string[];
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
export const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

export const SECOND: FieldRule = { name: 'second', min: 0, max: 59, width: 60, names: [] };
export const MINUTE: FieldRule = { name: 'minute', min: 0, max: 59, width: 60, names: [] };
export const HOUR: FieldRule = { name: 'hour', min: 0, max: 23, width: 24, names: [] };
export const DAY: FieldRule = { name: 'day of month', min: 1, max: 31, width: 31, names: [] };
export const MONTH: FieldRule = { name: 'month', min: 1, max: 12, width: 12, names: MONTHS };
/** 7 is Sunday too. */
export const WEEKDAY: FieldRule = { name: 'day of week', min: 0, max: 7, width: 7, names: WEEKDAYS };

/** Days in each month, February's at its longest. */
export const LONGEST = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
