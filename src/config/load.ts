/** The front of config/: a job file becomes definitions or diagnostics. */
import { readJobFile, type LoadOptions, type LoadResult } from './job-file.ts';

export type { JobDocument, LoadedFile, LoadOptions, LoadResult } from './job-file.ts';

/** Loads a job file in this process: for the command line and for small files. Never rejects. */
export function loadJobFile(path: string, options: LoadOptions): Promise<LoadResult> {
  return readJobFile(path, options);
}
