/** Points in time as people read them, in the zone of the job: from offsets alone, without Intl. */
import type { Duration, Instant } from '../model.ts';
import { zoneOf } from '../schedule/zone.ts';

const DAY: Duration = 86_400_000;
const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

interface Local {
  /** The wall clock's reading, held in the UTC fields of a Date. */
  readonly wall: Date;
  readonly offset: Duration;
}

function localTime(instant: Instant, timezone: string): Local {
  const { offset } = zoneOf(timezone).at(instant);
  return { wall: new Date(instant + offset), offset };
}

/** `2026-10-25T02:30:00+01:00`, with milliseconds only where there are some. */
export function localIso(instant: Instant, timezone: string): string {
  const { wall, offset } = localTime(instant, timezone);
  return `${wall.toISOString().replace(/(?:\.000)?Z$/, '')}${offsetText(offset)}`;
}

/** `Sun 2026-10-25 02:30:00 +01:00` */
export function localDateTime(instant: Instant, timezone: string): string {
  const { wall, offset } = localTime(instant, timezone);
  const [date = '', time = ''] = wall.toISOString().split('T');
  return `${weekdays[wall.getUTCDay()]} ${date} ${time.slice(0, 8)} ${offsetText(offset)}`;
}

/**
 * As short as it can be understood on `now`'s day: `16:25`, `Tue 02:33` within a week, `24 Dec 18:00`, `1 Jan 2028 00:00`. What
 * is past, by `ago` beside it.
 */
export function shortTime(instant: Instant, timezone: string, now: Instant): string {
  const { wall } = localTime(instant, timezone);
  const today = localTime(now, timezone).wall;
  const days = Math.floor(wall.getTime() / DAY) - Math.floor(today.getTime() / DAY);
  if (days === 0) return clock(wall);
  if (Math.abs(days) < 7) return `${weekdays[wall.getUTCDay()]} ${clock(wall)}`;
  return `${date(wall, today)} ${clock(wall)}`;
}

/** With its day, whichever it is: `Mon 23 Nov 02:30`. */
export function dayTime(instant: Instant, timezone: string, now: Instant): string {
  const { wall } = localTime(instant, timezone);
  return `${weekdays[wall.getUTCDay()]} ${date(wall, localTime(now, timezone).wall)} ${clock(wall)}`;
}

function clock(wall: Date): string {
  return wall.toISOString().slice(11, wall.getUTCSeconds() === 0 ? 16 : 19);
}

function date(wall: Date, today: Date): string {
  const day = `${wall.getUTCDate()} ${months[wall.getUTCMonth()]}`;
  return wall.getUTCFullYear() === today.getUTCFullYear() ? day : `${day} ${wall.getUTCFullYear()}`;
}

/** `in 4m`, `in 2h 5m`, `in 31d`: the two largest units at most. */
export function fromNow(instant: Instant, now: Instant): string {
  return `in ${roughly(instant - now)}`;
}

/** `4m ago`, as `fromNow`. */
export function ago(instant: Instant, now: Instant): string {
  return `${roughly(now - instant)} ago`;
}

/** A length of time as `fromNow` has it; none is less than 0. */
export function roughly(duration: Duration): string {
  const seconds = Math.max(0, Math.round(duration / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${minutes}m${seconds % 60 === 0 ? '' : ` ${seconds % 60}s`}`;
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 10) return `${hours}h${minutes % 60 === 0 ? '' : ` ${minutes % 60}m`}`;
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  return days < 730 ? `${days}d` : `${Math.floor(days / 365)}y`;
}

/** RFC 3339 in UTC, as all machine-readable output has it. */
export function rfc3339(instant: Instant): string {
  return new Date(instant).toISOString().replace('.000Z', 'Z');
}

function offsetText(offset: Duration): string {
  const minutes = Math.abs(Math.trunc(offset / 60_000));
  const two = (count: number): string => String(count).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
