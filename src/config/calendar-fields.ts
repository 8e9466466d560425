/** Calendars, the keys of a job that name them, and the values they take: a part of the field table. */
import type { DayStretch, YearlyDays } from '../calendar.ts';
import { dayOf } from '../schedule/calendar.ts';
import * as is from './scalars.ts';
import { map, oneOrMany, type Field, type Fields, type ScalarInput } from './shape.ts';

/** The characters of the name of a calendar. */
const CALENDAR = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const FULL = String.raw`\d{4}-\d{2}-\d{2}`;
const YEARLY = String.raw`\d{2}-\d{2}`;
const HINT = 'write 2026-12-25, 2026-12-24..2027-01-01, or 12-25 for each year';
/** No stretch that comes each year is longer. */
const LONGEST_YEARLY = 366;

/** Dates as they are written; each becomes a DayStretch, or YearlyDays where it has no year. */
export const dates = is.textual(
  'a date such as 2026-12-25',
  { pattern: `^(${FULL}(\\.\\.${FULL})?|${YEARLY}(\\.\\.${YEARLY})?)$` },
  (text, input): DayStretch | YearlyDays | undefined => {
    const [first = '', last = first, ...more] = text.split('..').map((part) => part.trim());
    const [from, through] = [dateOf(first), dateOf(last)];
    if (from === undefined || through === undefined || more.length > 0 || first.length !== last.length)
      return input.error({ message: `"${text}" is not a date`, hint: HINT });
    if (first.length === 10) {
      if (through.day < from.day) return input.error({ message: `${text} ends before it begins` });
      return { from: from.day, through: through.day };
    }
    // In a year without 29 February, so that the length is the same in most years; from December on into the next year.
    const length = through.day - from.day + 1 + (through.day < from.day ? 365 : 0);
    if (length > LONGEST_YEARLY) return input.error({ message: `${text} is longer than a year` });
    return { month: from.month, on: from.date, ...(length === 1 ? {} : { length }) };
  },
);

function dateOf(text: string): { day: number; month: number; date: number } | undefined {
  const [, y, m, d] = /^(?:(\d{4})-)?(\d{2})-(\d{2})$/.exec(text) ?? [];
  if (m === undefined) return undefined;
  const [month, date] = [Number(m), Number(d)];
  // 29 February comes in some years.
  const year = y === undefined ? (month === 2 && date === 29 ? 2024 : 2023) : Number(y);
  const day = dayOf(year, month, date);
  const again = new Date(day * 86_400_000);
  return again.getUTCMonth() + 1 === month && again.getUTCDate() === date ? { day, month, date } : undefined;
}

const NAMES = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

function weekdayIn(text: string): number {
  return text.length < 3 ? -1 : NAMES.findIndex((name) => name === text || name.slice(0, 3) === text);
}

/** A weekday or a range of them; becomes a list of numbers, 0 = Sunday. */
export const weekdays = is.textual(
  'a day of the week such as sat, or mon-fri',
  { pattern: '^[A-Za-z]{3,9}(\\s*(-|\\.\\.)\\s*[A-Za-z]{3,9})?$' },
  (text, input: ScalarInput): readonly number[] | undefined => {
    const [first = '', last = first, ...more] = text.toLowerCase().split(/\s*(?:-|\.\.)\s*/);
    const [from, to] = [weekdayIn(first), weekdayIn(last)];
    if (from === -1 || to === -1 || more.length > 0)
      return input.error({
        message: `"${text}" is not a day of the week`,
        hint: 'write e.g. sat, or mon-fri',
      });
    return Array.from({ length: ((to - from + 7) % 7) + 1 }, (_, index) => (from + index) % 7);
  },
);

const date = is.textual('a date such as 2027-12-31', { pattern: `^${FULL}$` }, (text, input) => {
  const found = text.length === 10 ? dateOf(text) : undefined;
  return found?.day ?? input.error({ message: `"${text}" is not a date`, hint: 'write e.g. 2027-12-31' });
});

const CALENDAR_FIELDS = {
  dates: {
    shape: oneOrMany(dates),
    about: 'Days, stretches of days (`2026-12-24..2027-01-01`), or days of each year (`12-25`).',
    examples: [['2026-12-25', '2026-12-28..2027-01-01', '05-01']],
  },
  weekdays: { shape: oneOrMany(weekdays), about: 'Days of the week.', examples: [['sat', 'sun'], 'mon-fri'] },
  ics: {
    shape: oneOrMany(is.path),
    about:
      'Files of the iCalendar format, relative to the job file: events that last whole days, once or once a year. They are watched as the job file is.',
    examples: ['./holidays.ics'],
  },
  include: { shape: oneOrMany(is.word), about: 'Other calendars whose days are in this one too.' },
  exclude: { shape: oneOrMany(is.word), about: 'Other calendars whose days are not in this one.' },
  known_until: {
    shape: date,
    about:
      'Until when its dates are all there. A year before, and without it a year before the last date, a warning asks for more.',
    examples: ['2028-12-31'],
  },
} as const satisfies Fields;

/** The top-level key. */
export const calendars = {
  shape: { kind: 'record', key: CALENDAR, keyIs: 'calendar name', of: map(CALENDAR_FIELDS) },
  about: 'Sets of days, by the names that `only` and `exclude` use.',
  examples: [
    {
      holidays: { ics: './holidays.ics' },
      weekend: { weekdays: ['sat', 'sun'] },
      workdays: { weekdays: 'mon-fri', exclude: 'holidays' },
    },
  ],
} as const satisfies Field;

/** The keys of a job. */
export const DAY_FIELDS = {
  only: {
    group: 'when',
    shape: oneOrMany(is.word),
    about: 'Names of `calendars`: no slots but on days of one of these. `none` where `defaults` name some.',
    examples: ['workdays'],
  },
  exclude: {
    group: 'when',
    shape: oneOrMany(is.word),
    about: 'Names of `calendars`: no slots on their days. `none` where `defaults` name some.',
    examples: [['holidays', 'weekend']],
  },
  roll: {
    group: 'when',
    shape: is.choice('skip', 'previous', 'next'),
    about:
      'What becomes of slots on other days: they are left out, or move to the nearest allowed day before or after, at the same time of day. Those that come to lie on one moment fire once.',
    default: 'skip',
  },
} as const satisfies Fields;
