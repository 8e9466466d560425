/**
 * `tsched list` and `status` as most people and scripts type them, read without commander: building all its commands takes a
 * quarter of the time the whole command may take. Whatever is not plainly one of these goes to commander, errors and help included.
 */
import type { Environment } from './host-zone.ts';
import type { ListOptions } from './list.ts';
import type { StatusOptions } from './status.ts';

export interface PlainCall<Options> {
  readonly options: Options;
  readonly color: boolean | undefined;
}

/** The call that these arguments are, when they are a plain one. */
export function listCall(
  args: readonly string[],
  environment: Environment,
): PlainCall<ListOptions> | undefined {
  const [command, ...rest] = args;
  if ((command !== 'list' && command !== 'ls') || environment.TSCHED_TZ !== undefined) return undefined;
  const words = wordsOf(rest, { '--file': 'file', '-f': 'file', '--state-dir': 'stateDir' });
  if (words === undefined) return undefined;
  const { file = environment.TSCHED_FILE, stateDir = environment.TSCHED_STATE_DIR } = words.values;
  return { options: { json: words.json, ...given({ file, stateDir }) }, color: words.color };
}

/** As `listCall`. */
export function statusCall(
  args: readonly string[],
  environment: Environment,
): PlainCall<StatusOptions> | undefined {
  const [command, ...rest] = args;
  const words = command === 'status' ? wordsOf(rest, { '--state-dir': 'stateDir' }) : undefined;
  if (words === undefined) return undefined;
  const { stateDir = environment.TSCHED_STATE_DIR } = words.values;
  return { options: { json: words.json, ...given({ stateDir }) }, color: words.color };
}

interface Words {
  readonly json: boolean;
  readonly color: boolean | undefined;
  readonly values: Readonly<Record<string, string | undefined>>;
}

/** Undefined where there is a word that is not known here. `valued`: options that take a value, and what they are called. */
function wordsOf(args: readonly string[], valued: Readonly<Record<string, string>>): Words | undefined {
  const values: Record<string, string> = {};
  let json = false;
  let color: boolean | undefined;
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index] ?? '';
    const name = Object.hasOwn(valued, word) ? valued[word] : undefined;
    const following = args[index + 1];
    if (word === '--json') json = true;
    else if (word === '--color') color = true;
    else if (word === '--no-color') color = false;
    else if (name === undefined || following === undefined || following.startsWith('-')) return undefined;
    else {
      values[name] = following;
      index += 1;
    }
  }
  return { json, color, values };
}

/** An empty name is none. */
function given<Name extends string>(
  values: Readonly<Record<Name, string | undefined>>,
): { readonly [name in Name]?: string } {
  const named = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
  return Object.fromEntries(named) as { readonly [name in Name]?: string };
}
