/** Env files: `NAME=value` lines, read by Node's own parser. */
import type { Problem } from '../schedule/problem.ts';
import { decode, readBytes, type Bytes } from './source.ts';

const MAX_ENV_FILE = 1024 * 1024;

export type Variables = Readonly<Record<string, string>>;

/** Reads each file once and tells `seen` what it found there. */
export class EnvFiles {
  readonly #read = new Map<string, Variables | Problem>();
  readonly #seen: (path: string, file: Bytes) => void;

  constructor(seen: (path: string, file: Bytes) => void) {
    this.#seen = seen;
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
    if (!file.ok) {
      if (file.missing && optional) return {};
      const hint = file.missing
        ? { hint: `create ${path}, or write "?" before the path if it may be missing` }
        : {};
      return { message: `${path}: ${file.message}`, ...hint };
    }
    const decoded = decode(file.bytes);
    if (!decoded.ok) return { message: `${path}: ${decoded.message}`, hint: decoded.hint };
    const variables: Record<string, string> = {};
    // Loaded here, since it takes 3 ms and few files need it.
    for (const [name, value] of Object.entries(
      process.getBuiltinModule('node:util').parseEnv(decoded.text),
    )) {
      if (value !== undefined) variables[name] = value;
    }
    return variables;
  }
}
