/**
 * Offsets of time zones from `Date` instead of `Intl`: the first use of Intl costs 16 ms, which is half of what a short
 * command may take; setting TZ and asking a Date costs half a millisecond. Both read the same zone data, Node's own.
 */
import type { Duration, Instant } from '../model.ts';
import { intlSource, type OffsetSource } from '../schedule/zone.ts';

/** `Date.UTC` takes the years before for ones of the twentieth century. */
const EARLIEST: Instant = Date.UTC(100, 0, 1);
const JANUARY: Instant = Date.UTC(2020, 0, 1);
const JULY: Instant = Date.UTC(2020, 6, 1);

/** For the main thread of a short-lived process only: TZ belongs to the whole process. */
export const dateSource: OffsetSource = (timezone, read) => {
  const ours = process.env.TZ ?? 'UTC';
  process.env.TZ = timezone;
  try {
    // TZ silently takes a name it does not know (another case of letters) for UTC; any other offset proves the zone.
    if (offsetAt(JANUARY) !== 0 || offsetAt(JULY) !== 0) return read(offsetAt);
  } finally {
    process.env.TZ = ours;
  }
  return intlSource(timezone, read);
};

/** By the parts of the local time: `getTimezoneOffset` rounds the seconds away that some offsets had until 1972. */
function offsetAt(instant: Instant): Duration {
  const whole = Math.floor(Math.max(instant, EARLIEST) / 1000) * 1000;
  const local = new Date(whole);
  const clock = [local.getHours(), local.getMinutes(), local.getSeconds()] as const;
  return Date.UTC(local.getFullYear(), local.getMonth(), local.getDate(), ...clock) - whole;
}
