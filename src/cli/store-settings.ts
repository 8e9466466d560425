/** Which cluster a daemon belongs to. Nothing here ever repeats the URL of its database, which may hold a password. */
import { readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ClusterSettings } from '../app-options.ts';
import { printable } from '../observe/text.ts';
import { exit, Failure } from './exit.ts';
import type { Session } from './session.ts';

export interface StoreOptions {
  readonly store?: string;
  readonly storeFile?: string;
  readonly nodeName?: string;
  readonly label?: readonly string[];
  readonly slots: number;
}

const EXAMPLE =
  'write e.g. postgres://tsched@db.example/tsched; in a password / is %2F, # is %23, ? is %3F and % is %25';

/** Longer than any URL is. */
const LONGEST = 16 * 1024;

/**
 * The cluster that options and variables name; undefined: none, the daemon is alone. An empty name is none.
 * @throws Failure: 64 where it is no address, 66 where there is no such file
 */
export function storeSettings(
  options: StoreOptions,
  schedules: boolean,
  session: Session,
): ClusterSettings | undefined {
  const url = urlOf(options, session);
  if (url === undefined) return undefined;
  if (!/^postgres(?:ql)?:\/\//.test(url) || URL.parse(url) === null)
    throw new Failure(exit.usage, 'what --store says is no address of a PostgreSQL database', EXAMPLE);
  if (stands(url, process.argv)) {
    const what = 'the password in --store can be read by everybody on this host (ps)';
    session.err(`tsched: ${what}; give it as $TSCHED_STORE, or in a file that --store-file names\n`);
  }
  const labels = [...new Set(options.label ?? [])].toSorted();
  return { url, nodeName: nameOf(options), labels, slots: options.slots, schedules };
}

function urlOf({ store, storeFile }: StoreOptions, session: Session): string | undefined {
  const [named, file] = [store ?? '', storeFile ?? ''];
  if (named !== '' && file !== '') {
    const hint = 'give one of them; $TSCHED_STORE and $TSCHED_STORE_FILE count too';
    throw new Failure(exit.usage, 'both --store and --store-file name a database', hint);
  }
  if (file === '') return named === '' ? undefined : named;
  const text = readFile(file).trim();
  if (isForAll(file)) {
    const what = `${printable(file)} can be read by everybody on this host, and who has its password runs programs on every node`;
    session.err(`tsched: ${what}: chmod 600 ${printable(file)}\n`);
  }
  if (text !== '' && text.length <= LONGEST && !/\s/.test(text)) return text;
  throw new Failure(exit.usage, `${printable(file)} does not hold the URL of a database alone`, EXAMPLE);
}

function isForAll(path: string): boolean {
  return ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o004) !== 0;
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isForbidden = code === 'EACCES' || code === 'EPERM';
    const why = code === 'ENOENT' ? 'there is no such file' : message;
    const text = `the file of --store-file cannot be read: ${printable(path)}: ${printable(why)}`;
    throw new Failure(isForbidden ? exit.notAllowed : exit.noInput, text);
  }
}

/** Whether a URL with a password is among the words of the command line. */
function stands(url: string, words: readonly string[]): boolean {
  return (URL.parse(url)?.password ?? '') !== '' && words.some((word) => word.includes(url));
}

/** Names go into logs, metrics and addresses of the API. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

function nameOf({ nodeName }: StoreOptions): string {
  const name = nodeName === undefined || nodeName === '' ? hostname() : nodeName;
  if (NAME.test(name)) return name;
  const hint = 'name it with --node-name: letters, digits, ".", "_" and "-", at most 63';
  throw new Failure(exit.usage, `"${printable(name)}" is no name for a node`, hint);
}
