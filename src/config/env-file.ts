/** Env files, which hold `NAME=value` lines, and files that hold the value of one variable. */
import { isProblem, type Problem } from '../schedule/problem.ts';
import { decode, readBytes, type Bytes } from './source.ts';

const MAX_ENV_FILE = 1024 * 1024;
/** The kernel takes no variable of more than 128 KiB: execve(2). */
const MAX_VALUE = 64 * 1024;

export type Variables = Readonly<Record<string, string>>;

/** Of `env`: a value, or the file that holds it. */
type Written = Readonly<Record<string, string | { readonly from?: string } | undefined>>;

type Complain = (problem: Problem) => void;

/** Reads each file once and tells `seen` what it found there. */
export class EnvFiles {
  readonly #read = new Map<string, Variables | Problem>();
  readonly #values = new Map<string, { readonly value?: string } | Problem>();
  readonly #seen: (path: string, file: Bytes) => void;

  constructor(seen: (path: string, file: Bytes) => void) {
    this.#seen = seen;
  }

  /** The variables of files; of two that have the same, the later one's counts. */
  all(paths: readonly string[], complain: Complain): Variables {
    const all: Record<string, string> = {};
    for (const path of paths) {
      const variables = this.read(path);
      if (isProblem(variables)) complain(variables);
      else Object.assign(all, variables);
    }
    return all;
  }

  /** The variables of an `env`, with the content of files where it names them. */
  resolved(env: Written, complain: Complain): Variables {
    const all: Record<string, string> = {};
    for (const [name, written] of Object.entries(env)) {
      if (typeof written === 'string') all[name] = written;
      else if (written !== undefined) {
        const found = this.#valueOf(name, written, complain);
        if (found !== undefined) all[name] = found;
      }
    }
    return all;
  }

  #valueOf(name: string, written: { readonly from?: string }, complain: Complain): string | undefined {
    const { from } = written;
    if (from === undefined) {
      const hint = 'write a text, or { from: PATH }';
      if (!('from' in written)) complain({ message: `${name} has no value`, hint }); // else it was refused
      return undefined;
    }
    const found = this.#values.get(from) ?? this.#readValue(from.replace(/^\?/, ''), from.startsWith('?'));
    this.#values.set(from, found);
    if (!isProblem(found)) return found.value;
    complain({ ...found, message: `${name}: ${found.message}` });
    return undefined;
  }

  /** The content of a file but for a line break at its end, which editors put there. */
  #readValue(path: string, optional: boolean): { readonly value?: string } | Problem {
    const file = readBytes(path, MAX_VALUE);
    this.#seen(path, file);
    if (!file.ok) return file.missing && optional ? {} : unreadable(path, file);
    const decoded = decode(file.bytes);
    if (!decoded.ok) return { message: `${path}: ${decoded.message}`, hint: decoded.hint };
    if (decoded.text.includes('\0')) return { message: `${path}: it holds a NUL character` };
    return { value: decoded.text.replace(/\r?\n$/, '') };
  }

  /** The variables of a file; `path` starts with "?" where the file may be missing. */
  read(path: string): Variables | Problem {
    const known = this.#read.get(path) ?? this.#readFile(path.replace(/^\?/, ''), path.startsWith('?'));
    this.#read.set(path, known);
    return known;
  }

  #readFile(path: string, optional: boolean): Variables | Problem {
    const file = readBytes(path, MAX_ENV_FILE);
    this.#seen(path, file);
    if (!file.ok) return file.missing && optional ? {} : unreadable(path, file);
    const decoded = decode(file.bytes);
    if (!decoded.ok) return { message: `${path}: ${decoded.message}`, hint: decoded.hint };
    const variables = parse(decoded.text.replaceAll('\r', ''));
    return isProblem(variables) ? { ...variables, message: `${path}: ${variables.message}` } : variables;
  }
}

function unreadable(path: string, { message, missing }: Bytes & { readonly ok: false }): Problem {
  const hint = missing ? { hint: `create ${path}, or write "?" before the path if it may be missing` } : {};
  return { message: `${path}: ${message}`, ...hint };
}

/** One line, or more where quotes hold line breaks: nothing, a comment, or a variable with its value, in quotes or not. */
const ENTRY =
  /[ \t]*(?:#[^\n]*|(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=(?:[ \t]*(?:"([^"]*)"|'([^']*)'|`([^`]*)`)(?:[ \t]+#[^\n]*)?|(?![ \t]*["'`])([^\n]*))|)[ \t]*(?:\n|$)/y;

/**
 * As dotenv files are read by most: in double quotes \n is a line break, and # begins a comment where a blank stands
 * before it. (Not util.parseEnv: it takes some indented comments for variables, cuts ab#cd to ab, and passes
 * over what it cannot read, as after a quote that is never closed.)
 */
function parse(text: string): Variables | Problem {
  const nul = text.indexOf('\0');
  if (nul !== -1) return { message: `line ${lineAt(text, nul)} holds a NUL character` };
  const variables: Record<string, string> = {};
  for (let at = 0; at < text.length; at = ENTRY.lastIndex) {
    ENTRY.lastIndex = at;
    const match = ENTRY.exec(text);
    if (match === null) {
      const hint =
        'write NAME=value; a value in quotes ends with the same quote, and only a comment may follow it';
      return { message: `line ${lineAt(text, at)} is not NAME=value`, hint };
    }
    const [, name, double, single, back, bare = ''] = match;
    if (name === undefined || name === '__proto__') continue;
    variables[name] =
      double?.replaceAll(String.raw`\n`, '\n') ?? single ?? back ?? bare.replace(/[ \t]#.*$/, '').trim();
  }
  return variables;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
