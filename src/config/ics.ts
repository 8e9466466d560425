/**
 * Whole days out of an iCalendar file (RFC 5545), as calendars of holidays are given away. By ourselves rather than by a library:
 * of the format little is needed, what comes each year is to stay a rule instead of a list up to some horizon, and
 * what is not understood has to be named with its line.
 */
import type { Day, DayStretch, YearlyDays } from '../calendar.ts';
import { beginning, dayOf } from '../schedule/calendar.ts';
import { isProblem, type Problem } from '../schedule/problem.ts';

export interface IcsDays {
  /** In the order of the file. */
  readonly days: readonly DayStretch[];
  readonly yearly: readonly YearlyDays[];
}

/** One property of an event, unfolded. */
interface Property {
  readonly line: number;
  readonly value: string;
}

type Event = Map<string, Property[]>;

const PROPERTY = /^([A-Za-z0-9-]+)(?:;(?:"[^"]*"|[^":])*)?:(.*)$/;
const WANTED = new Set('DTSTART DTEND DURATION RRULE RDATE EXDATE RECURRENCE-ID SUMMARY STATUS'.split(' '));
const WEEKDAYS = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA'];
/** Years in which what ends after a COUNT is looked for. */
const MOST_YEARS = 1000;
const MOST_NAME = 200;

/** The days of all events in it, or what in it is not understood. */
export function readIcs(bytes: Buffer): IcsDays | Problem {
  const events = eventsOf(bytes);
  if (isProblem(events)) return events;
  const days: DayStretch[] = [];
  const yearly: YearlyDays[] = [];
  for (const event of events) {
    if (event.get('STATUS')?.[0]?.value.toUpperCase() === 'CANCELLED') continue;
    const read = readEvent(event);
    if (isProblem(read)) return read;
    days.push(...read.days);
    yearly.push(...read.yearly);
  }
  return { days, yearly };
}

/** Long lines are folded at any byte, within characters too, so they are put together before they are decoded. */
function* unfolded(bytes: Buffer): Generator<{ line: number; text: string }> {
  let open: { line: number; text: string } | undefined;
  const decoded = ({ line, text }: { line: number; text: string }) => ({
    line,
    text: Buffer.from(text, 'latin1').toString('utf8'),
  });
  for (const [index, text] of bytes.toString('latin1').split(/\r?\n/).entries()) {
    if (open !== undefined && /^[ \t]/.test(text)) {
      open.text += text.slice(1);
      continue;
    }
    if (open !== undefined) yield decoded(open);
    open = { line: index + 1, text };
  }
  if (open !== undefined) yield decoded(open);
}

function eventsOf(bytes: Buffer): Event[] | Problem {
  const events: Event[] = [];
  const within: string[] = [];
  let isCalendar = false;
  for (const { line, text } of unfolded(bytes)) {
    const [, name = '', value = ''] = PROPERTY.exec(text.replace(/^\uFEFF/, '')) ?? [];
    const key = name.toUpperCase();
    if (key === 'BEGIN') {
      within.push(value.trim().toUpperCase());
      isCalendar ||= within[0] === 'VCALENDAR';
      if (within.join() === 'VCALENDAR,VEVENT') events.push(new Map());
    } else if (key === 'END') {
      if (within.pop() !== value.trim().toUpperCase()) return at(line, `END:${value} ends nothing`);
    } else if (within.join() === 'VCALENDAR,VEVENT' && WANTED.has(key)) {
      const event = events.at(-1);
      event?.set(key, [...(event.get(key) ?? []), { line, value: value.trim() }]);
    }
  }
  if (!isCalendar)
    return { message: 'this is not an iCalendar file', hint: 'it begins with BEGIN:VCALENDAR' };
  return within.length === 0 ? events : { message: `it ends within ${within.at(-1)}; was it cut off?` };
}

function readEvent(event: Event): IcsDays | Problem {
  const override = event.get('RECURRENCE-ID')?.[0];
  if (override !== undefined) return at(override.line, 'RECURRENCE-ID is not understood');
  const start = event.get('DTSTART')?.[0];
  if (start === undefined) return { message: 'an event has no DTSTART' };
  const from = wholeDay(start, 'DTSTART');
  if (isProblem(from)) return from;
  const length = lengthOf(event, from);
  if (isProblem(length)) return length;
  const except = listOf(event, 'EXDATE');
  if (isProblem(except)) return except;
  const more = listOf(event, 'RDATE');
  if (isProblem(more)) return more;
  const name = textOf(event.get('SUMMARY')?.[0]?.value ?? '');
  const stretch = (day: Day): DayStretch => ({
    from: day,
    through: day + length - 1,
    ...(name === '' ? {} : { name }),
  });
  const days = [from, ...more].filter((day) => !except.includes(day)).map(stretch);
  const [rule, second] = event.get('RRULE') ?? [];
  if (rule === undefined) return { days, yearly: [] };
  if (second !== undefined) return at(second.line, 'a second RRULE is not understood');
  const yearly = readRule(rule, from);
  if (isProblem(yearly)) return yearly;
  if (length > 366) return at(start.line, 'an event that comes each year is longer than a year');
  return { days, yearly: [{ ...yearly, ...stretchFields(length, except, name) }] };
}

function stretchFields(length: number, except: readonly Day[], name: string): Partial<YearlyDays> {
  return {
    ...(length === 1 ? {} : { length }),
    ...(except.length === 0 ? {} : { except }),
    ...(name === '' ? {} : { name }),
  };
}

