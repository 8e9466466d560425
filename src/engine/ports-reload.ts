/** What a reload does to jobs: a part of ports-operator.ts. */
import type { JobId, RunRecord } from '../model.ts';
import type { FileProblem } from './refusal.ts';

/** What a reload changes, or would. */
export interface ReloadPlan {
  readonly kind: 'unchanged' | 'applied' | 'planned';
  readonly added: readonly JobId[];
  /** Their schedule is another: they re-arm from now. */
  readonly rescheduled: readonly JobId[];
  /** Anything but their schedule is another: they keep their place. */
  readonly changed: readonly JobId[];
  readonly removed: readonly JobId[];
  readonly unchanged: number;
  /** Of each job that is changed or rescheduled: the keys of the job file whose values are others. */
  readonly changedKeys: Readonly<Record<JobId, readonly string[]>>;
  /** Active runs of jobs that change or leave: they finish under the definition they began with. */
  readonly activeRuns: readonly RunRecord[];
  readonly warnings: readonly FileProblem[];
}
