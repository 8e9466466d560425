/** The calendars of all files of a job set: what they come to, and what jobs make of them. */
import type { Calendar, Day, DayRule, DayStretch, YearlyDays } from '../calendar.ts';
import type { Instant } from '../model.ts';
import { allowedFrom, dateOf, inOrder } from '../schedule/calendar.ts';
import { isProblem, type Problem } from '../schedule/problem.ts';
import { suggest } from '../schedule/suggest.ts';
import { readIcs, type IcsDays } from './ics.ts';
import type { Outline } from './outline.ts';
import type { Values } from './read.ts';
import { readBytes, type Bytes } from './source.ts';
import type { TestValues } from './test-fields.ts';

/** What the reader makes of CALENDAR_FIELDS. */
interface CalendarValues {
  dates?: readonly (DayStretch | YearlyDays)[];
  weekdays?: readonly (readonly number[])[];
  ics?: readonly string[];
  include?: readonly string[];
  exclude?: readonly string[];
  known_until?: Day;
}

/** How a job names calendars. */
export interface CalendarUse {
  readonly only?: readonly string[];
  readonly exclude?: readonly string[];
  readonly roll?: DayRule['roll'];
}

type Complain = (key: string, problem: Problem) => void;

/** Stands for no calendar, where `defaults` would name some. */
const NO_CALENDAR = 'none';

const MAX_ICS = 1024 * 1024;
/** Entries of a calendar with all that it is made of: it is a part of each job's schedule. */
const MOST_ENTRIES = 4000;
/** How long before a calendar ends people are told. */
const YEAR = 365;
const USES = ['only', 'exclude'] as const;
/** The keys that give a calendar days. */
const DAYS = ['dates', 'weekdays', 'ics', 'include'] as const;

interface Listed {
  readonly outline: Outline;
  readonly values: CalendarValues;
}

export class CalendarBook {
  readonly #listed = new Map<string, Listed>();
  /** Names in tests, which count as uses whether or not they are run. */
  readonly #tested: string[] = [];
  readonly #made = new Map<string, Calendar | undefined>();
  readonly #entries = new Map<string, number>();
  /** The names on the way down, to find circles. */
  readonly #open: string[] = [];
  readonly #used = new Set<string>();
  readonly #rules = new Map<string, DayRule | Problem>();
  readonly #files = new Map<string, IcsDays | Problem>();
  readonly #seen: (path: string, file: Bytes) => void;
  readonly #today: Day;

  /** `seen` is told of each file that is read. */
  constructor(seen: (path: string, file: Bytes) => void, now: Instant) {
    this.#seen = seen;
    this.#today = Math.floor(now / 86_400_000);
  }

  /** Takes in those of one file. */
  add(outline: Outline): void {
    for (const test of (outline.settings['tests'] ?? []) as readonly TestValues[])
      this.#tested.push(...(test.never_on?.calendar ?? []));
    const values = (outline.settings['calendars'] ?? {}) as Readonly<Record<string, CalendarValues>>;
    for (const name of outline.namesIn('calendars')) {
      const first = this.#listed.get(name);
      if (first !== undefined && first.outline !== outline) {
        const message = `the calendar "${name}" is in ${first.outline.source.name} too`;
        this.#complain(outline, name, { message, hint: 'rename one' });
      }
      if (name === NO_CALENDAR)
        this.#complain(outline, name, { message: '"none" stands for no calendar', hint: 'rename it' });
      this.#listed.set(name, { outline, values: values[name] ?? {} });
    }
  }

