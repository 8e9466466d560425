/** Which keys of the job file tell two definitions of a job apart. */
import type { JobDefinition, Schedule, Task } from '../model.ts';
import { same } from './diff.ts';

/**
 * The keys, in the order of the reference, whose values differ once defaults and variables are in place: where only `overlap`
 * was edited and `max_instances` follows from it, both. Files read for `env` count as `env`.
 */
export function changedKeys(before: JobDefinition, after: JobDefinition): readonly string[] {
  const [was, is] = [valuesOf(before), valuesOf(after)];
  const keys = new Set([...Object.keys(was), ...Object.keys(is)]);
  return [...keys].filter((key) => !same(was[key], is[key]));
}

type Values = Readonly<Record<string, unknown>>;

/** What a definition says, under the names that the job file has for it. */
function valuesOf(definition: JobDefinition): Values {
  const { task, surroundings, policy, output, telling, needs, description, tags, enabled } = definition;
  const { shards, runsOn } = definition;
  const isMatrix = shards?.some(({ values }) => values !== undefined) === true;
  const { cwd, env, inheritEnv, user, group, umask, nice, limits, stdin } = surroundings;
  return {
    ...valuesOfSchedule(definition.schedule),
    enabled,
    ...valuesOfTask(task),
    params: definition.params,
    cwd,
    env,
    inherit_env: inheritEnv,
    user,
    group,
    umask,
    nice,
    limits,
    stdin,
    misfire: policy.misfire,
    overlap: policy.overlap,
    max_instances: policy.maxInstances,
    retry: policy.retry,
    timeout: policy.timeout,
    kill_after: policy.killAfter,
    kill_signal: policy.killSignal,
    on_shutdown: policy.onShutdown,
    success_exit_codes: policy.successExitCodes,
    priority: policy.priority,
    pool: policy.pool,
    runs_on: runsOn,
    shards: isMatrix ? undefined : shards?.length,
    matrix: isMatrix ? shards : undefined,
    output,
    notify: telling?.notify,
    ping: telling?.ping,
    expect: telling?.expect,
    needs: needs?.jobs,
    needs_timeout: needs?.timeout,
    needs_failed: needs?.failed,
    description,
    tags,
  };
}

function valuesOfSchedule({ triggers, timezone, dst, start, end, days, jitter }: Schedule): Values {
  const values: Record<string, unknown> = { cron: [], every: [], anchor: [], at: [], startup: [], after: [] };
  const add = (key: string, value: unknown): void => void (values[key] as unknown[]).push(value);
  for (const trigger of triggers) {
    switch (trigger.kind) {
      case 'cron':
        add('cron', trigger.expressions);
        break;
      case 'every':
        add('every', trigger.period);
        add('anchor', trigger.anchor);
        break;
      case 'at':
        add('at', trigger.instants);
        break;
      case 'startup':
        add('startup', trigger.when);
        break;
      case 'after':
        add('after', trigger);
        break;
    }
  }
  const { only, exclude, roll } = days ?? {};
  return { ...values, timezone, dst, start, end, only, exclude, roll, jitter };
}

function valuesOfTask(task: Task): Values {
  switch (task.kind) {
    case 'run':
      return { run: task.script, shell: task.shell };
    case 'command':
      return { command: task.argv };
    case 'module':
      return { module: task.path, export: task.exportName, isolation: task.isolation, with: task.with };
    case 'http':
      return { http: task };
  }
}
