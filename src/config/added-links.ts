/**
 * How added jobs hang together with those of the job file. Each text is read by itself and knows of the other jobs but that they are
 * there; what only all of them together show is found here.
 */
import type { JobDefinition, JobId } from '../model.ts';
import { circleIn, linksOf, type GraphLink } from '../schedule/graph.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { LoadResult } from './job-file.ts';

/** Jobs as they are to stand beside one another. */
export interface WholeSet {
  readonly jobs: readonly JobDefinition[];
  readonly added: ReadonlySet<JobId>;
}

/**
 * Says which jobs wait for one another, if `changed` ones made it so.
 *
 * @param changed the set was without circles before these came
 * @param blamed whose place in its text the error has, of the jobs of the circle
 */
export function circleError(
  { jobs, added }: WholeSet,
  changed: readonly JobDefinition[],
  blamed: (id: JobId) => boolean,
): { readonly at: JobId; readonly error: Diagnostic } | undefined {
  const circle = circleIn(jobs, changed);
  if (circle === undefined) return undefined;
  const members = new Set(circle.map(({ to }) => to));
  const sources = new Map(jobs.filter(({ id }) => members.has(id)).map(({ id, source }) => [id, source]));
  const words = circle.map(({ to, via, from }) => {
    const { file = '', line = 1 } = sources.get(to) ?? {};
    return `${to} ${via} ${from} (${added.has(to) ? 'added' : `${file}:${line}`})`;
  });
  const at = [...members].find(blamed) ?? circle[0]?.to ?? '';
  const error = {
    ...(sources.get(at) ?? { file: '', line: 1 }),
    severity: 'error' as const,
    column: 1,
    length: 0,
    path: `jobs.${at}`,
    message: `these jobs wait for one another: ${words.join(', ')}`,
    hint: 'remove one of these links',
  };
  return { at, error };
}

/** What was read of the job file, held against the jobs that were added: with them it may be a mistake. */
export function besideAdded(result: LoadResult, { jobs, added }: WholeSet): LoadResult {
  if (!result.ok || added.size === 0) return result;
  const { file } = result;
  const list = jobs.filter(({ id }) => added.has(id));
  const circle = circleError({ jobs, added }, list, (id) => !added.has(id));
  if (circle !== undefined) {
    const { warnings, sources, watched, stamps, texts } = file;
    return {
      ok: false,
      errors: [circle.error],
      warnings,
      sources,
      watched,
      stamps,
      texts,
      incomplete: false,
      missing: false,
    };
  }
  const links = list.flatMap(linksOf);
  if (links.length === 0) return result;
  const ids = new Set(jobs.map(({ id }) => id));
  const lost = links.filter(({ from }) => !ids.has(from));
  if (lost.length === 0) return result;
  const warnings = [...file.warnings, ...lost.map((link) => lostWarning(file.path, link))];
  // Not a copy: the hash of what was read is worked out when it is first asked for.
  return { ok: true, file: Object.create(file, { warnings: { value: warnings } }) as typeof file };
}

function lostWarning(file: string, { to, via, from }: GraphLink): Diagnostic {
  const what = via === 'after' ? 'follows' : 'needs';
  return {
    severity: 'warning',
    file,
    line: 1,
    column: 1,
    length: 0,
    path: '',
    message: `the added job ${to} ${what} "${from}", which is not there any more; the next daemon will not load ${to}`,
    hint: `put "${from}" back, or: tsched remove ${to}`,
  };
}

/** Ids of the jobs that follow or need this one. */
export function dependents(jobs: Iterable<JobDefinition>, id: JobId): JobId[] {
  return Array.from(jobs)
    .filter((job) => job.id !== id && linksOf(job).some(({ from }) => from === id))
    .map((job) => job.id);
}
