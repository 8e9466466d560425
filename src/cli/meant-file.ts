/** The jobs that a command is about which reads them itself: those of a file, or those of the cluster that this node belongs to. */
import type { LoadedFile } from '../config/load.ts';
import { daemonFileIn, readDaemonFile } from '../store/daemon-file.ts';
import { fileIfAny } from './find-file.ts';
import { loadJobs } from './job-file.ts';
import { fileOrLast, isFile, stateIfAny, type Named } from './last-file.ts';
import type { Session } from './session.ts';

/**
 * Of the file that `fileOrLast` finds; on a node without a job file of its own, of the published one.
 * @throws Failure as `loadJobs` and `loadPublished`
 */
export async function loadMeant(named: Named, session: Session): Promise<LoadedFile> {
  return (await publishedIfMeant(named, session)) ?? loadJobs(fileOrLast(named, session), session);
}

/** As `loadMeant`, for what does something: by no file that merely was somewhere once. */
export async function loadHere(named: Named, session: Session): Promise<LoadedFile> {
  return (await publishedIfMeant(named, session)) ?? loadJobs(named.file, session);
}

async function publishedIfMeant(
  { file, stateDir }: Named,
  session: Session,
): Promise<LoadedFile | undefined> {
  if (fileIfAny(file) !== undefined) return undefined;
  const state = stateIfAny(stateDir, session.environment);
  const newest = state === undefined ? undefined : readDaemonFile(daemonFileIn(state));
  if (state === undefined || newest?.database === undefined || isFile(newest.file)) return undefined;
  // What asks is loaded where there is somebody to be asked.
  return (await import('./published-file.ts')).loadPublished(state, session);
}
