/** The job file that a node of a cluster has on its own disk, as something that can be published. Part of the composition. */
import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import type { AppOptions } from './app-options.ts';
import type { LoadResult } from './config/load.ts';
import { loadJobFile, type GivenFile } from './job-loading.ts';

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

/**
 * The texts of a job file and what it includes. They are read once more: they are checked as they are published. Undefined: one of them has gone meanwhile.
 */
export async function gather(path: string, sources: readonly string[]): Promise<GivenFile | undefined> {
  const directory = dirname(path);
  const documents: { path: string; text: string }[] = [];
  for (const source of new Set([path, ...sources])) {
    const text = await textOf(source);
    if (text === undefined) return undefined;
    documents.push({ path: relative(directory, source), text });
  }
  return { documents, directory };
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).replace(/^\ufeff/, '');
  } catch {
    return undefined; // reading the set says what is missing
  }
}
