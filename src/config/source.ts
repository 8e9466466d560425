/**
 * One file of the job set as it was read: its text, where its lines start, and what its owner and mode say about who
 * could have written it.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
  statSync,
  type BigIntStats,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Diagnostic, Place } from './diagnostic.ts';

/** Longest job file, in bytes. A file of 100,000 jobs has about 15 MiB. */
export const MAX_FILE_SIZE = 32 * 1024 * 1024;

export class Source {
  /** Absolute path. */
  readonly path: string;
  /** As shown in messages: relative where the user wrote it so. */
  readonly name: string;
  readonly text: string;
  readonly #lineStarts: number[];
  readonly #hidden: { readonly start: number; readonly end: number }[] = [];
  /** Its YAML could not be read as a whole, so nobody knows for sure where its secrets stand. */
  broken = false;

  constructor(path: string, name: string, text: string) {
    this.path = path;
    this.name = name;
    this.text = text;
    this.#lineStarts = [0];
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1))
      this.#lineStarts.push(at + 1);
  }

  get directory(): string {
    return dirname(this.path);
  }

  /** Line number, from 1, of an offset in the text. */
  line(offset: number): number {
    let low = 0;
    let high = this.#lineStarts.length;
    while (low + 1 < high) {
      const middle = (low + high) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  place(offset: number): Place {
    const line = this.line(offset);
    return { file: this.name, line, column: offset - this.lineStart(line) + 1 };
  }

  /** Offset at which a line (from 1) starts. */
  lineStart(line: number): number {
    return this.#lineStarts[line - 1] ?? 0;
  }

  /** What stands from an offset to the end of its line. */
  restOfLine(offset: number): string {
    const end = this.text.indexOf('\n', offset);
    return this.text.slice(offset, end === -1 ? undefined : end);
  }

  /** The line, from 1, without its line break. */
  lineText(line: number): string {
    const end = this.#lineStarts[line] ?? this.text.length + 1;
    return this.text.slice(this.lineStart(line), end - 1).replace(/\r$/, '');
  }

  /** What stands there is shown to nobody. */
  hide({ start, end }: { readonly start: number; readonly end: number }): void {
    this.#hidden.push({ start, end });
  }

  /** As `lineText`, with what is secret made unreadable; as long as it was, so that columns stay. */
  shownLine(line: number): string {
    const from = this.lineStart(line);
    let text = this.lineText(line);
    for (const { start, end } of this.#hidden) {
      const [first, last] = [Math.max(start - from, 0), Math.min(end - from, text.length)];
      if (first < last) text = text.slice(0, first) + '*'.repeat(last - first) + text.slice(last);
    }
    text = masked(masked(text, PASSWORD), SECRET_QUERY);
    return this.broken ? masked(text, SECRET_KEY) : text;
  }
}

/** What precedes a secret, and the secret. */
const PASSWORD = /(:\/\/[^\s/@:]*:)([^\s@]+)(?=@)/g;
/** A part of a query that is secret by its name, and its value, unless that is a variable. */
export const SECRET_QUERY =
  /([?&][^=&#\s"']*(?:token|key|secret|sign?|pass|auth|code)[^=&#\s"']*=)((?!\$\{)[^&#\s"']+)/gi;
const SECRET_KEY = /((?:webhook|smtp|secret|ping|url|authorization)["']?\s*:\s*)(\S.*)/i;

function masked(text: string, pattern: RegExp): string {
  return text.replace(pattern, (_, lead: string, secret: string) => lead + '*'.repeat(secret.length));
}

/**
 * The text with only those lines that frames need; the others are left empty. A 30 MiB file is not kept for the sake
 * of one warning.
 */
export function excerpt(source: Source, told: readonly Diagnostic[]): string {
  const lines: string[] = [];
  const places = told.flatMap((diagnostic) => [
    diagnostic,
    ...(diagnostic.related === undefined ? [] : [diagnostic.related]),
  ]);
  for (const { file, line } of places) {
    if (file !== source.name) continue;
    lines[line - 1] = source.shownLine(line);
    if (line > 1) lines[line - 2] = source.shownLine(line - 1);
  }
  return Array.from(lines, (line) => line ?? '').join('\n');
}

/** The stamp of what is not there. */
export const MISSING = 'missing';

/** Tells one state of a file from another without reading it. */
export function stampOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}`;
}

/** The stamp of what is at a path now, links followed. */
export function stampAt(path: string): string {
  try {
    return stampOf(statSync(path, { bigint: true }));
  } catch {
    return MISSING;
  }
}

export type Bytes =
  | { readonly ok: true; readonly bytes: Buffer; readonly stat: BigIntStats }
  | { readonly ok: false; readonly missing: boolean; readonly message: string; readonly hint?: string };

/** Reads a regular file of at most `limit` bytes. Never waits on a pipe or device. */
export function readBytes(path: string, limit: number): Bytes {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(descriptor, { bigint: true });
    if (!stat.isFile())
      return refuse(stat.isDirectory() ? 'this is a directory, not a file' : 'this is not a regular file');
    if (stat.size > BigInt(limit))
      return refuse(`the file has ${mib(Number(stat.size))}, more than the limit of ${mib(limit)}`);
    const bytes = readAll(descriptor, Number(stat.size), limit);
    return bytes === undefined ? { ok: false, missing: false, ...tooLong(limit) } : { ok: true, bytes, stat };
  } catch (error) {
    return unreadable(error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Undefined past the limit: files of /proc have no size, and any file may grow while it is read. */
function readAll(descriptor: number, size: number, limit: number): Buffer | undefined {
  let buffer = Buffer.allocUnsafe(Math.max(size + 1, 64 * 1024));
  for (let length = 0; length <= limit;) {
    const read = readSync(descriptor, buffer, length, buffer.length - length, null);
    if (read === 0) return buffer.subarray(0, length);
    length += read;
    if (length === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(length)]);
  }
  return undefined;
}

export function tooLong(limit: number): { readonly message: string } {
  return { message: `the file has more than the limit of ${mib(limit)}` };
}

function refuse(message: string): Bytes {
  return { ok: false, missing: false, message };
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function unreadable(error: unknown): Bytes {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return { ok: false, missing: true, message: 'there is no such file' };
  if (code === 'EACCES') {
    return { ok: false, missing: false, message: 'the file cannot be read: permission denied' };
  }
  if (code === 'ELOOP')
    return { ok: false, missing: false, message: 'the symbolic links of this path form a loop' };
  if (code === 'ERR_INVALID_ARG_VALUE')
    return { ok: false, missing: false, message: 'a path cannot hold a NUL character' };
  return {
    ok: false,
    missing: false,
    message: `the file cannot be read: ${error instanceof Error ? error.message : code}`,
  };
}

export type Decoded =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly hint: string };

/** Bytes as text. A UTF-8 byte order mark is dropped; any other encoding is refused. */
export function decode(bytes: Buffer): Decoded {
  const start = bytes.subarray(0, 2).toString('latin1');
  if (start === '\u00ff\u00fe' || start === '\u00fe\u00ff') {
    return { ok: false, message: 'the file is UTF-16', hint: 'save it as UTF-8' };
  }
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  // What is not UTF-8 decodes to U+FFFD, but a text may also hold that. (Not TextDecoder: its first use takes 5 ms.)
  if (!text.includes('\ufffd') || process.getBuiltinModule('node:buffer').isUtf8(bytes))
    return { ok: true, text };
  const line = text.split('\ufffd')[0]?.split('\n').length ?? 1;
  return { ok: false, message: `line ${line} is not valid UTF-8`, hint: 'save the file as UTF-8' };
}

/**
 * What owner and mode say against trusting the file: whoever can write it chooses what runs as `uid` (F88).
 * `stat` is of the open descriptor, so that it speaks of the very bytes that were read.
 */
export function distrust(
  source: Pick<Source, 'path' | 'name'>,
  stat: BigIntStats,
  uid: number | undefined,
): Diagnostic[] {
  const found: Diagnostic[] = [];
  const say = (severity: Diagnostic['severity'], message: string, hint: string): void => {
    found.push({ severity, file: source.name, line: 1, column: 1, length: 0, path: '', message, hint });
  };
  if ((Number(stat.mode) & 0o002) !== 0) {
    say(
      uid === 0 ? 'error' : 'warning',
      'everyone may write this file, and so choose what runs',
      'chmod o-w it',
    );
  }
  if (uid !== undefined && Number(stat.uid) !== uid && stat.uid !== 0n) {
    say(
      'warning',
      `the file belongs to another user (uid ${stat.uid}), who chooses what runs here`,
      'chown it',
    );
  }
  const open = openDirectory(source.path);
  if (open !== undefined) {
    say(
      uid === 0 ? 'error' : 'warning',
      `everyone may replace this file: its directory ${open} is writable by all`,
      `chmod o-w ${open}`,
    );
  }
  return found;
}

/** The nearest directory above the real file in which anyone may exchange entries, if there is one. */
function openDirectory(path: string): string | undefined {
  try {
    let directory = dirname(realpathSync(path));
    for (;;) {
      const { mode } = statSync(directory);
      if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0) return directory;
      if (directory === dirname(directory)) return undefined;
      directory = dirname(directory);
    }
  } catch {
    return undefined; // moved while we looked: the next reading judges it
  }
}
