import { dirname, isAbsolute, join, resolve } from 'node:path';
import { gather, type GivenFile } from '../config/gather.ts';
import { loadJobFile } from '../config/load.ts';
import type { Duration } from '../model.ts';
import { printableJson } from '../observe/text.ts';
import { Client, Refused, type ClientOptions } from './client.ts';
import { exit, Failure } from './exit.ts';
import { findJobFile, shownPath } from './find-file.ts';
import { loadOptions, refused } from './job-file.ts';
import { planText } from './reload.ts';
import type { Session } from './session.ts';
import { showFramed } from './told-problems.ts';
import type { ToldPlan } from './told.ts';

export interface PublishOptions extends ClientOptions {
  readonly file?: string;
  readonly directory?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

interface ToldPublished {
  readonly version: number;
  readonly changed: boolean;
  readonly plan: ToldPlan;
}

/** It is read, checked and armed before it is answered, by another node perhaps. */
const PATIENCE: Duration = 120_000;

/** Puts a job file and its includes in force on every node of the cluster. Gives the exit code. */
export async function publish(
  named: string | undefined,
  options: PublishOptions,
  session: Session,
): Promise<number> {
  const path = findJobFile(named ?? options.file);
  const client = new Client(options, session);
  const directory = directoryOf(options);
  const given = await read(path, session);
  const { documents, directory: from } = given;
  const body = { documents, directory: directory ?? from, timezone: session.hostTimezone };
  try {
    const target = options.dryRun === true ? '/file?dry_run=true' : '/file';
    const answer = await client.call<ToldPublished>(target, { method: 'PUT', body, patience: PATIENCE });
    const { version, changed, plan } = answer;
    showFramed(plan.warnings, namedFrom(path), session);
    if (options.json === true) session.out(`${printableJson(answer)}\n`);
    else session.out(asText(shownPath(path), { version, changed, plan }, options));
    return exit.ok;
  } catch (error) {
    if (error instanceof Refused) showFramed(error.errors, namedFrom(path), session);
    throw error;
  }
}

/** Files of the daemon as they are seen from here. */
function namedFrom(path: string): (file: string) => string {
  return (file) => (isAbsolute(file) ? file : join(dirname(path), file));
}

function directoryOf({ directory }: PublishOptions): string | undefined {
  if (directory === undefined || isAbsolute(directory)) return directory;
  throw new Failure(exit.usage, '--directory takes an absolute path', 'it is one on the nodes, not here');
}

/**
 * The file and its includes as they are here. Whether they are good is for the daemon to say, which has other variables than we do.
 * @throws Failure where not all of it can be read
 */
async function read(path: string, session: Session): Promise<GivenFile> {
  const result = await loadJobFile(path, loadOptions(session));
  if (!result.ok && result.incomplete) throw refused(path, result, session);
  const given = await gather(resolve(path), result.ok ? result.file.sources : result.sources);
  if (given !== undefined) return given;
  throw new Failure(exit.noInput, `${shownPath(path)} was changed while it was read`, 'try again');
}

function asText(
  file: string,
  { version, changed, plan }: ToldPublished,
  { dryRun = false }: PublishOptions,
): string {
  if (!changed) return `${file}: it is version ${version} already.\n`;
  const what = dryRun ? `It would be version ${version}` : `It is version ${version}, in force`;
  return `${planText(plan, file)}${what} on every node.\n`;
}
