/**
 * `tsched list` as most people and scripts type it, read without commander: building all its commands takes a quarter of
 * the time the whole command may take. Whatever is not plainly one of these goes to commander, errors and help included.
 */
import type { Environment } from './host-zone.ts';
import type { ListOptions } from './list.ts';

export interface ListCall {
  readonly options: ListOptions;
  readonly color: boolean | undefined;
}

/** The call that these arguments are, when they are a plain one. */
export function listCall(args: readonly string[], environment: Environment): ListCall | undefined {
  const [command, ...rest] = args;
  if ((command !== 'list' && command !== 'ls') || environment.TSCHED_TZ !== undefined) return undefined;
  let file = environment.TSCHED_FILE;
  let stateDir = environment.TSCHED_STATE_DIR;
  let json = false;
  let color: boolean | undefined;
  for (let index = 0; index < rest.length; index += 1) {
    const word = rest[index];
    const following = rest[index + 1];
    if (word === '--json') json = true;
    else if (word === '--color') color = true;
    else if (word === '--no-color') color = false;
    else if (following === undefined || following.startsWith('-')) return undefined;
    else {
      if (word === '--file' || word === '-f') file = following;
      else if (word === '--state-dir') stateDir = following;
      else return undefined;
      index += 1;
    }
  }
  const named = (value: string | undefined): value is string => value !== undefined && value !== '';
  return {
    options: { json, ...(named(file) ? { file } : {}), ...(named(stateDir) ? { stateDir } : {}) },
    color,
  };
}
