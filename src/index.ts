/** What the package offers to other programs; all else is internal. */
import { hostTimezone } from './cli/host-zone.ts';
import { loadJobFile as load, type LoadResult } from './config/load.ts';

export { compileTrigger, type TriggerOptions } from './schedule/compile-trigger.ts';
export type { Trigger } from './schedule/trigger.ts';
export { ScheduleProblem, type Problem } from './schedule/problem.ts';
export type { TaskContext, TaskFunction, TaskLog } from './tasks/context.ts';
export type { LoadedFile, LoadResult } from './config/load.ts';
export type { Diagnostic } from './config/diagnostic.ts';
export type * from './model.ts';

/** Reads and checks a job file with this process's environment, as `tsched validate` does. Mistakes are its answer, never thrown. */
export function loadJobFile(path: string): Promise<LoadResult> {
  const environment = process.env;
  return load(path, { environment, hostTimezone: hostTimezone(environment), now: Date.now() });
}