  /** Works out all of them, and reports what is wrong with them, used or not. */
  make(): void {
    for (const name of this.#listed.keys()) this.#calendar(name);
    for (const name of this.#tested) this.#use(name);
  }

  /** Reports names that are no calendar's, where a job or `defaults` has them. */
  check(use: Values, complain: Complain): void {
    for (const key of USES) {
      for (const name of (use[key] ?? []) as readonly string[]) {
        const problem = name === NO_CALENDAR ? undefined : this.#unknown(name);
        if (problem !== undefined) complain(key, problem);
      }
    }
  }

  /** The calendar of a name, for what else speaks of days. */
  named(name: string): Calendar | Problem {
    return this.#made.get(name) ?? this.#unknown(name) ?? { message: `the calendar "${name}" has mistakes` };
  }

  /** What the keys of a job come to; undefined where no calendar has a say. */
  rule({ only = [], exclude = [], roll = 'skip' }: CalendarUse, complain: Complain): DayRule | undefined {
    const key = JSON.stringify([only, exclude, roll]);
    let rule = this.#rules.get(key);
    if (rule === undefined) this.#rules.set(key, (rule = this.#rule(only, exclude, roll)));
    if (isProblem(rule)) {
      complain(exclude.length > 0 ? 'exclude' : 'only', rule);
      return undefined;
    }
    return rule.only === undefined && rule.exclude === undefined ? undefined : rule;
  }

  /** To be called when all that uses them is known. */
  warn(): void {
    for (const [name, { outline, values }] of this.#listed) {
      const problem = this.#used.has(name)
        ? this.#endsSoon(name, values)
        : {
            message: `no job uses the calendar "${name}"`,
            hint: `write exclude: ${name}, or only: ${name}, in a job or in defaults`,
          };
      if (problem !== undefined)
        outline.reader.warning(outline.spanIn('calendars', name), `calendars.${name}`, problem);
    }
  }

  #rule(only: readonly string[], exclude: readonly string[], roll: DayRule['roll']): DayRule | Problem {
    const [some, none] = [only, exclude].map((names) => {
      for (const name of names) this.#use(name);
      return names.map((name) => this.#made.get(name)).filter((calendar) => calendar !== undefined);
    });
    const rule = {
      ...(some === undefined || some.length === 0 ? {} : { only: some }),
      ...(none === undefined || none.length === 0 ? {} : { exclude: none }),
      roll,
    };
    return allowedFrom(rule, this.#today) === undefined
      ? {
          message: 'its calendars leave no day within the next ten years',
          hint: 'look at only: and exclude:',
        }
      : rule;
  }

  #use(name: string): void {
    if (this.#used.has(name)) return;
    this.#used.add(name);
    const { include = [], exclude = [] } = this.#listed.get(name)?.values ?? {};
    for (const other of [...include, ...exclude]) this.#use(other);
  }

  #calendar(name: string): Calendar | undefined {
    if (this.#made.has(name)) return this.#made.get(name);
    const listed = this.#listed.get(name);
    if (listed === undefined) return undefined;
    const begun = this.#open.indexOf(name);
    if (begun !== -1) {
      const circle = [...this.#open.slice(begun), name].join(' → ');
      this.#complain(listed.outline, name, { message: `calendars include one another: ${circle}` });
      return undefined;
    }
    this.#open.push(name);
    const calendar = this.#build(name, listed);
    this.#open.pop();
    this.#made.set(name, calendar);
    return calendar;
  }

  #build(name: string, { outline, values }: Listed): Calendar | undefined {
    const { dates = [], weekdays = [], ics = [] } = values;
    this.#complainOfNone(name);
    const parts: IcsDays[] = [
      {
        days: dates.filter((date) => 'from' in date),
        yearly: dates.filter((date) => 'month' in date),
      },
    ];
    for (const path of ics) {
      const read = this.#file(path);
      if (isProblem(read)) {
        this.#complain(outline, name, read);
        continue;
      }
      parts.push(read);
      if (read.days.length > 0 || read.yearly.length > 0) continue;
      outline.reader.warning(outline.spanAt('calendars', name, 'ics'), `calendars.${name}.ics`, {
        message: `${path}: it has no day, so nothing is excluded or allowed by it`,
        hint: 'what counts are events (VEVENT) that last whole days and are not cancelled',
      });
    }
    const days = inOrder(parts.flatMap((part) => part.days));
    const yearly = parts.flatMap((part) => part.yearly);
    const include = this.#others(name, 'include');
    const exclude = this.#others(name, 'exclude');
    const within = [...include, ...exclude].map((other) => this.#entries.get(other.name) ?? 0);
    const entries = within.reduce((sum, count) => sum + count, days.length + yearly.length + 1);
    this.#entries.set(name, entries);
    if (entries > MOST_ENTRIES) {
      const message = `the calendar comes to ${entries} entries; at most ${MOST_ENTRIES} are possible`;
      this.#complain(outline, name, { message, hint: 'leave out years that are long past' });
      return undefined;
    }
    return {
      name,
      ...(weekdays.length === 0 ? {} : { weekdays: [...new Set(weekdays.flat())].sort((a, b) => a - b) }),
      ...(days.length === 0 ? {} : { days }),
      ...(yearly.length === 0 ? {} : { yearly }),
      ...(include.length === 0 ? {} : { include }),
      ...(exclude.length === 0 ? {} : { exclude }),
    };
  }

  /** A key or a whole calendar that was refused has been spoken of. */
  #complainOfNone(name: string): void {
    const { outline, values } = this.#listed.get(name) ?? {};
    const written = (outline?.settings['calendars'] ?? {}) as Values;
    if (outline === undefined || !(name in written) || DAYS.some((key) => key in (values ?? {}))) return;
    const message = 'nothing says which days are in it';
    this.#complain(outline, name, { message, hint: 'add dates:, weekdays:, ics: or include:' });
  }

  #others(name: string, key: 'include' | 'exclude'): Calendar[] {
    const { outline, values } = this.#listed.get(name) ?? {};
    return [...new Set(values?.[key])].flatMap((other) => {
      const problem = this.#unknown(other);
      if (problem !== undefined && outline !== undefined) this.#complain(outline, name, problem);
      return this.#calendar(other) ?? [];
    });
  }

  #file(path: string): IcsDays | Problem {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const file = readBytes(path, MAX_ICS);
    this.#seen(path, file);
    const read = file.ok ? readIcs(file.bytes) : { message: file.message };
    const result = isProblem(read) ? { ...read, message: `${path}: ${read.message}` } : read;
    this.#files.set(path, result);
    return result;
  }

  #endsSoon(name: string, { known_until: known }: CalendarValues): Problem | undefined {
    const last = known ?? knownUntil(this.#made.get(name));
    if (last === undefined || last >= this.#today + YEAR) return undefined;
    const message = `its dates are known until ${dateOf(last)} only`;
    return { message, hint: 'add those of the years after, or say known_until: where they are complete' };
  }

  #unknown(name: string): Problem | undefined {
    if (this.#listed.has(name)) return undefined;
    const names = [...this.#listed.keys()];
    const near = suggest(name, names);
    const others = names.length === 0 ? 'name it under calendars:' : `calendars: ${names.join(', ')}`;
    const hint = near === undefined ? others : `did you mean "${near}"?`;
    return { message: `there is no calendar "${name}"`, hint };
  }

  #complain(outline: Outline, name: string, problem: Problem): void {
    outline.reader.problem(outline.spanIn('calendars', name), `calendars.${name}`, problem);
  }
}

/** The last day that it lists itself; undefined where it lists none, or only what comes each year without end. */
function knownUntil(calendar: Calendar | undefined): Day | undefined {
  const last = calendar?.days?.at(-1)?.through;
  if (last !== undefined || calendar?.yearly === undefined) return last;
  const ends = calendar.yearly.map(({ until = Number.POSITIVE_INFINITY }) => until);
  return Number.isFinite(Math.max(...ends)) ? Math.max(...ends) : undefined;
}
