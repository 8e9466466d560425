/** The job file that a node of a cluster has on its own disk, as something that can be published. Part of the composition. */
import { resolve } from 'node:path';
import type { AppOptions } from './app-options.ts';
import { gather, type GivenFile } from './config/gather.ts';
import type { LoadResult } from './config/load.ts';
import { loadJobFile } from './job-loading.ts';

/** A copy, be it good or not. */
export interface JobFileCopy {
  readonly given: GivenFile;
  /** Absolute path of the job file. */
  readonly path: string;
  /** What reading it came to, on this node. */
  readonly result: LoadResult;
}

/** Reads it as the daemon does, a large one in a process of its own; undefined: there is none. */
export async function readCopy(options: AppOptions, signal?: AbortSignal): Promise<JobFileCopy | undefined> {
  const result = await loadJobFile(options, signal === undefined ? {} : { signal });
  if (!result.ok && result.missing) return undefined;
  const path = resolve(options.file);
  const given = await gather(path, result.ok ? result.file.sources : result.sources);
  return given && { given, path, result };
}
