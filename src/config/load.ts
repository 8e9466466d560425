/** Loading a job file: in process, or apart from the loop that must not wait. */
import { readJobFile, type LoadOptions, type LoadResult } from './job-file.ts';

export type { LoadedFile, LoadOptions, LoadResult } from './job-file.ts';

/** Loads a job file in this process: for the command line and for small files. */
export function loadJobFile(path: string, options: LoadOptions): Promise<LoadResult> {
  return Promise.resolve(readJobFile(path, options));
}
