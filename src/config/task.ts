/** What a job runs, of its values. */
import type { Duration, Json, Task } from '../model.ts';
import { JOB_FIELDS } from './fields.ts';
import { httpTaskOf, type HttpValues } from './http-task.ts';
import { defaultsOf } from './shape.ts';

/** What the reader makes of the keys that say what runs. */
export interface TaskValues {
  run?: string;
  shell?: readonly string[];
  command?: readonly string[];
  module?: string;
  export?: string;
  isolation?: 'process' | 'thread';
  with?: Json;
  http?: HttpValues;
}

/** Keys of which a job has one. */
export const TASKS = ['run', 'command', 'module', 'http'];

/** What is around a process, and means nothing to a request. */
export const IDLE_IN_HTTP = [
  'env',
  'env_file',
  'cwd',
  'user',
  'group',
  'umask',
  'nice',
  'limits',
  'stdin',
  'kill_signal',
  'kill_after',
  'success_exit_codes',
];

/** A connection whose other end is gone without a word is noticed by nobody else. */
export const HTTP_TIMEOUT: Duration = 5 * 60_000;

const DEFAULTS = defaultsOf(JOB_FIELDS) as Required<Pick<TaskValues, 'export' | 'isolation' | 'shell'>>;

export function taskOf(values: TaskValues): Task {
  if (values.run !== undefined) {
    const [program = '', ...rest] = values.shell ?? DEFAULTS.shell;
    return {
      kind: 'run',
      script: values.run,
      shell: rest.length === 0 ? shellOf(program) : [program, ...rest],
    };
  }
  if (values.command !== undefined) return { kind: 'command', argv: values.command };
  if (values.http !== undefined) return httpTaskOf(values.http);
  return {
    kind: 'module',
    path: values.module ?? '',
    exportName: values.export ?? DEFAULTS.export,
    isolation: values.isolation ?? DEFAULTS.isolation,
    with: values.with ?? {},
  };
}

const shells = new Map<string, readonly string[]>();

function shellOf(program: string): readonly string[] {
  const shell = shells.get(program) ?? [program, '-c'];
  shells.set(program, shell);
  return shell;
}
