import { describe, expect, it } from 'vitest';
import type { JobDefinition } from '../../src/model.ts';
import { compileSchedule } from '../../src/schedule/trigger.ts';
import { germanHolidays, germanIcs } from '../support/holidays.ts';
import { Files, lines } from './support.ts';

const DAY = 86_400_000;
const YEARS = [2026, 2027, 2028];

function file(days: string, cron: string): string {
  return `timezone: Europe/Berlin
calendars:
  holidays: { ics: ./de.ics }
  weekend: { weekdays: [sat, sun] }
  workdays: { weekdays: mon-fri, exclude: holidays }
jobs:
  j: { cron: "${cron}", run: x, ${days} }
  uses: { cron: "@daily", run: x, only: workdays, exclude: weekend }
`;
}

/** `YYYY-MM-DD HH:MM` of every slot in the three years, as clocks in Berlin show it. */
function slots({ schedule, id }: JobDefinition): string[] {
  const trigger = compileSchedule(schedule, id);
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: 'Europe/Berlin',
    dateStyle: 'short',
    timeStyle: 'short',
  });
  const found: string[] = [];
  const end = Date.UTC(2029, 0, 1) - 3_600_000;
  let at = trigger.next(Date.UTC(2026, 0, 1) - 3_600_001);
  for (; at !== undefined && at < end; at = trigger.next(at)) found.push(format.format(at));
  return found;
}

const holidays = new Set([...YEARS, 2029].flatMap((year) => germanHolidays(year).map(([day]) => day)));
const isBusiness = (day: number): boolean => new Date(day * DAY).getUTCDay() % 6 !== 0 && !holidays.has(day);
const date = (day: number): string => new Date(day * DAY).toISOString().slice(0, 10);

/** Days of the three years that fit, each moved by the rule or left out. */
function table(fits: (day: Date) => boolean, roll: 'skip' | 'previous' | 'next', time: string): string[] {
  const found = new Set<string>();
  for (let day = Date.UTC(2026, 0, 1) / DAY; day < Date.UTC(2029, 0, 20) / DAY; day += 1) {
    if (!fits(new Date(day * DAY))) continue;
    const step = { skip: 0, next: 1, previous: -1 }[roll];
    let to = day;
    for (let tried = 0; tried < 20 && !isBusiness(to); tried += 1) to += step;
    if (isBusiness(to) && date(to) >= '2026' && date(to) < '2029') found.add(`${date(to)} ${time}`);
  }
  return [...found].sort();
}

describe('the public holidays of Germany and the weekends, over three years', () => {
  it.each([
    ['skip', '30 9 * * *', () => true, '09:30'],
    ['next', '30 9 * * *', () => true, '09:30'],
    ['next', '0 6 1 * *', (day: Date) => day.getUTCDate() === 1, '06:00'],
    ['previous', '0 6 1 * *', (day: Date) => day.getUTCDate() === 1, '06:00'],
    ['previous', '45 23 * * 5', (day: Date) => day.getUTCDay() === 5, '23:45'],
    [
      'next',
      '30 2 25 3,10,12 *',
      (day: Date) => day.getUTCDate() === 25 && /^(2|9|11)$/.test(`${day.getUTCMonth()}`),
      '02:30',
    ],
    ['skip', '0 0 3 10 *', (day: Date) => day.getUTCMonth() === 9 && day.getUTCDate() === 3, '00:00'],
  ] as const)('%s, %s', async (roll, cron, fits, time) => {
    using files = new Files();
    files.write('de.ics', germanIcs(YEARS));
    for (const days of ['exclude: [holidays, weekend]', 'only: workdays']) {
      const job = await files.job(file(`${days}, roll: ${roll}`, cron));
      const expected = table(fits, roll, time);
      expect(expected.length).toBeGreaterThan(roll === 'skip' && cron === '0 0 3 10 *' ? -1 : 8);
      expect(slots(job)).toEqual(expected);
    }
  });
});

/** What is found in a file with these calendars; the job uses `c`. */
async function said(calendars: string, more: { ics?: string; job?: string } = {}): Promise<string[]> {
  using files = new Files();
  files.write('c.ics', more.ics ?? '');
  const text = `calendars:\n  c: ${calendars}\njobs:\n  j: { every: 1h, run: x, ${more.job ?? 'exclude: c'} }\n`;
  const said = lines(await files.load(text));
  return said.map((line) => line.replaceAll(files.directory, '.'));
}

