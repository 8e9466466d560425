/**
 * The system's own time zone files (TZif, RFC 9636), to compare with the zone data that Node carries: changes listed one
 * by one, then a rule for the years after them, written as in the TZ variable of POSIX.
 */
import type { Duration, Instant } from '../model.ts';

/** A zone as a file has it. */
export interface ZoneTable {
  /** Offset from UTC in milliseconds, positive in the east. */
  offsetAt(instant: Instant): Duration;
  /** Where the offset may change within [from, until), in no order. */
  changesBetween(from: Instant, until: Instant): Instant[];
}

const SECOND: Duration = 1000;
const HOUR: Duration = 3600 * SECOND;
const DAY: Duration = 24 * HOUR;
const HEADER = 44;

/** Undefined for anything but a TZif file of version 2 or later. */
export function parseTzif(bytes: Uint8Array): ZoneTable | undefined {
  try {
    return parse(bytes);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // cut short
    throw error;
  }
}

function parse(bytes: Uint8Array): ZoneTable | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const old = counts(view, 0);
  if (old === undefined || old.version < 0x32) return undefined;
  // The first part repeats the second in 32 bits, for readers of another age.
  const start = HEADER + lengthOf(old, 4);
  const found = counts(view, start);
  if (found === undefined) return undefined;
  const times = start + HEADER;
  const kinds = times + found.time * 8;
  const types = kinds + found.time;
  const changes: Change[] = [];
  const offsetOf = (type: number): Duration => view.getInt32(types + type * 6) * SECOND;
  for (let n = 0; n < found.time; n += 1) {
    const at = Number(view.getBigInt64(times + n * 8)) * SECOND;
    changes.push({ at, offset: offsetOf(view.getUint8(kinds + n)) });
  }
  const rest = new TextDecoder('latin1').decode(bytes.subarray(times + lengthOf(found, 8)));
  const [, footer = ''] = rest.split('\n');
  return table(offsetOf(0), changes, parseRule(footer));
}

interface Change {
  readonly at: Instant;
  readonly offset: Duration;
}

interface Counts {
  readonly version: number;
  readonly isUt: number;
  readonly isStandard: number;
  readonly leap: number;
  readonly time: number;
  readonly type: number;
  readonly characters: number;
}

function counts(view: DataView, at: number): Counts | undefined {
  if (view.getUint32(at) !== 0x54_5a_69_66) return undefined; // "TZif"
  const count = (n: number): number => view.getUint32(at + 20 + n * 4);
  return {
    version: view.getUint8(at + 4),
    isUt: count(0),
    isStandard: count(1),
    leap: count(2),
    time: count(3),
    type: count(4),
    characters: count(5),
  };
}

function lengthOf(part: Counts, timeSize: number): number {
  const { isUt, isStandard, leap, time, type, characters } = part;
  return time * (timeSize + 1) + type * 6 + characters + leap * (timeSize + 4) + isStandard + isUt;
}

function table(first: Duration, changes: readonly Change[], rule: Rule | undefined): ZoneTable {
  const last = changes.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
  return {
    offsetAt(instant) {
      if (instant >= last && rule !== undefined) return offsetBy(rule, instant);
      return changes.findLast(({ at }) => at <= instant)?.offset ?? first;
    },
    changesBetween(from, until) {
      const found = changes.map(({ at }) => at);
      if (rule !== undefined) {
        for (let year = yearOf(from) - 1; year <= yearOf(until) + 1; year += 1) {
          const { begins, ends } = summerOf(rule, year) ?? {};
          if (begins !== undefined && begins > last) found.push(begins);
          if (ends !== undefined && ends > last) found.push(ends);
        }
      }
      return found.filter((at) => at >= from && at < until);
    },
  };
}

/** `CET-1CEST,M3.5.0,M10.5.0/3`: names, offsets (positive in the WEST there), and when summer begins and ends. */
interface Rule {
  readonly standard: Duration;
  readonly summer?: { readonly offset: Duration; readonly begins: Turn; readonly ends: Turn };
}

/** A moment of a year: a day, and milliseconds after its midnight by the clock in force before it. */
interface Turn {
  readonly day: (year: number) => Instant;
  readonly time: Duration;
}

