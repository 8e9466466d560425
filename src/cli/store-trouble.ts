/** What stands between a daemon and the database of its cluster, and how it is told. */
import { setTimeout } from 'node:timers/promises';
import type { Duration } from '../model.ts';
import { printable } from '../observe/text.ts';
import { exit, Failure } from './exit.ts';
import type { Session } from './session.ts';

/** Between two tries at a database that is away. */
const FIRST: Duration = 500;
const LONGEST: Duration = 10_000;
/** Between two lines that say so. */
const SAID: Duration = 60_000;

/**
 * Makes a daemon, and tries again for as long as its database cannot be reached: after a power cut the machines of a cluster come up in
 * any order. Whatever else is wrong is thrown.
 */
export async function whenReached<T>(make: () => Promise<T>, session: Session): Promise<T> {
  let saidFor = SAID;
  for (let wait = FIRST; ; wait = Math.min(wait * 2, LONGEST)) {
    try {
      return await make();
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'DatabaseAway') throw error;
      if (saidFor >= SAID) {
        saidFor = 0;
        session.err(`tsched: ${printable(error.message)}; it is tried again until it is there\n`);
      }
      await setTimeout(wait);
      saidFor += wait;
    }
  }
}

/** By the name of an error: their classes are loaded for clusters alone. */
const CODES: Readonly<Record<string, number>> = {
  DatabaseAway: exit.unavailable,
  DatabaseUnfit: exit.badFile,
  NodeRefused: exit.alreadyRunning,
};

/** The failure to end with when a database or its cluster will not have this node; undefined when it is something else. */
export function databaseRefused(error: unknown): Failure | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = codeOf(error);
  if (code === undefined) return undefined;
  const hint = 'hint' in error && typeof error.hint === 'string' ? printable(error.hint) : undefined;
  return new Failure(code, printable(error.message), hint);
}

function codeOf(error: Error): number | undefined {
  if (error.name !== 'DatabaseUnfit' || !('why' in error)) return CODES[error.name];
  if (error.why === 'login') return exit.notAllowed;
  return error.why === 'packages' ? exit.unavailable : exit.badFile;
}
