/**
 * Outcomes of module tasks: made where the task runs, out of what it returned or threw; written as one JSON message;
 * read again, with distrust, by the daemon.
 */
import { inspect } from 'node:util';
import type { Json, Outcome } from '../model.ts';

/** Bytes of JSON kept as the result of a run. */
export const resultLimit = 64 * 1024;

/** Characters kept of a thrown message, and of a stack. */
const messageLimit = 4096;
const stackLimit = 8192;

/** A message of this size holds the largest result, and any escaping of the largest texts. */
export const outcomeMessageLimit = resultLimit + 8 * (messageLimit + stackLimit);

/** The exit code of a process whose outcome could not be written: EX_IOERR of sysexits.h. */
export const UNWRITABLE = 74;

/** What a module task may end with of itself. The rest (killed, timed out, …) is seen from outside. */
export type ModuleOutcome = Extract<Outcome, { kind: 'succeeded' | 'threw' | 'not_started' }>;

/** The outcome of a task that returned `value`; never throws, whatever the value. */
export function returned(value: unknown): ModuleOutcome {
  if (value === undefined) return { kind: 'succeeded' };
  let json: string;
  try {
    json = stringify(value);
  } catch (error) {
    return { kind: 'threw', message: bounded(`The task returned what JSON cannot hold: ${wordsOf(error)}`) };
  }
  const size = Buffer.byteLength(json);
  if (size > resultLimit) {
    const message = `The task returned ${size} bytes of JSON; at most ${resultLimit} are kept. Write large results to a file and return its name.`;
    return { kind: 'threw', message };
  }
  return { kind: 'succeeded', result: JSON.parse(json) as Json };
}

/** Of an object whose toJSON gives undefined there is no JSON, whatever its type says. */
function stringify(value: unknown): string {
  const json: string | undefined = JSON.stringify(value, refuseWhatJsonLoses);
  if (json === undefined) throw new Error('an object whose toJSON() gives undefined');
  return json;
}

/** JSON.stringify drops functions and makes `{}` of a Map or a promise nobody awaited; a result lost in silence is worse than none. */
function refuseWhatJsonLoses(this: unknown, key: string, value: unknown): unknown {
  const name = nameOfLoss(value);
  if (name !== undefined) throw new Error(`${name}${key === '' ? '' : ` under "${key}"`}`);
  return value;
}

function nameOfLoss(value: unknown): string | undefined {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value === 'bigint') return 'a bigint; String(value) would do';
  if (value instanceof Promise) return 'a promise; await it first';
  if (value instanceof Map) return 'a Map; Object.fromEntries(map) would do';
  if (value instanceof Set) return 'a Set; [...set] would do';
  return undefined;
}

/** The outcome of a task that threw or rejected with `error`, which may be anything. */
export function threw(error: unknown): ModuleOutcome {
  const stack = stackOf(error);
  return { kind: 'threw', message: bounded(wordsOf(error)), ...(stack === '' ? {} : { stack }) };
}

/** Error objects of tasks may be as hostile as their values: getters that throw, proxies, causes in a circle. */
function wordsOf(error: unknown, depth = 0): string {
  try {
    if (!(error instanceof Error)) return typeof error === 'string' ? error : inspect(error, { depth: 2 });
    const name = error.name === 'Error' ? '' : `${error.name}: `;
    const cause =
      error.cause === undefined || depth > 3 ? '' : ` (because of: ${wordsOf(error.cause, depth + 1)})`;
    return `${name}${error.message}${placeOf(error)}${cause}`;
  } catch {
    return 'a value that cannot be described';
  }
}

/** Of a syntax error, the place: Node puts it above the message in the stack, as `file:line`, and nowhere else. */
function placeOf(error: Error): string {
  const [place = ''] = (error.stack ?? '').split('\n', 1);
  if (!(error instanceof SyntaxError) || !/^(?:file:\/\/|\/).*:\d+$/u.test(place)) return '';
  return ` (${place.replace(/^file:\/\//u, '')})`;
}

/** The frames of the user's code: those of Node and of tsched would only be in the way. */
function stackOf(error: unknown): string {
  try {
    if (!(error instanceof Error) || typeof error.stack !== 'string') return '';
    const frames = error.stack.split('\n').filter((line) => /^\s+at /u.test(line));
    const own = frames.filter((line) => !line.includes('node:') && !line.includes(ownDirectory));
    return own
      .map((line) => line.trim())
      .join('\n')
      .slice(0, stackLimit);
  } catch {
    return '';
  }
}

/** Where this file lies: src/tasks/ or, bundled, dist/. */
const ownDirectory = new URL('.', import.meta.url).href;

function bounded(text: string): string {
  return text.length <= messageLimit ? text : `${text.slice(0, messageLimit)} … (${text.length} characters)`;
}

/** Reads the message of a host; undefined when it is none, e.g. cut short, or written by the task itself. */
export function parseOutcome(text: string): ModuleOutcome | undefined {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof message !== 'object' || message === null || !('kind' in message)) return undefined;
  const { kind, message: words, stack, result } = message as { [key: string]: Json };
  if (kind === 'succeeded') return result === undefined ? { kind } : { kind, result };
  if (typeof words !== 'string') return undefined;
  if (kind === 'not_started') return { kind, message: words };
  if (kind !== 'threw') return undefined;
  return { kind, message: words, ...(typeof stack === 'string' ? { stack } : {}) };
}
