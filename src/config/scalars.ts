/** The kinds of single values a job file knows: what each accepts, how it is described, what it becomes. */
import { resolve } from 'node:path';
import { parseInstant } from '../schedule/at.ts';
import { checkCron } from '../schedule/cron.ts';
import { formatDuration, parseDuration } from '../schedule/duration.ts';
import { isProblem, type Problem } from '../schedule/problem.ts';
import { suggest } from '../schedule/suggest.ts';
import { checkZone } from '../schedule/zone-name.ts';
import type { JsonSchema, ScalarInput, ScalarType } from './shape.ts';

/** A value that YAML gives as text. Numbers and booleans are refused with the advice to quote them. */
export function textual(
  expects: string,
  schema: JsonSchema,
  read: (text: string, input: ScalarInput) => unknown,
): ScalarType {
  return {
    kind: 'scalar',
    expects,
    schema: { type: 'string', ...schema },
    interpolated: true,
    read(input) {
      if (typeof input.value === 'string') return read(input.value, input);
      const what = typeof input.value === 'number' ? 'a number' : `the boolean ${String(input.value)}`;
      return input.error({
        message: `expected ${expects}, got ${what}`,
        hint: `quote it: "${input.source}"`,
      });
    },
  };
}

export const text: ScalarType = textual('text', {}, (value) => value);

/** Text in which `${NAME}` is the shell's, not ours. */
export const verbatim: ScalarType = { ...text, interpolated: false };

/** The same, as one of the arguments of a program. */
export const argument: ScalarType = withoutNul(verbatim, 'argument');

/** Text that must say something. */
export const word: ScalarType = textual('text', { minLength: 1 }, (value, input) =>
  value.trim() === '' ? input.error({ message: 'must not be empty' }) : value,
);

/** What is to be the value of an environment variable, or an argument, in which NUL is the end: execve(2). */
export function withoutNul(type: ScalarType, holder: 'variable' | 'argument' = 'variable'): ScalarType {
  return {
    ...type,
    read: (input) =>
      String(input.value).includes('\0')
        ? input.error({ message: `it holds a NUL character, which no ${holder} can hold` })
        : type.read(input),
  };
}

export const script: ScalarType = withoutNul(
  { ...word, expects: 'a shell line', interpolated: false },
  'argument',
);

/** A user or a group: name or number. */
export const account: ScalarType = {
  kind: 'scalar',
  expects: 'a name or a number',
  schema: { type: ['string', 'integer'], minLength: 1, minimum: 0 },
  interpolated: true,
  read(input) {
    const value = String(input.value);
    const plain =
      typeof input.value === 'number'
        ? wholeNumber(input) !== undefined
        : input.value !== true && input.value !== false;
    if (plain && /^[\w.][\w.@$-]*$/.test(value)) return value;
    return input.error({ message: `expected a name or a number, got "${value}"` });
  },
};

const YES_NO = new Map([
  ...'yes on y true'.split(' ').map((w) => [w, true] as const),
  ...'no off n false'.split(' ').map((w) => [w, false] as const),
]);

export const flag: ScalarType = {
  kind: 'scalar',
  expects: 'true or false',
  schema: { type: 'boolean' },
  interpolated: true,
  read(input) {
    const { value } = input;
    if (typeof value === 'boolean') return value;
    if (input.interpolated && (value === 'true' || value === 'false')) return value === 'true';
    const meant = YES_NO.get(String(value).toLowerCase());
    if (meant === undefined) return input.error({ message: `expected true or false, got ${quoted(input)}` });
    return input.error({ message: `${input.source} is text in YAML 1.2`, hint: `write ${String(meant)}` });
  },
};

export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): ScalarType {
  const bound = max === Number.MAX_SAFE_INTEGER ? { minimum: min } : { minimum: min, maximum: max };
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`;
  return {
    kind: 'scalar',
    expects: `a whole number ${range}`,
    schema: { type: 'integer', ...bound },
    interpolated: true,
    read(input) {
      const number = wholeNumber(input);
      if (number === undefined) {
        return input.error({
          message: `expected a whole number ${range}, got ${quoted(input)}`,
          ...numberHint(input),
        });
      }
      if (/^[-+]?0\d/.test(input.source)) {
        const hint = `write ${number}`;
        return input.error({ message: `${input.source} has a leading zero, which YAML ignores`, hint });
      }
      return number >= min && number <= max
        ? number
        : input.error({ message: `expected a whole number ${range}, got ${number}` });
    },
  };
}

function wholeNumber({ value, interpolated }: ScalarInput): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  return interpolated && /^-?\d{1,15}$/.test(String(value)) ? Number(value) : undefined;
}

function numberHint({ value }: ScalarInput): { hint?: string } {
  const digits = /^(-?\d[\d_]*)$/.exec(String(value))?.[1];
  return digits === undefined ? {} : { hint: `write ${digits.replaceAll('_', '')}` };
}

export function choice(...of: string[]): ScalarType {
  const expects = of.length === 2 ? of.join(' or ') : `one of ${of.join(', ')}`;
  return {
    kind: 'scalar',
    expects,
    schema: { type: 'string', enum: of },
    interpolated: true,
    read(input) {
      if (of.includes(String(input.value))) return input.value;
      const near = suggest(String(input.value), of);
      const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` };
      return input.error({ message: `expected ${expects}, got ${quoted(input)}`, ...hint });
    },
  };
}