describe('calendars', () => {
  it('take dates, stretches, days of each year and days of the week', async () => {
    using files = new Files();
    const { schedule } = await files.job(`calendars:
  c: { dates: [2027-02-03, 2027-02-01..2027-02-04, 12-24..01-02, 02-29], weekdays: [fri-mon, wednesday], known_until: 2030-01-01 }
jobs:
  j: { every: 1h, run: x, exclude: c, roll: next }
`);
    const day = Date.UTC(2027, 1, 1) / DAY;
    expect(schedule.days).toEqual({
      exclude: [
        {
          name: 'c',
          weekdays: [0, 1, 3, 5, 6],
          days: [{ from: day, through: day + 3 }],
          yearly: [
            { month: 12, on: 24, length: 10 },
            { month: 2, on: 29 },
          ],
        },
      ],
      roll: 'next',
    });
  });

  it('may be left out where defaults name them', async () => {
    using files = new Files();
    const text = (own: string): string =>
      `defaults: { exclude: c }\ncalendars: { c: { weekdays: sun } }\njobs:\n  j: { every: 1h, run: x${own} }\n`;
    expect((await files.job(text(''))).schedule.days?.exclude).toHaveLength(1);
    expect((await files.job(text(', exclude: none'))).schedule.days).toBeUndefined();
  });

  it.each([
    [
      '{ dates: [2026-02-30] }',
      '2:16 error calendars.c.dates.0: "2026-02-30" is not a date | write 2026-12-25, 2026-12-24..2027-01-01, or 12-25 for each year',
    ],
    [
      '{ dates: 2026-12-25..2026-12-24 }',
      '2:15 error calendars.c.dates: 2026-12-25..2026-12-24 ends before it begins',
    ],
    [
      '{ weekdays: [sa] }',
      '2:19 error calendars.c.weekdays.0: "sa" is not a day of the week | write e.g. sat, or mon-fri',
    ],
    ['{ include: d }', '2:3 error calendars.c: there is no calendar "d" | did you mean "c"?'],
    ['{ include: c }', '2:3 error calendars.c: calendars include one another: c → c'],
    [
      '{ weekdays: mon-sun }',
      '4:27 error jobs.j.exclude: its calendars leave no day within the next ten years | look at only: and exclude:',
    ],
    [
      '{ dates: 2026-12-25 }',
      '2:3 warning calendars.c: its dates are known until 2026-12-25 only | add those of the years after, or say known_until: where they are complete',
    ],
    ['{ dates: 2026-12-25, known_until: 2028-12-31 }', undefined],
    [
      '{ dates: [2026-12-25, 12-26], known_until: 2026-12-31 }',
      '2:3 warning calendars.c: its dates are known until 2026-12-31 only | add those of the years after, or say known_until: where they are complete',
    ],
    [
      '{}',
      '2:3 error calendars.c: nothing says which days are in it | add dates:, weekdays:, ics: or include:',
    ],
    [
      '{ known_until: 2030-01-01 }',
      '2:3 error calendars.c: nothing says which days are in it | add dates:, weekdays:, ics: or include:',
    ],
    ['1', '2:6 error calendars.c: expected a mapping (key: value), got 1'],
    ['{ ics: ./none.ics }', '2:3 error calendars.c: ./none.ics: there is no such file'],
  ])('%s', async (calendar, expected) => {
    expect(await said(calendar)).toEqual(expected === undefined ? [] : [expected]);
  });

  it('are told when nobody uses them, and when nobody knows the name', async () => {
    expect(await said('{ weekdays: sun }', { job: 'exclude: d' })).toEqual([
      '4:27 error jobs.j.exclude: there is no calendar "d" | did you mean "c"?',
      '2:3 warning calendars.c: no job uses the calendar "c" | write exclude: c, or only: c, in a job or in defaults',
    ]);
    expect(await said('{ weekdays: sun }', { job: 'tags: a, only: c, roll: next' })).toEqual([]);
  });
});

const event = (...more: string[]): string =>
  ['BEGIN:VCALENDAR', 'BEGIN:VEVENT', ...more, 'END:VEVENT', 'END:VCALENDAR'].join('\n');

