/** Points in time as clocks on the wall show them: from offsets alone, without Intl. */
import type { Duration, Instant } from '../model.ts';
import { zoneOf } from './zone.ts';

export const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

export interface LocalTime {
  /** The wall clock's reading, held in the UTC fields of a Date. */
  readonly wall: Date;
  readonly offset: Duration;
}

export function localTime(instant: Instant, timezone: string): LocalTime {
  const { offset } = zoneOf(timezone).at(instant);
  return { wall: new Date(instant + offset), offset };
}

/** `Sun 2026-10-25 02:30:00 +01:00` */
export function localDateTime(instant: Instant, timezone: string): string {
  const { wall, offset } = localTime(instant, timezone);
  const [date = '', time = ''] = wall.toISOString().split('T');
  return `${weekdays[wall.getUTCDay()]} ${date} ${time.slice(0, 8)} ${offsetText(offset)}`;
}

/** `+01:00` */
export function offsetText(offset: Duration): string {
  const minutes = Math.abs(Math.trunc(offset / 60_000));
  const two = (count: number): string => String(count).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
