import type { Duration } from '../model.ts';
import type { Problem } from './problem.ts';

const UNITS: Readonly<Record<string, Duration>> = {
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
};

/** Spellings of other tools, and the unit they mean. */
const FOREIGN: readonly (readonly [RegExp, string])[] = [
  [/^(?:msecs?|millis|milliseconds?)$/, 'ms'],
  [/^(?:secs?|seconds?)$/, 's'],
  [/^(?:mins?|minutes?)$/, 'm'],
  [/^(?:hrs?|hours?)$/, 'h'],
  [/^days?$/, 'd'],
  [/^(?:wks?|weeks?)$/, 'w'],
];

const EXAMPLES = 'write e.g. 500ms, 30s, 10m, 2h, 1d, 1w or 1h30m';

/** A duration as the job file writes it: whole or decimal numbers with a unit, largest unit first, each at most once. */
export function parseDuration(text: string): Duration | Problem {
  const trimmed = text.trim();
  if (trimmed === '0') return 0;
  if (trimmed === '') return { message: 'the duration is empty', hint: EXAMPLES };
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) {
    return {
      message: `the duration ${trimmed} has no unit`,
      hint: `write ${trimmed}s, ${trimmed}m or ${trimmed}h`,
    };
  }
  if (trimmed.startsWith('-'))
    return { message: `a duration cannot be negative: ${trimmed}`, hint: EXAMPLES };
  return parseSum(trimmed);
}

function parseSum(text: string): Duration | Problem {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*/gy)];
  const refused = { message: `"${text}" is not a duration`, hint: EXAMPLES };
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) return refused;
  let total = 0;
  let smallest = Number.POSITIVE_INFINITY;
  for (const [, amount = '', unit = ''] of parts) {
    const size = UNITS[unit];
    if (size === undefined) return refuseUnit(text, amount, unit);
    if (size >= smallest) return { message: `the units of "${text}" are out of order`, hint: EXAMPLES };
    smallest = size;
    total += Number(amount) * size;
  }
  const whole = Math.round(total);
  return Number.isSafeInteger(whole) ? whole : { message: `the duration ${text} is too long` };
}

function refuseUnit(text: string, amount: string, unit: string): Problem {
  const known =
    unit === 'M' ? undefined : FOREIGN.find(([spelling]) => spelling.test(unit.toLowerCase()))?.[1];
  const lower =
    unit in UNITS
      ? undefined
      : UNITS[unit.toLowerCase()] !== undefined && unit !== 'M'
        ? unit.toLowerCase()
        : undefined;
  const meant = known ?? lower;
  const hint = meant === undefined ? EXAMPLES : `write ${amount}${meant}`;
  return { message: `unknown unit "${unit}" in the duration "${text}"`, hint };
}

/** The shortest exact spelling, e.g. `1h30m`, that `parseDuration` reads back; rounded to whole milliseconds. */
export function formatDuration(duration: Duration): string {
  let rest = Math.round(Math.abs(duration));
  if (rest === 0) return '0s';
  let text = duration < 0 ? '-' : '';
  for (const [unit, size] of Object.entries(UNITS)) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
