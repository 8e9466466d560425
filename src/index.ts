/** What the package offers to other programs; all else is internal. */
export { compileTrigger, type TriggerOptions } from './schedule/compile-trigger.ts';
export type { Trigger } from './schedule/trigger.ts';
export { ScheduleProblem, type Problem } from './schedule/problem.ts';
export type { TaskContext, TaskFunction, TaskLog } from './tasks/context.ts';
export type { DstRule, Instant, JobDefinition, Json } from './model.ts';
