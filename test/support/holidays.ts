/** The nationwide public holidays of Germany, worked out by themselves, and as the file one downloads. */

const DAY = 86_400_000;

/** Easter Sunday, by Gauss's rule as Lichtenberg completed it; a day counted from 1970. */
function easter(year: number): number {
  const k = Math.floor(year / 100);
  const m = 15 + Math.floor((3 * k + 3) / 4) - Math.floor((8 * k + 13) / 25);
  const s = 2 - Math.floor((3 * k + 3) / 4);
  const a = year % 19;
  const d = (19 * a + m) % 30;
  const r = Math.floor((d + Math.floor(a / 11)) / 29);
  const og = 21 + d - r;
  const sz = 7 - ((year + Math.floor(year / 4) + s) % 7);
  return Date.UTC(year, 2, og + (7 - ((og - sz) % 7))) / DAY;
}

/** Days from 1970, with names. */
export function germanHolidays(year: number): (readonly [day: number, name: string])[] {
  const at = (month: number, day: number): number => Date.UTC(year, month - 1, day) / DAY;
  const sunday = easter(year);
  return [
    [at(1, 1), 'Neujahr'],
    [sunday - 2, 'Karfreitag'],
    [sunday + 1, 'Ostermontag'],
    [at(5, 1), 'Tag der Arbeit'],
    [sunday + 39, 'Christi Himmelfahrt'],
    [sunday + 50, 'Pfingstmontag'],
    [at(10, 3), 'Tag der Deutschen Einheit'],
    [at(12, 25), '1. Weihnachtsfeiertag'],
    [at(12, 26), '2. Weihnachtsfeiertag'],
  ];
}

/** As they are given away: what moves is listed year by year, what does not is a rule, Christmas is two days long. */
export function germanIcs(years: readonly number[]): string {
  const stamp = (day: number): string => new Date(day * DAY).toISOString().slice(0, 10).replaceAll('-', '');
  const [first = 0] = years;
  const fixed = (day: string, days: number, name: string): string[] => [
    'BEGIN:VEVENT',
    `UID:${day}@example.com`,
    `DTSTART;VALUE=DATE:${first}${day}`,
    ...(days === 1 ? [] : [`DURATION:P${days}D`]),
    'RRULE:FREQ=YEARLY',
    `SUMMARY;LANGUAGE=de:${name}`,
    'TRANSP:TRANSPARENT',
    'BEGIN:VALARM',
    'TRIGGER:-PT15M',
    'END:VALARM',
    'END:VEVENT',
  ];
  const moving = years.flatMap((year) =>
    germanHolidays(year)
      .filter(([, name]) => /Kar|Oster|Himmel|Pfingst/.test(name))
      .flatMap(([day, name]) => [
        'BEGIN:VEVENT',
        `UID:${stamp(day)}@example.com`,
        `DTSTART;VALUE=DATE:${stamp(day)}`,
        `DTEND;VALUE=DATE:${stamp(day + 1)}`,
        `SUMMARY:${name.slice(0, 5)}`,
        ` ${name.slice(5)}`,
        'END:VEVENT',
      ]),
  );
  return [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    ...fixed('0101', 1, 'Neujahr'),
    ...fixed('0501', 1, 'Tag der Arbeit'),
    ...fixed('1003', 1, 'Tag der Deutschen Einheit'),
    ...fixed('1225', 2, 'Weihnachten'),
    ...moving,
    'END:VCALENDAR',
    '',
  ].join('\r\n');
}
