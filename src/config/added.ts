/** Jobs that were added while the daemon ran, beside those of its job file. */
import { join } from 'node:path';
import type { AddedJob, JobDefinition, JobId } from '../model.ts';
import { loadJobFileApart } from './apart.ts';
import type { Diagnostic } from './diagnostic.ts';
import { joinDocuments, splitDocuments } from './documents.ts';
import type { LoadOptions, LoadResult } from './job-file.ts';

/** How the file of an added job is called in messages: it has none. */
export const ADDED_NAME = 'added job';

/** What became of the documents of a store. */
export interface LoadedDocuments {
  readonly jobs: readonly JobDefinition[];
  /** Jobs that cannot be loaded any more: a variable is not set, say, or this tsched has other rules. They stay in the store. */
  readonly refused: readonly { readonly jobId: JobId; readonly error: Diagnostic }[];
}

/** Reads what an earlier daemon was given. Together where that can be, one by one where something is wrong. */
export async function loadDocuments(
  added: ReadonlyMap<JobId, AddedJob>,
  options: LoadOptions,
): Promise<LoadedDocuments> {
  const jobs: JobDefinition[] = [];
  const known = [...(options.jobs ?? []), ...added.keys()];
  const refused: { jobId: JobId; error: Diagnostic }[] = [];
  for (const [directory, list] of Map.groupBy(added, ([, job]) => job.directory)) {
    for (const text of joinDocuments(list.map(([, { document }]) => document))) {
      const result = await loadText(text, directory, { ...options, jobs: known });
      if (result.ok) jobs.push(...result.file.jobs);
      else await oneByOne(text);
    }
    async function oneByOne(text: string): Promise<void> {
      for (const [jobId, document] of await splitDocuments(text)) {
        const result = await loadText(document, directory, { ...options, jobs: known });
        if (result.ok) jobs.push(...result.file.jobs);
        else for (const error of result.errors.slice(0, 1)) refused.push({ jobId, error });
      }
    }
  }
  return { jobs, refused };
}

/** What adding a text would add, or what is wrong with it. */
export type Addition =
  | {
      readonly ok: true;
      readonly jobs: readonly { readonly definition: JobDefinition; readonly document: string }[];
      readonly warnings: readonly Diagnostic[];
      readonly texts: ReadonlyMap<string, string>;
    }
  | (LoadResult & { readonly ok: false });

/** Reads a text whose jobs are to be added; relative paths in it are relative to `directory`. */
export async function readAddition(
  text: string,
  { directory, options }: { readonly directory: string; readonly options: LoadOptions },
): Promise<Addition> {
  const result = await loadText(text, directory, options);
  if (!result.ok) return result;
  const documents = await splitDocuments(text);
  const { jobs, warnings, texts } = result.file;
  return {
    ok: true,
    jobs: jobs.map((definition) => ({ definition, document: documents.get(definition.id) ?? '' })),
    warnings,
    texts,
  };
}

function loadText(text: string, directory: string, { jobs, ...options }: LoadOptions): Promise<LoadResult> {
  // A set may have 100,000 of them; who depends on none need not hear of them.
  const others = jobs !== undefined && /after|needs/.test(text) ? { jobs } : {};
  return loadJobFileApart(join(directory, ADDED_NAME), { ...options, ...others, text });
}
