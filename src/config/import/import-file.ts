/** Job files of other schedulers as ours. */
import { readDocuments } from './foreign-yaml.ts';
import { importCrontab, type CrontabOptions } from './crontab.ts';
import { NotImported, type Change, type ImportKind } from './imported.ts';
import { jobFileText } from './job-file-text.ts';
import { importKubernetes } from './kubernetes.ts';
import { importYacron, type ReadBeside } from './yacron.ts';

export { NotImported, type Change, type ImportKind } from './imported.ts';

export const IMPORT_KINDS: readonly ImportKind[] = ['crontab', 'yacron', 'supercronic', 'kubernetes'];

export interface ImportResult {
  /** A job file that is good. */
  readonly text: string;
  readonly jobs: number;
  /** Everything that means something else now, in the order of the lines. */
  readonly changes: readonly Change[];
}

/** What a text looks like; a crontab when it is nothing else. */
export function kindOf(text: string): ImportKind {
  if (/^apiVersion:/m.test(text) && /^(?:\s*(?:- )?)kind:\s*["']?CronJob/m.test(text)) return 'kubernetes';
  return /^jobs:\s*(?:#.*)?$/m.test(text) && /^\s*-\s+\w+:/m.test(text) ? 'yacron' : 'crontab';
}

export interface ImportOptions extends Omit<CrontabOptions, 'kind'> {
  readonly readBeside: ReadBeside;
}

/** @throws NotImported when the text is not what it is said to be */
export async function importText(
  text: string,
  kind: ImportKind,
  options: ImportOptions,
): Promise<ImportResult> {
  if (text.includes('\0')) throw new NotImported('it is not a text file: it holds a NUL character');
  const imported =
    kind === 'crontab' || kind === 'supercronic'
      ? importCrontab(text, { ...options, kind })
      : kind === 'yacron'
        ? await importYacron(text, options.readBeside)
        : importKubernetes(await readDocuments(text));
  return { text: jobFileText(imported), jobs: imported.jobs.length, changes: imported.changes };
}
