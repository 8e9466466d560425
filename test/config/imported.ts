/** What a file of another scheduler comes to, for the tests of importing. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { importText, type ImportKind } from '../../src/config/import/import-file.ts';
import type { LoadedFile } from '../../src/config/load.ts';
import { Files } from './support.ts';

const fixtures = join(import.meta.dirname, '../fixtures/import');
export const fixture = (name: string): string => readFileSync(join(fixtures, name), 'utf8');

export interface Came {
  readonly text: string;
  readonly jobs: LoadedFile['jobs'];
  /** As `line job: text`. */
  readonly changes: readonly string[];
}

/** Imports a text and loads what came of it: never with an error. */
export async function comesTo(
  text: string,
  kind: ImportKind,
  { system = false, beside = {} }: { system?: boolean; beside?: Readonly<Record<string, string>> } = {},
): Promise<Came> {
  const homeOf = (user: string): string | undefined => (user === 'root' ? '/root' : undefined);
  const imported = await importText(text, kind, { system, homeOf, readBeside: (path) => beside[path] });
  using files = new Files();
  const { jobs } = await files.loaded(imported.text);
  expect(jobs).toHaveLength(imported.jobs);
  return {
    text: imported.text,
    jobs,
    changes: imported.changes.map(
      ({ line, file, job, text: words }) =>
        `${file === undefined ? '' : `${file}:`}${line} ${job ?? '-'}: ${words}`,
    ),
  };
}

export function jobIn({ jobs }: Came, id: string) {
  const found = jobs.find((job) => job.id === id);
  if (found === undefined) throw new Error(`no ${id} among ${jobs.map((job) => job.id).join(' ')}`);
  const { task } = found;
  return { ...found, script: task.kind === 'run' ? task.script : undefined };
}

export const cronOf = (job: LoadedFile['jobs'][number]): unknown =>
  job.schedule.triggers.flatMap((trigger) =>
    trigger.kind === 'cron' ? trigger.expressions : [trigger.kind],
  );
