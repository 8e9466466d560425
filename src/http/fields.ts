/** What a query or a body may hold: each field reads its value, and says in JSON Schema what it takes. */
import type { Arguments, Duration, Instant } from '../model.ts';
import { parseDuration } from '../schedule/duration.ts';
import { isProblem } from '../schedule/problem.ts';
import { suggest } from '../schedule/suggest.ts';
import { canonicalZone } from '../schedule/zone-name.ts';
import { HttpProblem } from './problem.ts';

export type Schema = Readonly<Record<string, unknown>>;

export interface Field<T> {
  readonly schema: Schema;
  readonly about: string;
  readonly required: boolean;
  /** @throws HttpProblem with `name` in its message. Undefined: it is not there. */
  read(value: unknown, name: string): T;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;
export type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** @throws HttpProblem */
export function readFields<F extends Fields>(
  fields: F,
  given: ReadonlyMap<string, unknown>,
  code: 'bad_request' | 'bad_body',
): Values<F> {
  for (const name of given.keys()) {
    if (Object.hasOwn(fields, name)) continue;
    const near = suggest(name, Object.keys(fields));
    const known = Object.keys(fields).join(', ') || 'nothing';
    const hint = near === undefined ? `it takes ${known}` : `did you mean "${near}"?`;
    throw new HttpProblem(code, `there is no "${name}" here`, { hint });
  }
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      const value = given.get(name);
      if (value === undefined && field.required) throw new HttpProblem(code, `"${name}" is missing`);
      return [name, field.read(value, name)];
    }),
  ) as Values<F>;
}

/** The field may be left out. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    ...field,
    required: false,
    read: (value, name) => (value === undefined ? undefined : field.read(value, name)),
  };
}

export function text(about: string, longest: number): Field<string> {
  return {
    schema: { type: 'string', maxLength: longest },
    about,
    required: true,
    read(value, name) {
      if (typeof value !== 'string') throw wrong(name, 'a text');
      if (value.length > longest) throw wrong(name, `a text of at most ${longest} characters`);
      return value;
    },
  };
}

export function whole(
  about: string,
  bounds: { least: number; most: number; otherwise: number },
): Field<number>;
export function whole(about: string, bounds: { least: number; most: number }): Field<number | undefined>;
export function whole(
  about: string,
  { least, most, otherwise }: { least: number; most: number; otherwise?: number },
): Field<number | undefined> {
  return {
    schema: {
      type: 'integer',
      minimum: least,
      maximum: most,
      ...(otherwise === undefined ? {} : { default: otherwise }),
    },
    about,
    required: false,
    read(value, name) {
      if (value === undefined) return otherwise;
      const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
      if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most)
        return number;
      throw wrong(name, `a whole number from ${least} to ${most}`);
    },
  };
}

export function flag(about: string): Field<boolean> {
  return {
    schema: { type: 'boolean', default: false },
    about,
    required: false,
    read(value, name) {
      if (value === undefined || value === false || value === 'false') return false;
      if (value === true || value === 'true') return true;
      throw wrong(name, 'true or false');
    },
  };
}

/** Any JSON object. */
export function object(about: string): Field<object> {
  return {
    schema: { type: 'object' },
    about,
    required: true,
    read(value, name) {
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
      throw wrong(name, 'a JSON object');
    },
  };
}

/** Texts without commas, with commas between. */
export function listOf(
  about: string,
  { most, longest }: { most: number; longest: number },
): Field<readonly string[]> {
  return {
    schema: { type: 'array', items: { type: 'string', maxLength: longest }, maxItems: most },
    about,
    required: true,
    read(value, name) {
      const found = typeof value === 'string' ? value.split(',').filter(Boolean) : [];
      if (found.length <= most && found.every(({ length }) => length <= longest)) return found;
      throw wrong(name, `at most ${most} texts of at most ${longest} characters, with commas between`);
    },
  };
}

