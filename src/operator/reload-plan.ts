/** What putting a new set of jobs in place of the loaded one changes. */
import type { LoadedFile } from '../config/load.ts';
import type { Engine, JobStatus } from '../engine/engine.ts';
import type { ReloadPlan } from '../engine/ports-operator.ts';
import type { Clock } from '../engine/ports.ts';
import type { JobDefinition, JobId, RunRecord } from '../model.ts';
import { changedKeys } from '../schedule/changed-keys.ts';
import { changeOf } from '../schedule/diff.ts';

/** Compared before the loop has its turn: a plan of 100,000 jobs delays no start. */
const SLICE = 500;

/** The file is as it was. */
export const NOTHING = {
  kind: 'unchanged',
  added: [],
  changed: [],
  rescheduled: [],
  removed: [],
  changedKeys: {},
  activeRuns: [],
  warnings: [],
} as const;

/** The set before, by id. */
export type Before = ReadonlyMap<JobId, JobStatus>;

export function before(engine: Engine): Before {
  return new Map([...engine.jobs()].map((job) => [job.definition.id, job]));
}

/** Tells what a good file would change; `jobs` are those of the file and, as they are, those that were added. */
export async function planOf(
  known: Before,
  { jobs, warnings }: { readonly jobs: readonly JobDefinition[]; readonly warnings: LoadedFile['warnings'] },
  clock: Clock,
): Promise<ReloadPlan> {
  const plan = { added: [] as JobId[], changed: [] as JobId[], rescheduled: [] as JobId[] };
  const changes: Record<JobId, readonly string[]> = {};
  const stay = new Set<JobId>();
  for (const [index, definition] of jobs.entries()) {
    if (index % SLICE === SLICE - 1) await new Promise<void>((resolve) => void clock.after(0, resolve));
    stay.add(definition.id);
    const old = known.get(definition.id)?.definition;
    const { kind } = changeOf(old, definition);
    if (kind === 'unchanged') continue;
    plan[kind].push(definition.id);
    if (old !== undefined) changes[definition.id] = changedKeys(old, definition);
  }
  const removed = [...known.keys()].filter((id) => !stay.has(id));
  const touched = [...plan.changed, ...plan.rescheduled, ...removed];
  return {
    kind: touched.length + plan.added.length === 0 ? 'unchanged' : 'planned',
    ...plan,
    removed,
    changedKeys: changes,
    unchanged: jobs.length - plan.added.length - touched.length + removed.length,
    activeRuns: activeOf(known, touched),
    warnings,
  };
}

/** Tells what a reload has changed. */
export function doneOf(
  known: Before,
  engine: Engine,
  summary: Pick<ReloadPlan, 'added' | 'changed' | 'removed' | 'unchanged'>,
): Omit<ReloadPlan, 'warnings'> {
  const changes: Record<JobId, readonly string[]> = {};
  const rescheduled = summary.changed.filter((id) => {
    const [old, now] = [known.get(id)?.definition, engine.definition(id)];
    if (now === undefined || old === undefined) return false;
    changes[id] = changedKeys(old, now);
    return changeOf(old, now).kind === 'rescheduled';
  });
  const again = new Set(rescheduled);
  return {
    kind: 'applied',
    added: summary.added,
    changed: summary.changed.filter((id) => !again.has(id)),
    rescheduled,
    removed: summary.removed,
    changedKeys: changes,
    unchanged: summary.unchanged,
    activeRuns: activeOf(known, [...summary.changed, ...summary.removed]).flatMap(
      ({ id }) => engine.run(id) ?? [],
    ),
  };
}

function activeOf(known: Before, ids: readonly JobId[]): RunRecord[] {
  return ids.flatMap((id) => known.get(id)?.active ?? []);
}
