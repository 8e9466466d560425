/** The job file that is published in a cluster, as the daemon of this node has it. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadJobFile, type LoadedFile } from '../config/load.ts';
import { printable } from '../observe/text.ts';
import { exit, Failure } from './exit.ts';
import { loadOptions, refused, show } from './job-file.ts';
import { runningDaemon } from './past.ts';
import type { Session } from './session.ts';
import { nodeClient } from './told-past.ts';

interface ToldFile {
  readonly version: number;
  readonly by: string;
  readonly at: string;
  readonly documents: readonly { readonly path: string; readonly text: string }[];
  readonly directory: string;
  readonly timezone: string | null;
}

/**
 * Its jobs, read with the variables and files that are here; which version it is, is said.
 * @throws Failure when no daemon of this node runs, or it cannot tell (69); when none is published (66), or it has errors here (78)
 */
export async function loadPublished(state: string, session: Session): Promise<LoadedFile> {
  if (runningDaemon(state) === undefined)
    throw new Failure(
      exit.unavailable,
      'there is no job file here, and the daemon of this node, which knows the published one, does not run',
      'start it: tsched start --store …; or name a job file with --file',
    );
  const told = await nodeClient(state, session).get<ToldFile>('/file');
  const { version, documents, directory, timezone } = told;
  const path = resolve(directory, documents[0]?.path ?? 'jobs.yaml');
  const from = timezone === null ? {} : { hostTimezone: timezone };
  session.err(`tsched: there is no job file here; this is version ${version} of the cluster's\n`);
  const options = loadOptions(session);
  const { uid: owner } = statSync(state);
  if (owner !== 0 && options.uid !== undefined && owner !== options.uid)
    session.err(`tsched: its daemon belongs to another user (uid ${owner}), who chooses what it says\n`);
  const result = await loadJobFile(path, { ...options, ...from, documents });
  if (!result.ok) {
    const { code, message } = refused(path, result, session);
    const hint = 'it may be good where it is loaded: here it has the variables and files of who asks';
    throw new Failure(code, message.replace(printable(path), `version ${version}, read here,`), hint);
  }
  show(result.file.warnings, result.file.texts, session);
  return result.file;
}