/** A duration of at least `least` milliseconds. */
export function duration(least = 0): ScalarType {
  return {
    kind: 'scalar',
    expects: 'a duration such as 30s',
    schema: { type: 'string', pattern: '^\\s*(0|(\\d+(\\.\\d+)?\\s*(ms|s|m|h|d|w)\\s*)+)$' },
    interpolated: true,
    read(input) {
      const { value } = input;
      if (typeof value !== 'string') {
        const hint = Number.isFinite(value) ? `add a unit: ${value}s` : 'write e.g. 30s, 10m or 1h30m';
        return input.error({ message: `expected a duration, got ${input.source}`, hint });
      }
      const parsed = parseDuration(value);
      if (isProblem(parsed)) return input.error(parsed);
      return parsed >= least
        ? parsed
        : input.error({ message: `${value} is too short`, hint: `at least ${formatDuration(least)}` });
    },
  };
}

/** Words by which people say that there is no bound. */
const UNBOUNDED: ReadonlySet<string> = new Set([
  'any',
  'never',
  'forever',
  'infinite',
  'infinity',
  'unlimited',
  'all',
  'off',
  'no',
  '-1',
]);

/** The greatest age of something: a duration of at least a minute, or "none" where age does not matter. */
export const age: ScalarType = {
  ...duration(60_000),
  expects: 'a duration such as 90d, or none',
  schema: { type: 'string', pattern: '^\\s*(none|(\\d+(\\.\\d+)?\\s*(ms|s|m|h|d|w)\\s*)+)$' },
  read(input) {
    const written = String(input.value);
    if (written === 'none') return 'none';
    if (!UNBOUNDED.has(written.toLowerCase())) return duration(60_000).read(input);
    const hint = 'write none where nothing is too old';
    return input.error({ message: `expected a duration or none, got ${quoted(input)}`, hint });
  },
};

const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** A number of bytes. */
export const size: ScalarType = {
  kind: 'scalar',
  expects: 'a size such as 10MB',
  schema: { type: 'string', pattern: '^\\d+(\\.\\d+)? ?([kKMGT]i?)?B$' },
  interpolated: true,
  read(input) {
    const match = /^(\d+(?:\.\d+)?) ?((?:[kKMGT]i?)?B)$/.exec(String(input.value));
    const unit = UNITS[match?.[2]?.toUpperCase() ?? ''];
    if (match !== null && unit !== undefined) return Math.round(Number(match[1]) * unit);
    const bare = /^\d+$/.test(String(input.value));
    const hint = bare
      ? `add a unit: ${String(input.value)}B, or e.g. 10MB`
      : 'write e.g. 512KiB, 10MB or 1GB';
    return input.error({ message: `expected a size, got ${quoted(input)}`, hint });
  },
};

/** A moment. Stays text: without an offset it is local time of the job's zone, which is known only later. */
export const instant: ScalarType = textual(
  'an instant such as 2027-01-31T02:00:00+01:00',
  { pattern: '^\\d{4}-\\d{2}-\\d{2}' },
  (value, input) => {
    const parsed = parseInstant(value, 'UTC');
    return 'message' in parsed ? input.error(parsed) : value;
  },
);

