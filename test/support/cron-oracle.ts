/**
 * What a cron expression should do, worked out the slow way and sharing nothing with src/: wall clocks are read through
 * Intl, fields are matched from their text value by value, and every minute (or second) of a window is looked at.
 */

const MINUTE = 60_000;
const DAY = 86_400_000;
const NAMES: Record<string, number> = Object.fromEntries([
  ...['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'].map(
    (name, i) => [name, i + 1] as const,
  ),
  ...['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'].map((name, i) => [name, i] as const),
]);

/** A wall clock reading as the epoch milliseconds of the same reading in UTC. */
export type Reading = number;

const formats = new Map<string, Intl.DateTimeFormat>();

export function readWall(timezone: string, instant: number): Reading {
  let format = formats.get(timezone);
  if (!format) {
    format = new Intl.DateTimeFormat('sv-SE', {
      timeZone: timezone,
      dateStyle: 'short',
      timeStyle: 'medium',
    });
    formats.set(timezone, format);
  }
  return Date.parse(`${format.format(instant).replace(' ', 'T')}Z`);
}

/** Instants, to the minute, at which the zone's offset changes within [from, until). */
export function clockChanges(timezone: string, from: number, until: number): number[] {
  const offset = (instant: number): number => readWall(timezone, instant) - instant;
  const changes: number[] = [];
  for (let day = from; day < until; day += DAY) {
    if (offset(day) === offset(day + DAY)) continue;
    for (let t = day; t < day + DAY; t += MINUTE)
      if (offset(t) !== offset(t + MINUTE)) changes.push(t + MINUTE);
  }
  return changes;
}

/** One stretch of wall clock readings, shared by all expressions tried on it. */
export interface Window {
  readonly timezone: string;
  readonly from: number;
  readonly step: number;
  /** readings[i] is the clock at from + i * step. */
  readonly readings: readonly Reading[];
}

export function readWindow(timezone: string, range: { from: number; until: number; step: number }): Window {
  const readings: Reading[] = [];
  for (let t = range.from; t < range.until; t += range.step) readings.push(readWall(timezone, t));
  return { timezone, from: range.from, step: range.step, readings };
}

export interface Rule {
  readonly gap: 'run_after' | 'skip';
  readonly overlap: 'first' | 'both';
}

/** The rule an expression has without `dst:`. */
export function ruleOf(expression: string): Rule {
  const hour = expression.split(' ').at(-4) ?? '';
  const all = Array.from({ length: 24 }, (_, h) => h).every((h) => inList(hour, h, { min: 0, max: 23 }));
  return all ? { gap: 'skip', overlap: 'both' } : { gap: 'run_after', overlap: 'first' };
}

/** Every instant of the window at which the expression fires, ascending. Trust it only a day and more from both ends. */
export function firings(expression: string, window: Window, rule: Rule): number[] {
  const matches = matcher(expression);
  const fired = new Set<number>();
  const seen = new Set<Reading>();
  let previous: Reading | undefined;
  for (const [i, reading] of window.readings.entries()) {
    const instant = window.from + i * window.step;
    if (previous !== undefined && rule.gap === 'run_after') {
      for (let skipped = previous + window.step; skipped < reading; skipped += window.step) {
        if (matches(skipped)) fired.add(instant + (skipped - previous - window.step));
      }
    }
    if (matches(reading) && (rule.overlap === 'both' || !seen.has(reading))) fired.add(instant);
    seen.add(reading);
    previous = reading;
  }
  return [...fired].sort((a, b) => a - b);
}

/** Whether a reading matches the expression. */
export function matcher(expression: string): (reading: Reading) => boolean {
  const fields = expression.split(' ');
  const [second = '0', minute = '*', hour = '*', day = '*', month = '*', weekday = '*'] =
    fields.length === 6 ? fields : ['0', ...fields];
  const table = (text: string, range: { min: number; max: number }): boolean[] =>
    Array.from(
      { length: 61 },
      (_, value) => value >= range.min && value <= range.max && inList(text, value, range),
    );
  const seconds = table(second, { min: 0, max: 59 });
  const minutes = table(minute, { min: 0, max: 59 });
  const hours = table(hour, { min: 0, max: 23 });
  const months = table(month, { min: 1, max: 12 });
  return (reading) => {
    const t = Math.floor(reading / 1000);
    if (
      seconds[t % 60] !== true ||
      minutes[Math.floor(t / 60) % 60] !== true ||
      hours[Math.floor(t / 3600) % 24] !== true
    )
      return false;
    const date = new Date(reading);
    if (months[date.getUTCMonth() + 1] !== true) return false;
    return dayMatches(date, day, weekday);
  };
}

