/** The keys of `tests`: a part of the field table. */
import type { DayStretch, YearlyDays } from '../calendar.ts';
import type { Duration } from '../model.ts';
import { dates, weekdays } from './calendar-fields.ts';
import * as is from './scalars.ts';
import { map, oneOrMany, type Field } from './shape.ts';

export const tests = {
  shape: {
    kind: 'list',
    orOne: false,
    of: map({
      job: { shape: is.word, about: 'The job whose slots are looked at.' },
      fires_at: {
        shape: oneOrMany(is.instant),
        about: "Moments at which it must fire; without an offset in the job's zone.",
        examples: ['2027-01-04T09:00'],
      },
      never_at: { shape: oneOrMany(is.instant), about: 'Moments at which it must not fire.' },
      never_on: {
        shape: map(
          {
            calendar: { shape: oneOrMany(is.word), about: 'Days of calendars, by their names.' },
            weekdays: { shape: oneOrMany(weekdays), about: 'Days of the week.' },
            dates: { shape: oneOrMany(dates), about: 'Dates, as in calendars.' },
          },
          'calendar',
        ),
        about: 'Days on which it must not fire. A name is a calendar.',
      },
      never_within: {
        shape: map(
          {
            gap: { shape: is.duration(1000), about: 'Less than this apart no two slots may be.' },
            of: { shape: oneOrMany(is.word), about: 'The other jobs. Default: the job itself.' },
          },
          'gap',
        ),
        about: 'How near to slots of other jobs, or to its own next one, it must not fire.',
      },
      from: {
        shape: is.instant,
        about: 'Where the window of `never_on` and `never_within` begins. Default: now.',
      },
      to: { shape: is.instant, about: 'Where it ends. Default: a year later.' },
    }),
  },
  about: 'What `tsched validate` holds schedules against. A daemon does not look at it.',
  examples: [[{ job: 'report', fires_at: '2027-01-04T09:00', never_on: 'holidays' }]],
} as const satisfies Field;

/** What the reader makes of one of them. */
export interface TestValues {
  job?: string;
  fires_at?: readonly string[];
  never_at?: readonly string[];
  never_on?: {
    calendar?: readonly string[];
    weekdays?: readonly (readonly number[])[];
    dates?: readonly (DayStretch | YearlyDays)[];
  };
  never_within?: { gap?: Duration; of?: readonly string[] };
  from?: string;
  to?: string;
}
