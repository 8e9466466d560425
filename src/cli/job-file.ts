/** What is in a job file, or why it was refused. */
import type { JobDefinition, JobId } from '../model.ts';
import { formatDiagnostics, summarizeDiagnostics, type Diagnostic } from '../config/diagnostic.ts';
import { loadJobFile, type LoadedFile, type LoadOptions, type LoadResult } from '../config/load.ts';
import { printable } from '../observe/text.ts';
import { suggest } from '../schedule/suggest.ts';
import { exit, Failure } from './exit.ts';
import { findJobFile, shownPath } from './find-file.ts';
import type { Session } from './session.ts';

export function loadOptions(session: Session): LoadOptions {
  const { environment, hostTimezone, now } = session;
  const uid = process.geteuid?.();
  return { environment, hostTimezone, now, ...(uid === undefined ? {} : { uid }) };
}

/**
 * The jobs of a good file; its warnings go to standard error.
 * @throws Failure when there is no such file (66) or it has errors (78), after they were shown
 */
export async function loadJobs(named: string | undefined, session: Session): Promise<LoadedFile> {
  const path = findJobFile(named);
  const result = await loadJobFile(path, loadOptions(session));
  if (!result.ok) throw refused(path, result, session);
  show(result.file.warnings, result.file.texts, session);
  return result.file;
}

/** Shows what is wrong with a file that was refused, and gives the failure to end with. */
export function refused(
  path: string,
  result: LoadResult & { readonly ok: false },
  session: Session,
): Failure {
  const found = [...result.errors, ...result.warnings];
  show(found, result.texts, session);
  if (result.missing) {
    return new Failure(exit.noInput, `there is no job file ${printable(path)}`, 'make one: tsched init');
  }
  return new Failure(exit.badFile, `${printable(path)} has ${summarizeDiagnostics(found)}; nothing was run`);
}

/** Diagnostics with their code frames, on standard error. */
export function show(
  list: readonly Diagnostic[],
  texts: ReadonlyMap<string, string>,
  session: Session,
): void {
  if (list.length > 0) session.err(formatDiagnostics(list, texts, { color: session.colorOn('err') }));
}

/**
 * The ids in the job file, for a message: none when there is no file, or it cannot be read. Nothing is said of what is wrong with it.
 */
export async function idsInFile(named: string | undefined, session: Session): Promise<readonly JobId[]> {
  try {
    const result = await loadJobFile(findJobFile(named), loadOptions(session));
    return result.ok ? result.file.jobs.map(({ id }) => id) : [];
  } catch (error) {
    if (error instanceof Failure) return [];
    throw error;
  }
}

/** @throws Failure (64) naming the id that was probably meant */
export function jobOf(id: JobId, file: LoadedFile): JobDefinition {
  const job = file.jobs.find((candidate) => candidate.id === id);
  if (job !== undefined) return job;
  const shown = printable(id);
  const near = suggest(
    id,
    file.jobs.map((candidate) => candidate.id),
  );
  const hint =
    near === undefined
      ? `its jobs: ${file.jobs
          .slice(0, 20)
          .map((candidate) => candidate.id)
          .join(', ')}${file.jobs.length > 20 ? ', …' : ''}`
      : `did you mean "${near}"?`;
  throw new Failure(exit.usage, `there is no job "${shown}" in ${shownPath(file.path)}`, hint);
}
