/** How things that happened are told to people: in the log and on the command line alike. */
import type { Duration, Outcome } from '../model.ts';

/** Controls (ESC, NUL, CR, LF …), half characters, line separators, and what turns the direction of text. */
const unsafe = (): RegExp => /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

function escaped(character: string): string {
  if (character === '\t') return character;
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}

/**
 * The text on one line and harmless: nothing in it can move the cursor, forge a line of the log or reverse what is read.
 * Whatever came from a job file, a job or the system goes through here before it is shown.
 */
export function printable(text: string): string {
  // Nearly all text is ASCII, and the pattern takes a while to set up.
  if (/^[ -~]*$/.test(text)) return text;
  return text.replace(unsafe(), (character) => (character === '\n' ? '\\n' : escaped(character)));
}

/** As JSON on one line, with what `printable` escapes written as JSON escapes. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(
    unsafe(),
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A length of time as people read it: 3ms, 2.3s, 12m41s, 3h04m, 2d3h. */
export function elapsed(duration: Duration): string {
  if (duration < 1000) return `${Math.max(0, Math.round(duration))}ms`;
  if (duration < 59_950) return `${Number((duration / 1000).toFixed(1))}s`;
  const seconds = Math.round(duration / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)}d${hours % 24}h`;
}

function two(count: number): string {
  return String(count).padStart(2, '0');
}

const cancelled = {
  operator: 'cancelled by an operator',
  shutdown: 'cancelled because tsched stops',
  replaced: 'cancelled, a newer run replaces it',
} as const;

/** An outcome in a few words, to stand after "job: " or "attempt 2: ". Not yet escaped. */
export function outcomeInWords(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'succeeded':
      return `succeeded${hint(outcome.hint)}`;
    case 'failed':
      return `failed${failure(outcome)}${hint(outcome.hint)}`;
    case 'killed':
      return `killed by ${outcome.signal}${hint(outcome.hint)}`;
    case 'timed_out':
      return `timed out after ${elapsed(outcome.after)}`;
    case 'threw':
      return `threw: ${outcome.message}`;
    case 'not_started':
      return `not started: ${outcome.message}`;
    case 'cancelled':
      return cancelled[outcome.by];
    case 'lost':
      return `lost: ${outcome.message}`;
  }
}

function failure({ exitCode, status }: Extract<Outcome, { kind: 'failed' }>): string {
  if (status !== undefined) return ` with status ${status}`;
  return exitCode === undefined ? '' : ` with exit code ${exitCode}`;
}

function hint(text: string | undefined): string {
  return text === undefined ? '' : ` (${text})`;
}
