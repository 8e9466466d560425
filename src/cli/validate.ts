import { inLineOrder, summarizeDiagnostics, type Diagnostic } from '../config/diagnostic.ts';
import { loadJobFile, type LoadedFile, type LoadResult } from '../config/load.ts';
import { problemShape } from '../http/shapes.ts';
import { printable, printableJson } from '../observe/text.ts';
import { clockChangesAhead } from './clock-changes.ts';
import { exit } from './exit.ts';
import { findJobFile } from './find-file.ts';
import { loadOptions, show } from './job-file.ts';
import type { Session } from './session.ts';

export interface ValidateOptions {
  readonly file?: string;
  readonly json?: boolean;
  /** Warnings fail too. */
  readonly strict?: boolean;
}

/** All that is wrong with one or more job files. Gives the exit code. */
export async function validate(
  paths: readonly string[],
  options: ValidateOptions,
  session: Session,
): Promise<number> {
  const files = paths.length > 0 ? paths : [findJobFile(options.file)];
  const results: LoadResult[] = [];
  for (const path of files) results.push(await loadJobFile(path, { ...loadOptions(session), tests: true }));

  const errors = results.flatMap((result) => (result.ok ? [] : result.errors));
  const warnings = results.flatMap((result) => (result.ok ? result.file.warnings : result.warnings));
  if (options.json === true) session.out(asJson(errors, warnings));
  else report(files, results, session);

  if (results.some((result) => !result.ok && !result.missing)) return exit.badFile;
  if (results.some((result) => !result.ok)) return exit.noInput;
  return options.strict === true && warnings.length > 0 ? exit.badFile : exit.ok;
}

function asJson(errors: readonly Diagnostic[], warnings: readonly Diagnostic[]): string {
  return `${printableJson({ errors: errors.map(problemShape), warnings: warnings.map(problemShape) })}\n`;
}

function report(paths: readonly string[], results: readonly LoadResult[], session: Session): void {
  const paint = session.painter('err');
  for (const [index, result] of results.entries()) {
    const path = printable(paths[index] ?? '');
    const found = result.ok ? result.file.warnings : [...result.errors, ...result.warnings];
    const texts = result.ok ? result.file.texts : result.texts;
    show(inLineOrder(found, [...texts.keys()]), texts, session);
    if (result.ok) session.out(good(path, result.file, session));
    else session.err(`${paint('red', '✖')} ${path}: ${summarizeDiagnostics(found)}\n`);
  }
}

function good(path: string, file: LoadedFile, session: Session): string {
  const paint = session.painter('out');
  const disabled = file.jobs.filter((job) => !job.enabled).length;
  const jobs = `${file.jobs.length} job${file.jobs.length === 1 ? '' : 's'}${disabled === 0 ? '' : ` (${disabled} disabled)`}`;
  const warned = file.warnings.length === 0 ? 'no warnings' : summarizeDiagnostics(file.warnings);
  const changes = clockChangesAhead(file.jobs, session.now).map((line) => `  ${paint('yellow', line)}\n`);
  const heading = changes.length === 0 ? '' : 'Touched by clock changes within a year:\n';
  return `${paint('green', '✔')} ${path}: ${jobs}, ${warned}; default time zone ${file.timezone}\n${heading}${changes.join('')}`;
}
