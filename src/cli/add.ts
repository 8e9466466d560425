import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { printable, printableJson } from '../observe/text.ts';
import { Client, Refused, type ClientOptions } from './client.ts';
import { exit, Failure } from './exit.ts';
import { show } from './job-file.ts';
import { withoutNulls } from './told-problems.ts';
import type { Session } from './session.ts';

export interface AddOptions extends ClientOptions {
  readonly replace?: boolean;
  readonly json?: boolean;
}

interface Added {
  readonly added: readonly string[];
  readonly changed: readonly string[];
}

/** Gives the daemon the jobs of a job file, all or none, to be kept beside those of its own. Gives the exit code. */
export async function add(path: string, options: AddOptions, session: Session): Promise<number> {
  const text = textOf(path);
  const client = new Client(options, session);
  const body = {
    text,
    replace: options.replace === true,
    // Of a daemon elsewhere we do not know the directories.
    ...(client.isLocal ? { directory: path === '-' ? process.cwd() : dirname(resolve(path)) } : {}),
  };
  try {
    const result = await client.post<Added>('/jobs', body);
    session.out(options.json === true ? `${printableJson(result)}\n` : asText(result));
    return exit.ok;
  } catch (error) {
    if (error instanceof Refused && error.errors.length > 0) {
      const name = path === '-' ? 'standard input' : path;
      const problems = error.errors.map((problem) => ({ ...withoutNulls(problem), file: name }));
      show(problems, new Map([[name, text]]), session);
    }
    throw error;
  }
}

/** Takes an added job from the daemon. Gives the exit code. */
export async function remove(
  id: string,
  options: ClientOptions & { readonly json?: boolean },
  session: Session,
): Promise<number> {
  const client = new Client(options, session);
  const path = `/jobs/${encodeURIComponent(id)}`;
  const result = await client.call<{ readonly removed: string }>(path, { method: 'DELETE' });
  session.out(options.json === true ? `${printableJson(result)}\n` : `removed ${printable(id)}\n`);
  return exit.ok;
}

function asText({ added, changed }: Added): string {
  const parts = [
    ...(added.length === 0 ? [] : [`added ${added.map(printable).join(', ')}`]),
    ...(changed.length === 0 ? [] : [`changed ${changed.map(printable).join(', ')}`]),
  ];
  return `${parts.length === 0 ? 'nothing has changed: these jobs are there already' : parts.join('; ')}\n`;
}

function textOf(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    const what = isMissing ? `there is no file ${path}` : `${path} cannot be read: ${message}`;
    throw new Failure(exit.noInput, printable(what), 'name a job file, or - for standard input');
  }
}
