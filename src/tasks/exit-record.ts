/**
 * The exit record of a process: a file that says, to any daemon, whether the process was begun and how it ended. Its
 * supervisor makes it before it starts the process, and only if nobody has made it before; so whoever makes it first has
 * the say (spawner-script.ts has the other side).
 */
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Ending } from './launch.ts';

const FENCED = 'fenced';

/** What a record says. */
export type ExitRecord =
  /** The process was not begun; whether it will be, `fence` decides. */
  | { readonly kind: 'absent' }
  /** It was not begun, and never will be. */
  | { readonly kind: 'fenced' }
  /** Nothing yet: its supervisor is about to start it (or died before it could). */
  | { readonly kind: 'empty' }
  /** It was begun, under this process id, and runs still, unless its supervisor died. */
  | { readonly kind: 'started'; readonly pid: number }
  | Ending
  /** The step that failed, as the spawner names it, and perhaps a shell's status; see launch-problem.ts. */
  | { readonly kind: 'not_started'; readonly step: readonly string[] };

/** Reads a record. One that cannot be read counts as absent, and a line without its end as not yet written. */
export function readRecord(path: string): ExitRecord {
  let text;
  try {
    text = readFileSync(path, 'latin1');
  } catch {
    return { kind: 'absent' };
  }
  let pid: number | undefined;
  for (const line of text.split('\n').slice(0, -1)) {
    const [kind = '', ...rest] = line.split(' ');
    if (kind === 'exited' || kind === 'signalled') return parseEnding([kind, ...rest]);
    if (kind === 'not_started') return { kind, step: rest };
    if (kind === FENCED) return { kind };
    if (kind === 'started') pid = Number(rest[0]);
  }
  return pid === undefined ? { kind: 'empty' } : { kind: 'started', pid };
}

/**
 * Makes sure that the process will never be started, whoever was asked to: true. False when its supervisor, or another
 * fence, was first. Throws when the record cannot be made for another reason, such as that its directory is missing.
 */
export function fence(path: string): boolean {
  // With what it says from the first moment on, so that a daemon after this one need not guess.
  const made = `${path}.fence`;
  writeFileSync(made, `${FENCED}\n`, { mode: 0o600 });
  try {
    linkSync(made, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(made, { force: true });
  }
}

/** Reads `exited CODE` or `signalled NUMBER`. */
export function parseEnding([kind, number]: readonly string[]): Ending {
  const value = Number(number);
  if (kind === 'exited') return { kind, exitCode: value };
  return { kind: 'signalled', signal: signalName(value) };
}

/** Reversed, since the first of several names of a number is the usual one: SIGABRT, not SIGIOT. */
const SIGNALS = new Map(
  Object.entries(constants.signals)
    .toReversed()
    .map(([name, number]) => [number, name]),
);

/** The name of a signal; that of a real-time signal, which Node has no name for, as SIGRTMIN+n. */
function signalName(number: number): string {
  return SIGNALS.get(number) ?? (number >= 34 ? `SIGRTMIN+${number - 34}` : `signal ${number}`);
}
