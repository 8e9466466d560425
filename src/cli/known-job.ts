import type { JobId } from '../model.ts';
import { printable } from '../observe/text.ts';
import { suggest } from '../schedule/suggest.ts';
import { exit, Failure } from './exit.ts';
import { idsInFile } from './job-file.ts';
import type { KnownJobs } from './past-source.ts';
import type { Session } from './session.ts';

export interface Sources {
  readonly past: KnownJobs | undefined;
  /** The job file as it was named, if it was. */
  readonly file?: string | undefined;
  readonly session: Session;
}

/**
 * Makes sure that there is such a job, in the history or in the job file.
 * @throws Failure (64) naming the id that was probably meant; not where neither is there to ask
 */
export async function assertKnown(id: JobId, { past, file, session }: Sources): Promise<void> {
  if ((await past?.knows(id)) === true) return;
  const known = [...new Set([...((await past?.jobIds()) ?? []), ...(await idsInFile(file, session))])];
  if (known.includes(id) || known.length === 0) return;
  const near = suggest(id, known);
  const some = known.slice(0, 20).map(printable).join(', ');
  const hint =
    near === undefined
      ? `there are ${some}${known.length > 20 ? ', …' : ''}`
      : `did you mean "${printable(near)}"?`;
  throw new Failure(exit.usage, `no job and no run is called "${printable(id)}"`, hint);
}