function dayMatches(date: Date, day: string, weekday: string): boolean {
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  const number = date.getUTCDate();
  const byDay = day
    .split(',')
    .some((item) => (item === 'L' ? number === last : inItem(item, number, { min: 1, max: 31 })));
  const byWeekday = weekday.split(',').some((item) => weekdayItem(item, date, last));
  const free = (text: string): boolean => text === '*' || text === '?';
  if (free(weekday)) return byDay;
  if (free(day)) return byWeekday;
  return byDay || byWeekday;
}

function weekdayItem(item: string, date: Date, last: number): boolean {
  const number = date.getUTCDate();
  const [name = '', nth] = item.split('#');
  const candidates = date.getUTCDay() === 0 ? [0, 7] : [date.getUTCDay()];
  if (nth !== undefined)
    return candidates.includes(valueOf(name)) && number > (Number(nth) - 1) * 7 && number <= Number(nth) * 7;
  if (/^\w+L$/.test(item)) return candidates.includes(valueOf(item.slice(0, -1))) && number + 7 > last;
  return candidates.some((value) => inItem(item, value, { min: 0, max: 7 }));
}

function inList(text: string, value: number, range: { min: number; max: number }): boolean {
  return text.split(',').some((item) => inItem(item, value, range));
}

function inItem(item: string, value: number, range: { min: number; max: number }): boolean {
  const [span = '', step] = item.split('/');
  const [low = '', high] = span.split('-');
  const free = low === '*' || low === '?';
  const from = free ? range.min : valueOf(low);
  const to = high !== undefined ? valueOf(high) : free || step !== undefined ? range.max : from;
  return value >= from && value <= to && (value - from) % Number(step ?? 1) === 0;
}

function valueOf(text: string): number {
  return NAMES[text] ?? Number(text);
}

/** A small reproducible source of randomness. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** Whole number in [from, to]. */
  int(from: number, to: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return from + (((t ^ (t >>> 14)) >>> 0) % (to - from + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)] as T;
  }
}

/** One field's text: stars, values, ranges, steps, lists. */
function randomField(random: Random, min: number, max: number): string {
  const value = (): number => random.int(min, max);
  const range = (): string => {
    const [a, b] = [value(), value()].sort((x, y) => x - y);
    return `${a}-${b}`;
  };
  switch (random.int(0, 7)) {
    case 0:
    case 1:
    case 2:
      return `${value()}`;
    case 3:
      return range();
    case 4:
      return `*/${random.int(2, Math.max(2, Math.floor((max - min) / 2)))}`;
    case 5:
      return `${range()}/${random.int(1, 5)}`;
    case 6:
      return [...new Set([value(), value(), value()])].join(',');
    default:
      return '*';
  }
}

/**
 * A random expression in upper case that the front door takes; mostly one that fires within days, so that windows hold
 * something.
 * @param extended also L, # and ?
 */
export function randomExpression(random: Random, options: { seconds: boolean; extended: boolean }): string {
  const often = (text: string): string => (random.int(0, 3) > 0 ? '*' : text);
  const extendedDay = random.pick(['L', '?', '1,L', '15,L']);
  const extendedWeekday = random.pick(['5L', 'FRIL', 'MON#2', '0#1', '?', '1,5L', 'SUNL', '7L']);
  const useExtended = options.extended && random.int(0, 1) === 0;
  const day = often(useExtended ? extendedDay : randomField(random, 1, 28));
  const month = often(random.pick([randomField(random, 1, 12), 'MAR', 'OCT-DEC', 'JAN,JUL']));
  const weekday = often(
    useExtended
      ? extendedWeekday
      : random.pick([randomField(random, 0, 7), 'MON-FRI', 'SUN', 'SAT,SUN', 'TUE/2']),
  );
  const parts = [randomField(random, 0, 59), randomField(random, 0, 23), day, month, weekday];
  return (options.seconds ? [randomField(random, 0, 59), ...parts] : parts).join(' ');
}
