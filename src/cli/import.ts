import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import {
  IMPORT_KINDS,
  importText,
  kindOf,
  NotImported,
  type Change,
  type ImportKind,
  type ImportResult,
} from '../config/import/import-file.ts';
import { printable } from '../observe/text.ts';
import { suggest } from '../schedule/suggest.ts';
import { exit, Failure } from './exit.ts';
import type { Session } from './session.ts';

export interface ImportOptions {
  readonly system?: boolean;
}

/** Prints the job file that another scheduler's file comes to, and on standard error all that means something else in it. */
export async function importFile(
  words: readonly string[],
  options: ImportOptions,
  session: Session,
): Promise<void> {
  const { kind: named, file } = readWords(words);
  const text = textOf(readBytes(file), file);
  const kind = named ?? kindOf(text);
  const system = options.system === true || isOfSystem(file);
  try {
    const beside = (path: string): string | undefined => textBeside(path, file);
    const result = await importText(text, kind, { system, homeOf, readBeside: beside });
    session.out(`# Imported from ${kind} ${printable(basename(file))} by tsched import\n${result.text}`);
    session.err(told(result, { file, kind }));
  } catch (error) {
    if (!(error instanceof NotImported)) throw error;
    throw new Failure(
      exit.badFile,
      `${printable(file)} cannot be read as ${kind}: ${printable(error.message)}`,
    );
  }
}

/** `crontab FILE`, or `FILE` alone. */
function readWords(words: readonly string[]): { kind: ImportKind | undefined; file: string } {
  const [first = '', second] = words;
  const kind = IMPORT_KINDS.find((known) => known === first);
  if (second !== undefined && kind === undefined) {
    const near = suggest(first, IMPORT_KINDS);
    const hint = near === undefined ? `there are ${IMPORT_KINDS.join(', ')}` : `did you mean ${near}?`;
    throw new Failure(exit.usage, `tsched cannot import "${printable(first)}"`, hint);
  }
  if (second === undefined && kind !== undefined && !existsSync(first))
    throw new Failure(
      exit.usage,
      `no file to import as ${kind}`,
      `write tsched import ${kind} FILE, or - for standard input`,
    );
  return second === undefined ? { kind: undefined, file: first } : { kind, file: second };
}

function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file === '-' ? 0 : file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new Failure(exit.noInput, `there is no file ${printable(file)}`);
    const forbidden = code === 'EACCES' || code === 'EPERM';
    throw new Failure(
      forbidden ? exit.notAllowed : exit.noInput,
      `cannot read ${printable(file)}: ${printable(message)}`,
    );
  }
}

/** Other bytes would be carried over as question marks, which no command means. */
function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const hint = 'convert it first, e.g. iconv -f latin1 -t utf-8';
    throw new Failure(exit.badFile, `${printable(file)} is not in UTF-8`, hint);
  }
}

/** What a file includes, by its name there; undefined when it is not to be read. */
function textBeside(path: string, file: string): string | undefined {
  try {
    return textOf(readFileSync(resolve(file === '-' ? '.' : dirname(file), path)), path);
  } catch (error) {
    if (error instanceof Failure) throw error;
    return undefined; // whoever asks says so
  }
}

/** Where each line of a crontab names a user: crontab(5). */
function isOfSystem(file: string): boolean {
  return file === '/etc/crontab' || file.startsWith('/etc/cron.d/');
}

function homeOf(user: string): string | undefined {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
    return lines.map((line) => line.split(':')).find(([name]) => name === user)?.[5];
  } catch {
    return undefined; // no such file: not known
  }
}

function told({ jobs, changes }: ImportResult, { file, kind }: { file: string; kind: ImportKind }): string {
  const name = file === '-' ? 'standard input' : printable(file);
  const heading = `${jobs} ${jobs === 1 ? 'job' : 'jobs'} from ${name} (${kind})`;
  if (changes.length === 0) return `${heading}; all of it means the same\n`;
  return `${heading}; what means something else now:\n${changes.map((change) => changeLine(change, name)).join('')}`;
}

function changeLine({ line, file, job, text }: Change, name: string): string {
  const where = line === 0 ? 'everywhere' : `${file === undefined ? name : printable(file)}:${line}`;
  return `  ${where}: ${job === undefined ? '' : `${job}: `}${printable(text)}\n`;
}
