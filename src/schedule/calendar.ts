/** Which days are in a calendar, and which of them a job may have slots on. Pure arithmetic on days; no clock, no zone. */
import type { Calendar, Day, DayRule, DayStretch, YearlyDays } from '../calendar.ts';
import type { Instant, Schedule } from '../model.ts';
import { DAY, zoneOf } from './zone.ts';

/** Ten years: when no day is allowed within them, none ever is. */
const HORIZON = 3660;

/** Why a day is in a calendar: the calendar that lists it, and as what. */
export interface DayEntry {
  readonly calendar: string;
  /** The name of a holiday, a weekday, or the date. */
  readonly entry: string;
}

/** Why a day is not allowed. */
export type DayRefusal =
  | ({ readonly by: 'exclude' } & DayEntry)
  /** It is in none of these. */
  | { readonly by: 'only'; readonly calendars: readonly string[] };

/** The entry of the calendar that the day is in; undefined where it is in none. */
export function entryOf(calendar: Calendar, day: Day): DayEntry | undefined {
  const { name, weekdays = [], days = [], include = [], exclude = [] } = calendar;
  if (exclude.some((other) => entryOf(other, day) !== undefined)) return undefined;
  const listed = stretchAt(days, day);
  if (listed !== undefined) return { calendar: name, entry: listed.name ?? dateOf(day) };
  const yearly = yearlyAt(calendar, day);
  if (yearly !== undefined) return { calendar: name, entry: yearly };
  const weekday = weekdayOf(day);
  if (weekdays.includes(weekday)) return { calendar: name, entry: WEEKDAYS[weekday] ?? '' };
  for (const other of include) {
    const entry = entryOf(other, day);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** Why the rule does not allow a day; undefined where it does. */
export function refusalOf({ only, exclude = [] }: DayRule, day: Day): DayRefusal | undefined {
  for (const calendar of exclude) {
    const entry = entryOf(calendar, day);
    if (entry !== undefined) return { by: 'exclude', ...entry };
  }
  if (only === undefined || only.some((calendar) => entryOf(calendar, day) !== undefined)) return undefined;
  return { by: 'only', calendars: only.map(({ name }) => name) };
}

/** Whether a schedule may have a slot on the local day of an instant. */
export function isAllowed({ days, timezone }: Schedule, at: Instant): boolean {
  return days === undefined || refusalOf(days, localDay(at, zoneOf(timezone).at(at).offset)) === undefined;
}

/** The first allowed day from `day` on, in steps of 1 or -1; undefined when there is none within ten years. */
export function allowedFrom(rule: DayRule, day: Day, step: 1 | -1 = 1): Day | undefined {
  for (let tried = 0, at = day; tried <= HORIZON; tried += 1, at += step) {
    if (refusalOf(rule, at) === undefined) return at;
  }
  return undefined;
}

export const WEEKDAYS: readonly string[] = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
];

export function weekdayOf(day: Day): number {
  return (((day + 4) % 7) + 7) % 7;
}

/** @param month from 1 */
export function dayOf(year: number, month: number, day: number): Day {
  return Math.floor(new Date(0).setUTCFullYear(year, month - 1, day) / DAY);
}

/** As YYYY-MM-DD. */
export function dateOf(day: Day): string {
  return new Date(day * DAY).toISOString().slice(0, 10);
}

/** The day that a wall clock with this offset shows. */
export function localDay(at: Instant, offset: number): Day {
  return Math.floor((at + offset) / DAY);
}

/** Sorts stretches, and cuts what lies under an earlier one. */
export function inOrder(stretches: readonly DayStretch[]): DayStretch[] {
  const ordered: DayStretch[] = [];
  let through = Number.NEGATIVE_INFINITY;
  for (const stretch of stretches.toSorted((a, b) => a.from - b.from)) {
    if (stretch.through <= through) continue;
    ordered.push(stretch.from > through ? stretch : { ...stretch, from: through + 1 });
    through = stretch.through;
  }
  return ordered;
}

function stretchAt(stretches: readonly DayStretch[], day: Day): DayStretch | undefined {
  let low = 0;
  let high = stretches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((stretches[middle]?.from ?? 0) <= day) low = middle + 1;
    else high = middle;
  }
  const stretch = stretches[low - 1];
  return stretch !== undefined && day <= stretch.through ? stretch : undefined;
}

/** What comes each year, worked out year by year and kept. */
const years = new WeakMap<Calendar, Map<number, ReadonlyMap<Day, string>>>();
const MOST_YEARS = 100;

function yearlyAt(calendar: Calendar, day: Day): string | undefined {
  const { yearly } = calendar;
  if (yearly === undefined) return undefined;
  let known = years.get(calendar);
  if (known === undefined) years.set(calendar, (known = new Map()));
  const year = new Date(day * DAY).getUTCFullYear();
  let days = known.get(year);
  if (days === undefined) {
    if (known.size >= MOST_YEARS) known.clear();
    known.set(year, (days = daysOfYear(yearly, year)));
  }
  return days.get(day);
}

function daysOfYear(yearly: readonly YearlyDays[], year: number): ReadonlyMap<Day, string> {
  const days = new Map<Day, string>();
  for (const each of yearly) {
    // What began in December may reach into January.
    for (const from of [beginning(each, year - 1), beginning(each, year)]) {
      if (from === undefined) continue;
      for (let day = from; day < from + (each.length ?? 1); day += 1)
        if (!days.has(day)) days.set(day, each.name ?? dateOf(day));
    }
  }
  return days;
}

/** When it begins in a year; undefined where it does not. */
export function beginning({ month, on, since, until, except }: YearlyDays, year: number): Day | undefined {
  const first = dayOf(year, month, 1);
  const next = month === 12 ? dayOf(year + 1, 1, 1) : dayOf(year, month + 1, 1);
  let day: Day;
  if (typeof on === 'number') day = first + on - 1;
  else if (on.nth > 0) day = first + ((on.weekday - weekdayOf(first) + 7) % 7) + (on.nth - 1) * 7;
  else day = next - 1 - ((weekdayOf(next - 1) - on.weekday + 7) % 7) + (on.nth + 1) * 7;
  const exists = day >= first && day < next;
  const isWithin = day >= (since ?? day) && day <= (until ?? day);
  return exists && isWithin && except?.includes(day) !== true ? day : undefined;
}
