import { loadJobFile } from '../config/load.ts';
import { printable, printableJson } from '../observe/text.ts';
import { Client, Refused, type ClientOptions } from './client.ts';
import { exit } from './exit.ts';
import { shownPath } from './find-file.ts';
import { loadOptions, show } from './job-file.ts';
import type { Session } from './session.ts';
import { showFramed, withoutNulls, type ToldProblem } from './told-problems.ts';
import type { ToldPlan, ToldRun, ToldStatus } from './told.ts';

export interface ReloadOptions extends ClientOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Of a node of a cluster: which copy it read, and the version that this is by now, or would be. */
type ToldReload = ToldPlan & { readonly file: string | null; readonly version: number | null };

/** Ids of one kind that are named; a thousand help nobody. */
const MOST = 20;

/** Has the daemon read its job file again, or tell what that would change. Gives the exit code. */
export async function reload(options: ReloadOptions, session: Session): Promise<number> {
  const client = new Client(options, session);
  const { file } = await client.get<ToldStatus>('/status');
  const query = options.dryRun === true ? '?dry_run=true' : '';
  try {
    const plan = await client.post<ToldReload>(`/reload${query}`);
    if (plan.warnings.length > 0) await showProblems(plan.warnings, file, { client, session });
    if (options.json === true) session.out(`${printableJson(plan)}\n`);
    else
      session.out(asText(plan, client.isLocal ? shownPath(plan.file ?? file) : printable(plan.file ?? file)));
    return exit.ok;
  } catch (error) {
    if (error instanceof Refused && error.errors.length > 0)
      await showProblems(error.errors, file, { client, session });
    throw error;
  }
}

function asText(plan: ToldReload, file: string): string {
  const { kind, version } = plan;
  const inForce =
    version === null || kind === 'planned' ? '' : `Version ${version} is in force on every node.\n`;
  return `${planText(plan, file)}${inForce}`;
}

/** With their lines, where the file can be read from here, less what is secret in it. */
async function showProblems(
  problems: readonly ToldProblem[],
  file: string,
  { client, session }: { readonly client: Client; readonly session: Session },
): Promise<void> {
  // Of a node's copy: the file above is that of the node which conducts.
  if (problems.every(({ frame }) => typeof frame === 'string'))
    return showFramed(problems, (named) => named, session);
  const result = client.isLocal ? await loadJobFile(file, loadOptions(session)) : undefined;
  const read = (result?.ok === true ? result.file.texts : result?.texts) ?? new Map<string, string>();
  const texts = new Map<string, string>();
  for (const { file: named } of problems) {
    // The daemon names its files from where it was started.
    const path = [...read.keys()].find((path) => path === named || path.endsWith(`/${named}`));
    texts.set(named, read.get(path ?? '') ?? '');
  }
  show(problems.map(withoutNulls), texts, session);
}

/** What a set of jobs that takes the place of another changes. */
export function planText(plan: ToldPlan, file: string): string {
  const { kind, added, changed, rescheduled, removed, unchanged, activeRuns } = plan;
  if (kind === 'unchanged') return `${file}: nothing has changed.\n`;
  const parts = [
    counted(added, 'added'),
    counted(changed, 'changed'),
    counted(rescheduled, 'rescheduled'),
    counted(removed, 'removed'),
    `${unchanged} unchanged`,
  ].filter((part) => part !== '');
  const details = [...keysOf('changed', plan), ...keysOf('rescheduled', plan)];
  const leaving = new Set(removed);
  const runs = activeRuns.map((run) => `${fateOf(run, { leaves: leaving.has(run.jobId), kind })}\n`);
  const end = kind === 'planned' ? 'Nothing was applied: tsched reload does.\n' : '';
  return `${file}: ${parts.join(', ')}.\n${details.join('')}${runs.join('')}${end}`;
}

/** `  changed      backup  (run, timeout)` */
function keysOf(kind: 'changed' | 'rescheduled', { changedKeys, ...plan }: ToldPlan): string[] {
  const ids = plan[kind].slice(0, MOST).map(printable);
  const width = Math.max(...ids.map(({ length }) => length));
  return ids.map((id) => {
    const keys = (changedKeys[id] ?? []).map(printable).join(', ');
    return `  ${kind.padEnd(11)}  ${id.padEnd(width)}  (${keys})\n`;
  });
}

/** `2 added (a, b)` */
function counted(ids: readonly string[], word: string): string {
  if (ids.length === 0) return '';
  const more = ids.length > MOST ? ', …' : '';
  return `${ids.length} ${word} (${ids.slice(0, MOST).map(printable).join(', ')}${more})`;
}

function fateOf(
  { id, jobId }: ToldRun,
  { leaves, kind }: { leaves: boolean; kind: ToldPlan['kind'] },
): string {
  const isPlan = kind === 'planned';
  const fate = leaves
    ? `it finishes as it began, and none follows`
    : `the change ${isPlan ? 'would apply' : 'applies'} from its next run`;
  return `${printable(jobId)} is running (run ${id}): ${fate}.`;
}
