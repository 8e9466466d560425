/** Calendars as data: days without a clock and without a zone. Imports nothing. */

/** A day: days since 1970-01-01. */
export type Day = number;

/** Days in a row, both included. */
export interface DayStretch {
  readonly from: Day;
  readonly through: Day;
  /** What it is, e.g. the name of a holiday. */
  readonly name?: string;
}

/** What comes once a year, by its date or as the nth weekday of a month. */
export interface YearlyDays {
  /** From 1. */
  readonly month: number;
  /** Day of the month; or the `nth` (-1: the last) of that weekday, 0 = Sunday, in the month. */
  readonly on: number | { readonly nth: number; readonly weekday: number };
  /** Days in a row, if more than one. */
  readonly length?: number;
  /** First and last days on which it may begin. */
  readonly since?: Day;
  readonly until?: Day;
  /** Beginnings that fall out. */
  readonly except?: readonly Day[];
  readonly name?: string;
}

/** A named set of days: what it lists and what it includes, without what it excludes. */
export interface Calendar {
  readonly name: string;
  /** 0 = Sunday. */
  readonly weekdays?: readonly number[];
  /** In order, none overlapping another. */
  readonly days?: readonly DayStretch[];
  readonly yearly?: readonly YearlyDays[];
  readonly include?: readonly Calendar[];
  readonly exclude?: readonly Calendar[];
}

/** On which days a job may have slots, and what becomes of those on other days. */
export interface DayRule {
  /** Only on days of one of these. */
  readonly only?: readonly Calendar[];
  /** On no day of any of these. */
  readonly exclude?: readonly Calendar[];
  /** `skip`: they are left out; else they move, at the same time of day, to the nearest day before or after that is allowed. */
  readonly roll: 'skip' | 'previous' | 'next';
}
