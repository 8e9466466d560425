/** The job file of a command that looks at jobs, where none is named and none is here. */
import { statSync } from 'node:fs';
import { printable } from '../observe/text.ts';
import { daemonFileIn, readDaemonFile } from '../store/daemon-file.ts';
import { Failure } from './exit.ts';
import { fileIfAny, findJobFile } from './find-file.ts';
import type { Environment } from './host-zone.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';

export interface Named {
  readonly file?: string | undefined;
  readonly stateDir?: string | undefined;
}

/**
 * The file named, else one in the usual places, else the one that the newest daemon of the state directory ran, which is said.
 * @throws Failure (66) when there is none
 */
export function fileOrLast({ file, stateDir }: Named, session: Session): string {
  const found = fileIfAny(file);
  if (found !== undefined) return found;
  const state = stateIfAny(stateDir, session.environment);
  const last = state === undefined ? undefined : lastFile(state);
  if (state === undefined || last === undefined || !isFile(last)) return findJobFile(undefined);
  const where = `${printable(last)}, which the newest daemon of ${printable(state)} runs or ran`;
  session.err(`tsched: there is no job file here; this is ${where}\n`);
  return last;
}

/** Absolute path of the job file of the newest daemon of the state directory. */
export function lastFile(state: string): string | undefined {
  return readDaemonFile(daemonFileIn(state))?.file;
}

/** Undefined where there is no place for it. */
export function stateIfAny(named: string | undefined, environment: Environment): string | undefined {
  try {
    return stateDirectory(named, environment);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

/** That of a daemon which only works for a cluster is none. */
export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