/** What comes once a year, by date or as the nth weekday of a month; anything else is not understood. */
function readRule({ line, value }: Property, start: Day): YearlyDays | Problem {
  const parts = new Map(
    value
      .toUpperCase()
      .split(';')
      .map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)] as const),
  );
  const not = (what: string): Problem => ({
    ...at(line, `RRULE with ${what} is not understood: only what comes once a year is`),
    hint: 'for days of the week write weekdays: in the calendar; for anything else list the dates',
  });
  const known = new Set('FREQ INTERVAL UNTIL COUNT BYMONTH BYMONTHDAY BYDAY WKST'.split(' '));
  const other = [...parts.keys()].find((key) => !known.has(key));
  if (other !== undefined) return not(other);
  if (parts.get('FREQ') !== 'YEARLY') return not(`FREQ=${parts.get('FREQ') ?? ''}`);
  if ((parts.get('INTERVAL') ?? '1') !== '1') return not(`INTERVAL=${parts.get('INTERVAL')}`);
  const began = new Date(start * 86_400_000);
  const month = Number(parts.get('BYMONTH') ?? began.getUTCMonth() + 1);
  if (!(month >= 1 && month <= 12)) return not(`BYMONTH=${parts.get('BYMONTH')}`);
  const on = dayOfRule(parts, began.getUTCDate());
  if (on === undefined) return not(`BYDAY=${parts.get('BYDAY') ?? ''} BYMONTHDAY=${parts.get('BYMONTHDAY')}`);
  const rule: YearlyDays = { month, on, since: start };
  const until = endOf(parts, rule);
  if (until === 'wrong') return not(`UNTIL=${parts.get('UNTIL') ?? ''} COUNT=${parts.get('COUNT') ?? ''}`);
  return until === undefined ? rule : { ...rule, until };
}

function dayOfRule(parts: ReadonlyMap<string, string>, started: number): YearlyDays['on'] | undefined {
  const byDay = parts.get('BYDAY');
  const byMonthDay = parts.get('BYMONTHDAY');
  if (byDay === undefined) {
    const day = Number(byMonthDay ?? started);
    return Number.isInteger(day) && day >= 1 && day <= 31 ? day : undefined;
  }
  const [, nth = '', weekday = ''] = /^([+-]?[1-5])(SU|MO|TU|WE|TH|FR|SA)$/.exec(byDay) ?? [];
  const isOfMonth = parts.has('BYMONTH') && byMonthDay === undefined;
  return nth === '' || !isOfMonth ? undefined : { nth: Number(nth), weekday: WEEKDAYS.indexOf(weekday) };
}

function endOf(parts: ReadonlyMap<string, string>, rule: YearlyDays): Day | 'wrong' | undefined {
  const until = parts.get('UNTIL');
  const count = parts.get('COUNT');
  if (until !== undefined) return dateIn(until.slice(0, 8)) ?? 'wrong';
  if (count === undefined) return undefined;
  let left = Number(count);
  const first = new Date((rule.since ?? 0) * 86_400_000).getUTCFullYear();
  for (let year = first; year < first + MOST_YEARS; year += 1) {
    const day = beginning(rule, year);
    if (day !== undefined) left -= 1;
    if (day !== undefined && left === 0) return day;
  }
  return 'wrong';
}

function lengthOf(event: Event, from: Day): number | Problem {
  const end = event.get('DTEND')?.[0];
  const duration = event.get('DURATION')?.[0];
  if (end !== undefined) {
    const through = wholeDay(end, 'DTEND');
    if (isProblem(through)) return through;
    // The day of DTEND is not one of them any more; some write a single day with both alike.
    return through < from ? at(end.line, 'DTEND is before DTSTART') : Math.max(1, through - from);
  }
  if (duration === undefined) return 1;
  const [, weeks, days] = /^\+?P(?:(\d{1,4})W|(\d{1,5})D)$/.exec(duration.value) ?? [];
  const length = Number(weeks ?? 0) * 7 + Number(days ?? 0);
  return length > 0 ? length : at(duration.line, `DURATION ${duration.value} is not a number of days`);
}

function listOf(event: Event, key: string): Day[] | Problem {
  const days: Day[] = [];
  for (const { line, value } of event.get(key) ?? []) {
    for (const part of value.split(',')) {
      const day = wholeDay({ line, value: part }, key);
      if (isProblem(day)) return day;
      days.push(day);
    }
  }
  return days;
}

function wholeDay({ line, value }: Property, key: string): Day | Problem {
  const day = dateIn(value);
  if (day !== undefined) return day;
  return /^\d{8}T/.test(value)
    ? {
        ...at(line, `${key} has a time of day (${value}); a calendar is made of whole days`),
        hint: 'take that event out, or make it one that lasts all day',
      }
    : at(line, `${key} is not a date: ${value.slice(0, 40)}`);
}

function dateIn(text: string): Day | undefined {
  const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})$/.exec(text) ?? [];
  if (year === undefined) return undefined;
  const found = dayOf(Number(year), Number(month), Number(day));
  const again = new Date(found * 86_400_000);
  return again.getUTCMonth() + 1 === Number(month) && again.getUTCDate() === Number(day) ? found : undefined;
}

/** TEXT of RFC 5545: what stands behind a backslash, on one line. */
function textOf(value: string): string {
  return value
    .replaceAll(/\\([\\;,nN])/g, (_, escaped: string) => (escaped.toLowerCase() === 'n' ? ' ' : escaped))
    .slice(0, MOST_NAME);
}

function at(line: number, message: string): Problem {
  return { message: `line ${line}: ${message}` };
}
