/** A job as `tsched list` tells of it. */
import type { Instant, JobDefinition, JobId, Schedule } from '../model.ts';
import { paramsSchema } from '../schedule/params.ts';
import { compileSchedule } from '../schedule/trigger.ts';
import { localIso, rfc3339 } from '../observe/when.ts';
import { scheduleAsWritten, scheduleInWords } from './words.ts';

/**
 * `scheduled`: it has a next slot, or runs at a start; `paused`: by an operator; `disabled`: by its `enabled: false`; `ended`: no
 * slot will come; `faulted`: the daemon had to stop its trigger.
 */
export type State = 'scheduled' | 'paused' | 'disabled' | 'ended' | 'faulted';

export interface ListedJob {
  readonly id: JobId;
  readonly description: string | null;
  readonly tags: readonly string[];
  readonly enabled: boolean;
  readonly task: string;
  /** JSON Schema of what its runs can be given. */
  readonly params: object | null;
  /** Where it is written; null for a job that was added while the daemon ran. */
  readonly source: { readonly file: string; readonly line: number } | null;
  /** Of whose slots its runs take. */
  readonly pool: string | null;
  /** Labels that a node of a cluster must have to run it. */
  readonly runsOn: readonly string[];
  /** What a slot of it waits for, where a daemon tells. */
  readonly waitsFor: string | null;
  readonly schedule: Pick<Schedule, 'timezone'>;
  readonly asWritten: string;
  readonly inWords: string;
  readonly state: State;
  /** What makes it run, where no time is known: `at start`, `after others`, or nothing does: `never`. */
  readonly otherwise: string;
  readonly nextAt: Instant | null;
}

export interface ListedAt {
  readonly now: Instant;
  /** The zone to tell the times of `at` in, else the job's own. */
  readonly timezone: string | undefined;
  readonly isPaused: boolean;
}

export function listedJob(job: JobDefinition, { now, timezone, isPaused }: ListedAt): ListedJob {
  const { id, description, tags, enabled, schedule, params, source } = job;
  const zone = timezone ?? schedule.timezone;
  const otherwise = otherwiseOf(schedule);
  const nextAt = enabled ? (compileSchedule(schedule, id).next(now) ?? null) : null;
  return {
    id,
    description: description ?? null,
    tags,
    enabled,
    task: job.task.kind,
    params: params === undefined ? null : paramsSchema(params),
    source: { file: source.file, line: source.line },
    pool: job.policy.pool?.name ?? null,
    runsOn: job.runsOn ?? [],
    waitsFor: null,
    schedule,
    asWritten: scheduleAsWritten(schedule, rfc3339),
    inWords: scheduleInWords(schedule, id, (instant) => localIso(instant, zone).replace('T', ' ')),
    state: enabled && isPaused ? 'paused' : stateOf(enabled, nextAt !== null || otherwise !== NEVER),
    otherwise,
    nextAt,
  };
}

const NEVER = 'never';

function otherwiseOf({ triggers }: Schedule): string {
  if (triggers.some(({ kind }) => kind === 'after')) return 'after others';
  return triggers.some(({ kind }) => kind === 'startup') ? 'at start' : NEVER;
}

function stateOf(enabled: boolean, fires: boolean): State {
  if (!enabled) return 'disabled';
  return fires ? 'scheduled' : 'ended';
}
