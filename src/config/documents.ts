/**
 * Jobs that are added one by one, each kept as a job file of its own: the settings it was written under, and itself. They are read
 * together where their settings are the same, by the same rules and with the same words as any job file.
 */
import type { JobId, Json } from '../model.ts';
import { parse } from './job-file.ts';
import { Source } from './source.ts';
import type { Tree } from './tree.ts';

type JsonMap = { readonly [key: string]: Json };

/**
 * A job file that has no mistakes, as one document for each of its jobs. Documents are JSON, which is YAML; equal jobs make
 * equal documents.
 */
export async function splitDocuments(text: string): Promise<ReadonlyMap<JobId, string>> {
  const { tree } = await parse(new Source('/', '', text));
  const { jobs, ...settings } = mapOf(tree);
  return new Map(
    Object.entries((jobs ?? {}) as JsonMap).map(([id, job]) => [
      id,
      JSON.stringify({ ...settings, jobs: { [id]: job } }),
    ]),
  );
}

/** Documents as few job files: one for each set of settings. */
export function joinDocuments(documents: Iterable<string>): string[] {
  const bySettings = new Map<string, Record<string, Json>>();
  for (const document of documents) {
    const { jobs, ...settings } = JSON.parse(document) as JsonMap;
    const key = JSON.stringify(settings);
    const together = bySettings.get(key) ?? {};
    bySettings.set(key, Object.assign(together, jobs));
  }
  return Array.from(bySettings, ([settings, jobs]) =>
    JSON.stringify({ ...(JSON.parse(settings) as JsonMap), jobs }),
  );
}

function mapOf(tree: Tree | undefined): JsonMap {
  return tree?.kind === 'map' ? (plain(tree) as JsonMap) : {};
}

function plain(tree: Tree): Json {
  switch (tree.kind) {
    case 'scalar':
      return tree.value;
    case 'list':
      return tree.items.map(plain);
    case 'map':
      return Object.fromEntries(tree.entries.map(({ key, value }) => [key, plain(value)]));
  }
}