const NAME = '(?:<[\\w+\\-]+>|[A-Za-z]+)';
const TIME = '[+\\-]?\\d+(?::\\d+){0,2}';
const RULE = new RegExp(`^${NAME}(${TIME})(?:${NAME}(${TIME})?,([^,]+),([^,]+))?$`, 'v');

/** Undefined for an empty footer (what was last holds for ever), and for what nobody can read. */
function parseRule(text: string): Rule | undefined {
  const [, standardText, summerText, beginsText, endsText] = RULE.exec(text) ?? [];
  if (standardText === undefined) return undefined;
  const standard = 0 - timeOf(standardText);
  if (beginsText === undefined || endsText === undefined) return { standard };
  const begins = parseTurn(beginsText);
  const ends = parseTurn(endsText);
  if (begins === undefined || ends === undefined) return undefined;
  const offset = summerText === undefined ? standard + HOUR : 0 - timeOf(summerText);
  return { standard, summer: { offset, begins, ends } };
}

/** `2`, `-1`, `5:30`, `+10:30:15`. */
function timeOf(text: string): Duration {
  const [hours = 0, minutes = 0, seconds = 0] = text
    .replace(/^[+\-]/v, '')
    .split(':')
    .map(Number);
  const time = hours * HOUR + minutes * 60 * SECOND + seconds * SECOND;
  return text.startsWith('-') ? -time : time;
}

/** `M3.5.0` (the last Sunday of March), `J60` (1 March in every year), `59` (the 60th day), each perhaps with `/time`. */
function parseTurn(text: string): Turn | undefined {
  const [, date = '', time = '2'] = /^([^\/]+)(?:\/([+\-]?[\d:]+))?$/v.exec(text) ?? [];
  const day = parseDay(date);
  return day === undefined ? undefined : { day, time: timeOf(time) };
}

function parseDay(text: string): Turn['day'] | undefined {
  const [, month, week, weekday] = (/^M(\d+)\.([1-5])\.([0-6])$/v.exec(text) ?? []).map(Number);
  if (month !== undefined && week !== undefined && weekday !== undefined)
    return (year) => weekdayOf({ year, month, week, weekday });
  const [, julian] = /^J(\d+)$/v.exec(text) ?? [];
  // Never counts 29 February: a year without one tells the date.
  if (julian !== undefined) return (year) => new Date(Date.UTC(2001, 0, Number(julian))).setUTCFullYear(year);
  return /^\d+$/v.test(text) ? (year) => Date.UTC(year, 0, 1) + Number(text) * DAY : undefined;
}

interface WeekdayOfMonth {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  /** From 1; 5 is the last. */
  readonly week: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

function weekdayOf({ year, month, week, weekday }: WeekdayOfMonth): Instant {
  const first = new Date(Date.UTC(year, month - 1, 1));
  const date = 1 + ((weekday - first.getUTCDay() + 7) % 7) + (week - 1) * 7;
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return Date.UTC(year, month - 1, date > length ? date - 7 : date);
}

/** When a year's summer begins and ends; it may begin in one year and end in the next. */
function summerOf(
  { standard, summer }: Rule,
  year: number,
): { readonly begins: Instant; readonly ends: Instant } | undefined {
  if (summer === undefined) return undefined;
  const { offset, begins, ends } = summer;
  return {
    begins: begins.day(year) + begins.time - standard,
    ends: ends.day(year) + ends.time - offset,
  };
}

function offsetBy(rule: Rule, instant: Instant): Duration {
  const { standard, summer } = rule;
  if (summer === undefined) return standard;
  // The newest turn up to the instant decides; those of the years beside it may reach into its own.
  let newest = { at: Number.NEGATIVE_INFINITY, offset: standard };
  for (let year = yearOf(instant) - 1; year <= yearOf(instant) + 1; year += 1) {
    const { begins, ends } = summerOf(rule, year) ?? { begins: Infinity, ends: Infinity };
    for (const turn of [
      { at: ends, offset: standard },
      { at: begins, offset: summer.offset },
    ]) {
      if (turn.at <= instant && turn.at > newest.at) newest = turn;
    }
  }
  return newest.offset;
}

function yearOf(instant: Instant): number {
  return new Date(instant).getUTCFullYear();
}
