/** Points in time as people read them, in the zone of the job: from offsets alone, without Intl. */
import type { Duration, Instant } from '../model.ts';
import { localTime, offsetText, weekdays } from '../schedule/local-time.ts';

export { localDateTime } from '../schedule/local-time.ts';

const DAY: Duration = 86_400_000;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `2026-10-25T02:30:00+01:00`, with milliseconds only where there are some. */
export function localIso(instant: Instant, timezone: string): string {
  const { wall, offset } = localTime(instant, timezone);
  return `${wall.toISOString().replace(/(?:\.000)?Z$/, '')}${offsetText(offset)}`;
}

/** As short as it can be understood on `now`'s day: `16:25`, `Tue 02:33`, `24 Dec 18:00`, `1 Jan 2028 00:00`. */
export function shortTime(instant: Instant, timezone: string, now: Instant): string {
  const { wall } = localTime(instant, timezone);
  const today = localTime(now, timezone).wall;
  const [, time = ''] = wall.toISOString().split('T');
  const clock = time.slice(0, wall.getUTCSeconds() === 0 ? 5 : 8);
  const days = Math.floor(wall.getTime() / DAY) - Math.floor(today.getTime() / DAY);
  if (days === 0) return clock;
  if (days > 0 && days < 7) return `${weekdays[wall.getUTCDay()]} ${clock}`;
  const date = `${wall.getUTCDate()} ${months[wall.getUTCMonth()]}`;
  return wall.getUTCFullYear() === today.getUTCFullYear()
    ? `${date} ${clock}`
    : `${date} ${wall.getUTCFullYear()} ${clock}`;
}

/** `in 4m`, `in 2h 5m`, `in 31d`: the two largest units at most. */
export function fromNow(instant: Instant, now: Instant): string {
  const seconds = Math.max(0, Math.round((instant - now) / 1000));
  if (seconds < 60) return `in ${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `in ${minutes}m${seconds % 60 === 0 ? '' : ` ${seconds % 60}s`}`;
  if (minutes < 60) return `in ${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 10) return `in ${hours}h${minutes % 60 === 0 ? '' : ` ${minutes % 60}m`}`;
  if (hours < 48) return `in ${hours}h`;
  const days = Math.floor(hours / 24);
  return days < 730 ? `in ${days}d` : `in ${Math.floor(days / 365)}y`;
}

/** RFC 3339 in UTC, as all machine-readable output has it. */
export function rfc3339(instant: Instant): string {
  return new Date(instant).toISOString().replace('.000Z', 'Z');
}