/** Some of these words, with commas between. */
export function someOf<Word extends string>(about: string, words: readonly Word[]): Field<readonly Word[]> {
  return {
    schema: { type: 'array', items: { type: 'string', enum: words } },
    about,
    required: true,
    read(value, name) {
      const found = typeof value === 'string' ? value.split(',') : [];
      const isKnown = (word: string): word is Word => (words as readonly string[]).includes(word);
      if (found.length > 0 && found.every(isKnown)) return found;
      const odd = found.find((word) => !isKnown(word));
      const near = odd === undefined ? undefined : suggest(odd, words);
      throw wrong(
        name,
        `some of ${words.join(', ')}`,
        near === undefined ? undefined : `did you mean "${near}"?`,
      );
    },
  };
}

/** One of these words. */
export function oneOf<Word extends string>(about: string, words: readonly Word[]): Field<Word> {
  return {
    schema: { type: 'string', enum: words },
    about,
    required: true,
    read(value, name) {
      const word = words.find((each) => each === value);
      if (word !== undefined) return word;
      throw wrong(name, `one of ${words.join(', ')}`);
    },
  };
}

/** A moment with its offset. */
export function instant(about: string): Field<Instant> {
  return {
    schema: { type: 'string', format: 'date-time' },
    about,
    required: true,
    read(value, name) {
      const isWhole =
        typeof value === 'string' &&
        /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(value);
      const at = isWhole ? Date.parse(value.toUpperCase()) : Number.NaN;
      if (!Number.isNaN(at)) return at;
      throw wrong(name, 'a moment with its offset, e.g. 2027-01-31T02:00:00Z');
    },
  };
}

/** As the zone database spells it. */
export function zone(about: string): Field<string> {
  return {
    schema: { type: 'string', examples: ['Europe/Berlin'] },
    about,
    required: true,
    read(value, name) {
      const known = typeof value === 'string' ? canonicalZone(value) : undefined;
      if (known !== undefined) return known;
      throw wrong(name, 'an IANA time zone, e.g. Europe/Berlin or UTC');
    },
  };
}

export function duration(about: string): Field<Duration> {
  return {
    schema: { type: 'string', examples: ['30m', '1h30m'] },
    about,
    required: true,
    read(value, name) {
      const length = typeof value === 'string' ? parseDuration(value) : undefined;
      if (length !== undefined && !isProblem(length)) return length;
      throw wrong(name, 'a length of time, e.g. 30m or 1h30m');
    },
  };
}

/** Of what is given to a run: it goes into the environment of a process, which has little room. */
const MOST_GIVEN = 64;
const LONGEST_GIVEN = 32 * 1024;
const DEEPEST_GIVEN = 16;

/** Values by name, for a task. */
export function args(about: string): Field<Arguments> {
  const name = '^[A-Za-z_][A-Za-z0-9_-]{0,63}$';
  return {
    schema: { type: 'object', propertyNames: { pattern: name }, maxProperties: MOST_GIVEN },
    about,
    required: true,
    read(value, field) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw wrong(field, 'values by name, e.g. {"since": "2027-01-31"}');
      }
      for (const [key, each] of Object.entries(value)) {
        if (!new RegExp(name).test(key)) {
          throw wrong(
            field,
            'names of letters, digits, _ and -, that begin with none of the digits',
            `"${key}" is no such name`,
          );
        }
        if (typeof each === 'string' && each.includes('\0'))
          throw wrong(field, 'texts without the character NUL');
        if (isDeeper(each, DEEPEST_GIVEN)) throw wrong(field, `values nested at most ${DEEPEST_GIVEN} deep`);
      }
      const isLarge = Object.keys(value).length > MOST_GIVEN || JSON.stringify(value).length > LONGEST_GIVEN;
      if (isLarge) throw wrong(field, `at most ${MOST_GIVEN} names, and ${LONGEST_GIVEN} characters of JSON`);
      return value as Arguments;
    },
  };
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((each) => isDeeper(each, depth - 1));
}

function wrong(name: string, wanted: string, hint?: string): HttpProblem {
  return new HttpProblem('bad_request', `"${name}" takes ${wanted}`, { hint });
}