describe('an iCalendar file', () => {
  it.each([
    ['', 'this is not an iCalendar file | it begins with BEGIN:VCALENDAR'],
    ['BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20270101\n', 'it ends within VEVENT; was it cut off?'],
    [
      event('DTSTART:20270101T090000Z'),
      'line 3: DTSTART has a time of day (20270101T090000Z); a calendar is made of whole days | take that event out, or make it one that lasts all day',
    ],
    [event('DTSTART;VALUE=DATE:20270229'), 'line 3: DTSTART is not a date: 20270229'],
    [event('SUMMARY:x'), 'an event has no DTSTART'],
    [
      event('DTSTART:20270101', 'RRULE:FREQ=WEEKLY;BYDAY=MO'),
      'line 4: RRULE with FREQ=WEEKLY is not understood: only what comes once a year is | for days of the week write weekdays: in the calendar; for anything else list the dates',
    ],
    [
      event('DTSTART:20270101', 'RRULE:FREQ=YEARLY;BYWEEKNO=20'),
      'line 4: RRULE with BYWEEKNO is not understood: only what comes once a year is | for days of the week write weekdays: in the calendar; for anything else list the dates',
    ],
    [event('DTSTART:20270105', 'DTEND:20270101'), 'line 4: DTEND is before DTSTART'],
  ])('%j', async (ics, expected) => {
    expect(await said('{ ics: ./c.ics }', { ics })).toEqual([`2:3 error calendars.c: ./c.ics: ${expected}`]);
  });

  it.each([
    ['of nothing', 'BEGIN:VCALENDAR\nEND:VCALENDAR\n'],
    ['of tasks', 'BEGIN:VCALENDAR\nBEGIN:VTODO\nDTSTART:20270101\nEND:VTODO\nEND:VCALENDAR\n'],
    ['of what is cancelled', event('DTSTART:20270101', 'STATUS:CANCELLED')],
  ])('%s has no day, which is told', async (_, ics) => {
    expect(await said('{ ics: ./c.ics, weekdays: sun }', { ics })).toEqual([
      '2:8 warning calendars.c.ics: ./c.ics: it has no day, so nothing is excluded or allowed by it | what counts are events (VEVENT) that last whole days and are not cancelled',
    ]);
  });

  it('gives days by date, by weekday of the month, until a year, for a number of years, without exceptions', async () => {
    using files = new Files();
    files.write(
      'c.ics',
      [
        event(
          'DTSTART:20261126',
          'RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=2',
          'SUMMARY:Thanks\\, giving',
        ),
        event('DTSTART:20260525', 'RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;UNTIL=20271231T000000Z'),
        event('DTSTART:20260704', 'RRULE:FREQ=YEARLY', 'EXDATE;VALUE=DATE:20270704'),
        event('DTSTART:20260810', 'RDATE:20270811,20280812', 'DTEND:20260812'),
        event('DTSTART:20260101', 'STATUS:CANCELLED', 'RRULE:FREQ=DAILY'),
      ].join('\n'),
    );
    const job = await files.job(
      'calendars: { c: { ics: c.ics } }\njobs:\n  j: { cron: "0 0 * * *", timezone: UTC, run: x, only: c }\n',
    );
    const trigger = compileSchedule(job.schedule, 'j');
    const found: string[] = [];
    for (
      let at = trigger.next(Date.UTC(2026, 0, 1));
      at !== undefined && found.length < 13;
      at = trigger.next(at)
    )
      found.push(new Date(at).toISOString().slice(0, 10));
    expect(found).toEqual([
      '2026-05-25',
      '2026-07-04',
      '2026-08-10',
      '2026-08-11',
      '2026-11-26',
      '2027-05-31',
      '2027-08-11',
      '2027-08-12',
      '2027-11-25',
      '2028-07-04',
      '2028-08-12',
      '2028-08-13',
      '2029-07-04',
    ]);
    expect(job.schedule.days?.only?.[0]?.yearly?.[0]?.name).toBe('Thanks, giving');
  });

  it('is watched, and a change of it is a change of the set', async () => {
    using files = new Files();
    const path = files.write('de.ics', germanIcs(YEARS));
    const text = file('exclude: holidays', '0 9 * * *');
    const before = await files.loaded(text);
    files.write('de.ics', germanIcs([2026, 2027, 2028, 2029]));
    const after = await files.loaded(text);
    expect(before.watched).toContain(path);
    expect(after.hash).not.toBe(before.hash);
  });
});
