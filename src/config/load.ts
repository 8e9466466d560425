/** Loading a job file: in this process, or apart from a loop that must not wait. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { ApartOptions } from './apart.ts';
import { readJobFile, type LoadOptions, type LoadResult } from './job-file.ts';

export type { LoadedFile, LoadOptions, LoadResult } from './job-file.ts';

/** Files shorter than this are read in place: a few milliseconds, less than starting a process. */
const SMALL = 32 * 1024;

/** A generator with a mistake makes as many errors as jobs: so many cross at most, and nobody reads more. */
export const MOST_DIAGNOSTICS = 500;

/** Loads a job file in this process: for the command line and for small files. Never rejects. */
export function loadJobFile(path: string, options: LoadOptions): Promise<LoadResult> {
  return readJobFile(path, options);
}

/**
 * Loads a job file as a daemon needs it: small files in place, others in a short-lived process whose result arrives in
 * pieces, so that the loop is never held up for long. Never rejects: a process that fails is a diagnostic.
 */
export async function loadJobFileApart(
  path: string,
  options: LoadOptions & ApartOptions,
): Promise<LoadResult> {
  if (isSmall(path)) return readJobFile(path, options);
  const { loadInChild } = await import('./apart.ts');
  return loadInChild(path, { maxDiagnostics: MOST_DIAGNOSTICS, ...options }, options);
}

/** Short, and without includes, which may be of any size. */
function isSmall(path: string): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(SMALL);
    const length = readSync(descriptor, buffer, 0, SMALL, 0);
    return length < SMALL && !/^["']?include["']?\s*:/m.test(buffer.toString('utf8', 0, length));
  } catch {
    return true; // reading it says what is wrong
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
