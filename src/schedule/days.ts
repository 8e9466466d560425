/** The days of a time zone as stretches of instants: some have 23 hours, some 25, and a few none. */
import type { Instant } from '../model.ts';
import { DAY, fromNominal, zoneOf, type Zone } from './zone.ts';

export interface Day {
  /** As the calendar has it, e.g. `2027-03-28`. */
  readonly day: string;
  readonly since: Instant;
  /** Not included. */
  readonly until: Instant;
}

/** The last `count` days of the calendar, today the last of them; oldest first. Days that a zone left out are not there. */
export function lastDays(timezone: string, { now, count }: { now: Instant; count: number }): Day[] {
  const zone = zoneOf(timezone);
  const today = Math.floor((now + zone.at(now).offset) / DAY) * DAY;
  return Array.from({ length: count }, (_, index) => {
    const nominal = today - (count - 1 - index) * DAY;
    const day = new Date(nominal).toISOString().slice(0, 10);
    return { day, since: beginOf(nominal, zone), until: beginOf(nominal + DAY, zone) };
  }).filter(({ since, until }) => since < until);
}

/** The first instant of a day: midnight may come twice, or not at all. */
function beginOf(nominal: number, zone: Zone): Instant {
  const reading = fromNominal(zone, nominal);
  if (reading.kind === 'once') return reading.instant;
  return reading.kind === 'twice' ? reading.first : reading.span.changedAt;
}