export const cron: ScalarType = textual('a cron expression', { minLength: 1 }, (value, input) => {
  const result = checkCron(value, input.jobId);
  const comment = /^\s+(#[^\s#]\S*)/.exec(input.after)?.[1];
  if (comment !== undefined) {
    const hint = `if it belongs to the schedule, write "${value}${comment}"`;
    input.warn({ message: `${comment} is a comment to YAML, not part of the schedule`, hint });
  }
  for (const warning of result.warnings) input.warn(warning);
  for (const error of result.errors) input.error(error);
  return result.errors.length === 0 ? value : undefined;
});

export const zone: ScalarType = textual(
  'a time zone such as Europe/Berlin',
  { minLength: 1 },
  (value, input) => {
    const problem = checkZone(value);
    return problem === undefined ? value : input.error(problem);
  },
);

/** A path; becomes absolute. */
export const path: ScalarType = textual('a path', { minLength: 1 }, (value, input) => {
  const problem = pathProblem(value);
  return problem === undefined ? resolve(input.directory, value) : input.error(problem);
});

/** A path that may start with "?": then the file need not be there. The "?" stays. */
export const optionalPath: ScalarType = textual('a path', { minLength: 1 }, (value, input) => {
  const bare = value.replace(/^\?\s*/, '');
  const problem = pathProblem(bare);
  if (problem !== undefined) return input.error(problem);
  return `${bare === value ? '' : '?'}${resolve(input.directory, bare)}`;
});

function pathProblem(value: string): Problem | undefined {
  if (value === '') return { message: 'must not be empty' };
  if (value.includes('\0')) return { message: 'a path cannot hold a NUL character' };
  if (/^~(\/|$)/.test(value)) return { message: '~ is not expanded', hint: 'write ${HOME} instead' };
  return undefined;
}

let signals: readonly string[] | undefined;

/** The signals of this system, without SIG. Asked for when needed: `node:os` takes a millisecond to load. */
function signalNames(): readonly string[] {
  const { constants } = process.getBuiltinModule('node:os');
  return (signals ??= Object.keys(constants.signals).map((name) => name.slice(3)));
}

/** With and without SIG. */
function signalSpellings(): readonly string[] {
  return [...signalNames(), ...signalNames().map((name) => `SIG${name}`)];
}

/** A signal, with or without SIG; becomes the bare name, e.g. "TERM". */
export const signal: ScalarType = {
  kind: 'scalar',
  expects: 'a signal such as TERM',
  get schema() {
    return { type: 'string', enum: signalSpellings() };
  },
  interpolated: true,
  read(input) {
    const name = String(input.value).replace(/^SIG/, '');
    // TERM, the default, is there on every system.
    return name === 'TERM' || signalNames().includes(name) ? name : input.error(unknownSignal(input, name));
  },
};

function unknownSignal(input: ScalarInput, name: string): Problem {
  const near = suggest(name.toUpperCase().replace(/^SIG/, ''), signalNames());
  const hint = near === undefined ? 'write e.g. TERM, INT or HUP' : `did you mean "${near}"?`;
  return { message: `expected a signal, got ${quoted(input)}`, hint };
}

export const timeOfDay: ScalarType = textual(
  'a time of day such as "06:00"',
  { pattern: '^([01]\\d|2[0-3]):[0-5]\\d$' },
  (value, input) =>
    /^(?:[01]\d|2[0-3]):[0-5]\d$/.test(value)
      ? value
      : input.error({
          message: `expected a time of day, got "${value}"`,
          hint: 'write hours and minutes: "06:00"',
        }),
);

/** Octal, with or without a leading zero, quoted or not; becomes a number. */
export const umask: ScalarType = {
  kind: 'scalar',
  expects: 'an octal mask such as "027"',
  schema: { type: ['string', 'integer'], pattern: '^(0o)?[0-7]{1,4}$', minimum: 0, maximum: 777 },
  interpolated: true,
  read(input) {
    const written = typeof input.value === 'string' ? input.value : input.source;
    if (/^(?:0o)?[0-7]{1,4}$/.test(written)) {
      const mask = Number.parseInt(written.replace('0o', ''), 8);
      if (mask <= 0o777) return mask;
    }
    return input.error({ message: `expected an octal mask, got ${quoted(input)}`, hint: 'write e.g. "027"' });
  },
};

const OUTCOMES = ['failed', 'killed', 'timed_out', 'threw', 'not_started', 'lost'];

/** What `retry.on` lists: an exit code or the status of an HTTP answer, a signal, or a kind of outcome. */
export const retryCondition: ScalarType = {
  kind: 'scalar',
  expects: 'an exit code, a signal or an outcome',
  get schema() {
    return {
      anyOf: [
        { type: 'integer', minimum: 0, maximum: 599 },
        { type: 'string', enum: [...OUTCOMES, ...signalSpellings()] },
      ],
    };
  },
  interpolated: true,
  read(input) {
    const number = wholeNumber(input);
    if (number !== undefined) {
      return number >= 0 && number <= 599
        ? number
        : input.error({
            message: `expected an exit code from 0 to 255 or a status of HTTP up to 599, got ${number}`,
          });
    }
    const name = String(input.value);
    if (OUTCOMES.includes(name)) return name;
    const bare = name.replace(/^SIG/, '');
    // As outcomes name signals.
    if (signalNames().includes(bare)) return `SIG${bare}`;
    const near = suggest(name, [...OUTCOMES, ...signalNames()]);
    const hint = near === undefined ? `outcomes are ${OUTCOMES.join(', ')}` : `did you mean "${near}"?`;
    return input.error({
      message: `expected an exit code, a signal or an outcome, got ${quoted(input)}`,
      hint,
    });
  },
};

function quoted(input: ScalarInput): string {
  return typeof input.value === 'string' ? `"${input.value}"` : input.source;
}
