/** A job file and what it includes, gathered so that it can be carried to another machine. */
import { readFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import type { JobDocument } from './loaded.ts';

/** The text of a job file and its includes, the job file first, and what relative paths in it are relative to (absolute). */
export interface GivenFile {
  readonly documents: readonly JobDocument[];
  readonly directory: string;
  /** Of the machine it is from: what jobs go by that name none. */
  readonly timezone?: string | undefined;
}

/**
 * The texts of a job file and its `sources` (absolute), as loading it told them. They are read once more, since a loader keeps no texts;
 * what is gathered is checked as such. Undefined: one of them has gone meanwhile.
 */
export async function gather(path: string, sources: readonly string[]): Promise<GivenFile | undefined> {
  const directory = dirname(path);
  const documents: JobDocument[] = [];
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
    return undefined; // whoever loads it anew is told what is missing
  }
}
