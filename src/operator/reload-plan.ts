/** What putting a new set of jobs in place of the loaded one changes. */
import type { LoadedFile } from '../config/load.ts';
import type { Engine, JobStatus } from '../engine/engine.ts';
import type { ReloadPlan } from '../engine/ports-operator.ts';
import type { Clock } from '../engine/ports.ts';
import type { JobId, RunRecord } from '../model.ts';
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
  activeRuns: [],
  warnings: [],
} as const;

/** The set before, by id. */
export type Before = ReadonlyMap<JobId, JobStatus>;

export function before(engine: Engine): Before {
  return new Map([...engine.jobs()].map((job) => [job.definition.id, job]));
}

/** Tells what a good file would change. */
export async function planOf(known: Before, file: LoadedFile, clock: Clock): Promise<ReloadPlan> {
  const plan = { added: [] as JobId[], changed: [] as JobId[], rescheduled: [] as JobId[] };
  const stay = new Set<JobId>();
  for (const [index, definition] of file.jobs.entries()) {
    if (index % SLICE === SLICE - 1) await new Promise<void>((resolve) => void clock.after(0, resolve));
    stay.add(definition.id);
    const { kind } = changeOf(known.get(definition.id)?.definition, definition);
    if (kind !== 'unchanged') plan[kind].push(definition.id);
  }
  const removed = [...known.keys()].filter((id) => !stay.has(id));
  const touched = [...plan.changed, ...plan.rescheduled, ...removed];
  return {
    kind: touched.length + plan.added.length === 0 ? 'unchanged' : 'planned',
    ...plan,
    removed,
    unchanged: file.jobs.length - plan.added.length - touched.length + removed.length,
    activeRuns: activeOf(known, touched),
    warnings: file.warnings,
  };
}

/** Tells what a reload has changed. */
export function doneOf(
  known: Before,
  engine: Engine,
  summary: Pick<ReloadPlan, 'added' | 'changed' | 'removed' | 'unchanged'>,
): Omit<ReloadPlan, 'warnings'> {
  const rearmed = (id: JobId): boolean => {
    const now = engine.job(id)?.definition;
    return now !== undefined && changeOf(known.get(id)?.definition, now).kind === 'rescheduled';
  };
  const rescheduled = summary.changed.filter(rearmed);
  const again = new Set(rescheduled);
  return {
    kind: 'applied',
    added: summary.added,
    changed: summary.changed.filter((id) => !again.has(id)),
    rescheduled,
    removed: summary.removed,
    unchanged: summary.unchanged,
    activeRuns: activeOf(known, [...summary.changed, ...summary.removed]).flatMap(
      ({ id }) => engine.run(id) ?? [],
    ),
  };
}

function activeOf(known: Before, ids: readonly JobId[]): RunRecord[] {
  return ids.flatMap((id) => known.get(id)?.active ?? []);
}
