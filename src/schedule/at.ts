import type { Instant } from '../model.ts';
import type { Problem } from './problem.ts';
import { LONGEST } from './cron-fields.ts';
import { fromNominal, zoneOf } from './zone.ts';

const FORM =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*([Zz]|[+-]\d{2}:?\d{2})?)?$/;
const EXAMPLES =
  'write e.g. 2027-01-31T02:00 (local time), 2027-01-31T02:00:00+01:00 or 2027-01-31T01:00:00Z';

/**
 * One moment, as a person writes it: RFC 3339, or without an offset as wall-clock time in the zone, or a date alone for
 * the first moment of that day. A local time that clocks skip is a problem; of one that comes twice the first is
 * taken, and `note` says so.
 *
 * @param timezone a name that passed `checkZone`
 */
export function parseInstant(text: string, timezone: string): { instant: Instant; note?: string } | Problem {
  const match = FORM.exec(text.trim());
  if (!match) return { message: `"${text}" is not a time`, hint: EXAMPLES };
  const [, y, mo, d, h, mi, s, fraction = '', offset] = match;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = [y, mo, d, h, mi, s].map((part) =>
    Number(part ?? 0),
  );
  const impossible = refuseDate(text, { year, month, day }) ?? refuseTime(text, { hour, minute, second });
  if (impossible !== undefined) return impossible;
  const nominal =
    new Date(0).setUTCFullYear(year, month - 1, day) +
    ((hour * 60 + minute) * 60 + second) * 1000 +
    Math.trunc(Number(`0.${fraction}0`) * 1000);
  if (offset !== undefined) return readOffset(text, nominal, offset);
  return readLocal(nominal, { text: text.trim(), timezone, dateOnly: h === undefined });
}

function refuseDate(text: string, date: { year: number; month: number; day: number }): Problem | undefined {
  const { year, month, day } = date;
  if (month < 1 || month > 12)
    return { message: `"${text}" has month ${month}`, hint: 'write the date as year-month-day' };
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const length = month === 2 && !leap ? 28 : (LONGEST[month - 1] ?? 31);
  if (day >= 1 && day <= length) return undefined;
  return { message: `"${text}" has day ${day}, but that month has ${length} days` };
}

function refuseTime(
  text: string,
  time: { hour: number; minute: number; second: number },
): Problem | undefined {
  if (time.hour > 23) return { message: `"${text}" has hour ${time.hour}`, hint: 'write hours 00 to 23' };
  if (time.minute > 59)
    return { message: `"${text}" has minute ${time.minute}`, hint: 'write minutes 00 to 59' };
  if (time.second > 59)
    return { message: `"${text}" has second ${time.second}`, hint: 'write seconds 00 to 59' };
  return undefined;
}

function readOffset(text: string, nominal: number, offset: string): { instant: Instant } | Problem {
  if (offset.toUpperCase() === 'Z') return { instant: nominal };
  const digits = offset.replaceAll(/\D/g, '');
  const hours = Number(digits.slice(0, 2));
  const minutes = Number(digits.slice(2));
  if (hours > 23 || minutes > 59) return { message: `"${text}" has an offset of ${offset}`, hint: EXAMPLES };
  const size = (hours * 60 + minutes) * 60_000;
  return { instant: offset.startsWith('-') ? nominal + size : nominal - size };
}

function readLocal(
  nominal: number,
  as: { text: string; timezone: string; dateOnly: boolean },
): { instant: Instant; note?: string } | Problem {
  const reading = fromNominal(zoneOf(as.timezone), nominal);
  switch (reading.kind) {
    case 'once':
      return { instant: reading.instant };
    case 'twice': {
      if (as.dateOnly) return { instant: reading.first };
      const later = new Date(reading.second).toISOString().replace('.000', '');
      const note = `clocks in ${as.timezone} go back over ${as.text}, so it comes twice; the first is taken (the second is ${later})`;
      return { instant: reading.first, note };
    }
    case 'never': {
      // A day whose midnight is skipped begins where the gap ends.
      if (as.dateOnly) return { instant: reading.span.changedAt };
      const after = new Date(reading.shifted + reading.span.offset).toISOString().slice(0, 19);
      return {
        message: `${as.text} does not exist in ${as.timezone}: clocks go forward past it`,
        hint: `write ${after}, or give an offset`,
      };
    }
  }
}
