/**
 * What a module task is given. These types are part of the package's API:
 *
 *     import type { TaskContext } from 'tsched';
 *     export default async function report({ with: options, signal, log }: TaskContext<{ days: number }>) { … }
 */
import type { Arguments, Cause, Instant, Json, JobId, RunId, Shard, Upstream } from '../model.ts';

/**
 * Writes one line to the output of the run: debug and info to stdout, warning and error to stderr, headed by the level.
 * `details` follow as JSON, an Error as its stack.
 */
export interface TaskLog {
  debug(message: string, details?: unknown): void;
  info(message: string, details?: unknown): void;
  warning(message: string, details?: unknown): void;
  error(message: string, details?: unknown): void;
}

/** What became of the jobs that a run follows or needs, by their ids. */
export type Needs = { readonly [jobId: JobId]: Omit<Upstream, 'jobId'> };

/** What a task knows of its run. `With` is the shape of the job's `with:`; nothing checks it but the task. */
export interface TaskContext<With = Json> {
  readonly jobId: JobId;
  readonly runId: RunId;
  /** From 1. */
  readonly attempt: number;
  /** The nominal time of the slot, however late the run is; for a manual run, when it was asked for. */
  readonly scheduledAt: Date;
  /** The scheduled time of the newest run of this job that succeeded. */
  readonly previousSuccessAt?: Date;
  readonly cause: Cause;
  /** The job's `with:` and what the run was given along, null when there is neither. */
  readonly with: With;
  /** What the job's `params:` declare, checked, with their defaults; empty when it declares none. */
  readonly params: Arguments;
  /** The jobs that it follows (`after`) or needs, by id: how they ended, and what their runs handed over. */
  readonly needs: Needs;
  /** Of a job with `shards` or `matrix`: which part of the run this is. `runId` is then the part's. */
  readonly shard?: Shard;
  /** Of a job with a `matrix`: the values of this part, by their names; empty with `shards`. */
  readonly matrix?: Readonly<Record<string, string>>;
  /**
   * Aborts when the run is to end (time-out, cancellation, shutdown). A task that has looked at it has `kill_after` to
   * clean up; one that never does is ended at once.
   */
  readonly signal: AbortSignal;
  readonly log: TaskLog;
  /**
   * Says how far the task is: a fraction from 0 to 1, or a text. It becomes a line of the run's output; the same per
   * cent or the same text again does not, so it may be called as often as is convenient.
   */
  progress(done: number | string): void;
}

/**
 * What a module exports. What it returns, or resolves to, is the result of the run: JSON of at most 64 KiB, or undefined
 * for none. Anything else (a function, a bigint, a Map, a cycle) ends the run as `threw`.
 */
export type TaskFunction<With = Json> = (context: TaskContext<With>) => unknown;

/** The part of a context that is data, as it travels to the process or thread that runs the task. */
export interface ContextData {
  readonly jobId: JobId;
  readonly runId: RunId;
  readonly attempt: number;
  readonly scheduledAt: Instant;
  readonly previousSuccessAt?: Instant;
  readonly cause: Cause;
  readonly with: Json;
  readonly params: Arguments;
  readonly needs: Needs;
  readonly shard?: Shard;
  readonly matrix?: Readonly<Record<string, string>>;
}

/** The part of a context that acts. */
export interface ContextEffects {
  /** Asked for once, when the task first looks at `signal`. */
  signal(): AbortSignal;
  /** Writes to the output of the run at once; `text` ends with a newline. */
  write(stream: 'stdout' | 'stderr', text: string): void;
}

/** Puts a context together. */
export function createContext(data: ContextData, effects: ContextEffects): TaskContext {
  let signal: AbortSignal | undefined;
  let told: string | undefined;
  const line = (stream: 'stdout' | 'stderr', level: string) => (message: string, details?: unknown) =>
    effects.write(stream, `[${level}] ${message}${describe(details)}\n`);
  const { scheduledAt, previousSuccessAt, ...same } = data;
  return {
    ...same,
    scheduledAt: new Date(scheduledAt),
    ...(previousSuccessAt === undefined ? {} : { previousSuccessAt: new Date(previousSuccessAt) }),
    get signal() {
      return (signal ??= effects.signal());
    },
    log: {
      debug: line('stdout', 'debug'),
      info: line('stdout', 'info'),
      warning: line('stderr', 'warning'),
      error: line('stderr', 'error'),
    },
    progress(done) {
      const text = typeof done === 'number' ? `${Math.round(Math.min(Math.max(done, 0), 1) * 100)} %` : done;
      if (text === told) return;
      told = text;
      effects.write('stdout', `[progress] ${text}\n`);
    },
  };
}

/** Logging must never be what fails a task, so values that JSON refuses are named instead. */
function describe(details: unknown): string {
  if (details === undefined) return '';
  if (details instanceof Error) return ` ${details.stack ?? details.message}`;
  try {
    return ` ${JSON.stringify(details) ?? typeof details}`;
  } catch {
    return ' (details that JSON cannot hold)';
  }
}
