/** Checked values of one job to its definition: defaults filled in, and equal parts shared between jobs. */
import type { DayRule } from '../calendar.ts';
import type {
  Duration,
  Expectation,
  Instant,
  JobDefinition,
  MisfirePolicy,
  NotifyPolicy,
  OutputPolicy,
  OverlapPolicy,
  PingPolicy,
  Policy,
  ResourceLimits,
  RetryCondition,
  RetryPolicy,
  Schedule,
  SourceLocation,
  Surroundings,
  Telling,
  TriggerDefinition,
} from '../model.ts';
import { parseInstant } from '../schedule/at.ts';
import { isProblem, type Problem } from '../schedule/problem.ts';
import { afterTrigger, chainErrors, chainWarnings, needsPolicy, type ChainValues } from './chain.ts';
import { ALLOWED_INSTANCES, JOB_FIELDS } from './fields.ts';
import { httpProblems, type HttpValues } from './http-task.ts';
import { NOBODY } from './notifiers.ts';
import { poolOf, type PoolValues } from './pool-fields.ts';
import type { Values } from './read.ts';
import { labelsOf } from './runs-on-fields.ts';
import { shardsOf, type ShardValues } from './shard-fields.ts';
import { paramsOf, type ParamsValues } from './params.ts';
import { defaultsOf } from './shape.ts';
import { HTTP_TIMEOUT, IDLE_IN_HTTP, taskOf, TASKS, type TaskValues } from './task.ts';

/** What the reader makes of JOB_FIELDS: the types their shapes promise. */
interface JobValues extends TaskValues, ParamsValues, ChainValues, ShardValues {
  cron?: readonly string[];
  every?: Duration;
  anchor?: string;
  at?: readonly string[];
  startup?: 'daemon' | 'boot';
  timezone?: string;
  start?: string;
  end?: string;
  jitter?: Duration;
  only?: readonly string[];
  exclude?: readonly string[];
  roll?: DayRule['roll'];
  dst?: Schedule['dst'];
  inherit_env?: boolean;
  cwd?: string;
  user?: string;
  group?: string;
  umask?: number;
  nice?: number;
  limits?: ResourceLimits;
  stdin?: string;
  misfire?: Partial<MisfirePolicy>;
  overlap?: OverlapPolicy;
  max_instances?: number;
  retry?: {
    limit?: number;
    delay?: Duration;
    backoff?: RetryPolicy['backoff'];
    max_delay?: Duration;
    jitter?: boolean;
    on?: readonly RetryCondition[];
  };
  timeout?: Duration;
  kill_after?: Duration;
  kill_signal?: string;
  on_shutdown?: Policy['onShutdown'];
  success_exit_codes?: readonly number[];
  enabled?: boolean;
  priority?: number;
  pool?: PoolValues;
  runs_on?: readonly string[];
  description?: string;
  tags?: readonly string[];
  output?: { max_size?: number; keep?: number; log?: OutputPolicy['log'] };
  notify?: { to?: readonly string[] } & Partial<NotifyPolicy>;
  ping?: Partial<PingPolicy>;
  expect?: { duration?: Duration; finished_by?: string; every?: Duration };
}

export interface JobInput {
  readonly id: string;
  readonly source: SourceLocation;
  /** Own keys over defaults. */
  readonly values: Values;
  /** Env files and `env` of file and job, in their order. */
  readonly env: Readonly<Record<string, string>>;
  /** Zone of a job that names none. */
  readonly timezone: string;
  /** Directory of the job file. */
  readonly directory: string;
  /** What its calendars come to. */
  readonly days: DayRule | undefined;
}

/** Keys that have a default in the table. */
type WithDefault =
  | 'jitter'
  | 'inherit_env'
  | 'overlap'
  | 'max_instances'
  | 'kill_after'
  | 'kill_signal'
  | 'on_shutdown'
  | 'success_exit_codes'
  | 'enabled'
  | 'priority';
type DefaultValues = Required<Pick<JobValues, WithDefault>> & {
  misfire: Required<MisfirePolicy>;
  retry: Omit<Required<NonNullable<JobValues['retry']>>, 'on'>;
  output: Required<NonNullable<JobValues['output']>>;
  notify: Pick<NotifyPolicy, 'after'>;
  ping: Omit<PingPolicy, 'url'>;
};

const DEFAULTS = defaultsOf(JOB_FIELDS) as DefaultValues;
const NO_TAGS: readonly string[] = [];

export class Builder {
  readonly #shared = new Map<string, unknown>();
  readonly #instants = new Map<string, Instant>();

  /** `complain` gets what can be known only now, by the key at fault. */
  build(input: JobInput, complain: (key: string, problem: Problem) => void): JobDefinition {
    const values = input.values as JobValues;
    const telling = tellingOf(values);
    const params = paramsOf(values, (problem) => complain('params', problem));
    const shards = shardsOf(values, complain);
    const runsOn = labelsOf(values.runs_on, (problem) => complain('runs_on', problem));
    return {
      id: input.id,
      source: input.source,
      ...(values.description === undefined ? {} : { description: values.description }),
      tags: values.tags === undefined ? NO_TAGS : this.#share('tags', values.tags),
      enabled: values.enabled ?? DEFAULTS.enabled,
      schedule: this.#schedule(values, input, complain),
      task: taskOf(values),
      ...(params === undefined ? {} : { params: this.#share('params', params) }),
      surroundings: this.#share('surroundings', surroundingsOf(values, input)),
      policy: this.#share('policy', policyOf(values)),
      output: this.#share('output', outputOf(values)),
      ...(telling === undefined ? {} : { telling: this.#share('telling', telling) }),
      ...(values.needs === undefined ? {} : { needs: this.#share('needs', needsPolicy(values)) }),
      ...(shards === undefined ? {} : { shards: this.#share('shards', shards) }),
      ...(runsOn === undefined ? {} : { runsOn: this.#share('runs_on', runsOn) }),
    };
  }

  /** One object for all that are written alike. */
  #share<T>(kind: string, value: T, text = JSON.stringify(value)): T {
    const key = `${kind}${text}`;
    const known = this.#shared.get(key);
    if (known !== undefined) return known as T;
    this.#shared.set(key, value);
    return value;
  }

  #schedule(values: JobValues, input: JobInput, complain: (key: string, problem: Problem) => void): Schedule {
    const timezone = values.timezone ?? input.timezone;
    const moment = (key: string, text: string): Instant => {
      const parsed = this.#instant(text, timezone);
      if (!isProblem(parsed)) return parsed;
      complain(key, parsed);
      return 0;
    };
    const start = values.start === undefined ? undefined : moment('start', values.start);
    const end = values.end === undefined ? undefined : moment('end', values.end);
    if (start !== undefined && end !== undefined && end < start)
      complain('end', { message: 'the end is before the start' });
    const own = {
      triggers: triggersOf(values, moment),
      timezone,
      dst: values.dst ?? {},
      ...(start === undefined ? {} : { start }),
      ...(end === undefined ? {} : { end }),
      jitter: values.jitter ?? DEFAULTS.jitter,
    };
    const { only, exclude, roll, days } = { ...values, days: input.days };
    // Calendars are known by their names; written out for each job they would be megabytes.
    const text = JSON.stringify([own, only, exclude, roll]);
    return this.#share('schedule', days === undefined ? own : { ...own, days }, text);
  }

  #instant(text: string, timezone: string): Instant | Problem {
    const key = `${text} ${timezone}`;
    const known = this.#instants.get(key);
    if (known !== undefined) return known;
    const parsed = parseInstant(text, timezone);
    if ('message' in parsed) return parsed;
    this.#instants.set(key, parsed.instant);
    return parsed.instant;
  }
}

function triggersOf(values: JobValues, moment: (key: string, text: string) => Instant): TriggerDefinition[] {
  const triggers: TriggerDefinition[] = [];
  if (values.cron !== undefined) triggers.push({ kind: 'cron', expressions: values.cron });
  if (values.every !== undefined) {
    const anchor = moment(
      values.anchor === undefined ? 'every' : 'anchor',
      values.anchor ?? '1970-01-01T00:00:00',
    );
    triggers.push({ kind: 'every', period: values.every, anchor });
  }
  if (values.at !== undefined) {
    const instants = [...new Set(values.at.map((text) => moment('at', text)))].sort((a, b) => a - b);
    triggers.push({ kind: 'at', instants });
  }
  if (values.startup !== undefined) triggers.push({ kind: 'startup', when: values.startup });
  if (values.after !== undefined) triggers.push(afterTrigger(values.after));
  return triggers;
}

function surroundingsOf(values: JobValues, input: JobInput): Surroundings {
  const { user, group, umask, nice, stdin } = values;
  return {
    cwd: values.cwd ?? input.directory,
    env: input.env,
    inheritEnv: values.inherit_env ?? DEFAULTS.inherit_env,
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
    ...(umask === undefined ? {} : { umask }),
    ...(nice === undefined ? {} : { nice }),
    limits: limitsOf(values.limits ?? {}),
    ...(stdin === undefined ? {} : { stdin }),
  };
}

/** The file says CPU time as a duration; ulimit takes whole seconds. */
function limitsOf(limits: ResourceLimits): ResourceLimits {
  return limits.cpu === undefined ? limits : { ...limits, cpu: Math.ceil(limits.cpu / 1000) };
}

function policyOf(values: JobValues): Policy {
  const { overlap = DEFAULTS.overlap, http } = values;
  const pool = poolOf(values.pool ?? {});
  const { timeout = http === undefined ? undefined : HTTP_TIMEOUT } = values;
  return {
    misfire: misfireOf(values.misfire ?? {}),
    overlap,
    maxInstances: values.max_instances ?? (overlap === 'allow' ? ALLOWED_INSTANCES : DEFAULTS.max_instances),
    retry: retryOf(values.retry ?? {}),
    ...(timeout === undefined ? {} : { timeout }),
    killAfter: values.kill_after ?? DEFAULTS.kill_after,
    killSignal: values.kill_signal ?? DEFAULTS.kill_signal,
    onShutdown: shutdownOf(values),
    successExitCodes: values.success_exit_codes ?? DEFAULTS.success_exit_codes,
    priority: values.priority ?? DEFAULTS.priority,
    ...(pool === undefined ? {} : { pool }),
  };
}

/** A request is the daemon's own, and ends with it at the latest. */
function shutdownOf({ on_shutdown: wish = DEFAULTS.on_shutdown, http }: JobValues): Policy['onShutdown'] {
  return http !== undefined && wish === 'leave' ? 'wait' : wish;
}

function misfireOf(own: Partial<MisfirePolicy>): MisfirePolicy {
  const { run, max } = { ...DEFAULTS.misfire, ...own };
  const grace = own.grace ?? (run === 'all' ? undefined : DEFAULTS.misfire.grace);
  return { run, ...(grace === undefined ? {} : { grace }), max };
}

function retryOf(own: NonNullable<JobValues['retry']>): RetryPolicy {
  const { limit, delay, backoff, max_delay, jitter } = { ...DEFAULTS.retry, ...own };
  return {
    limit,
    delay,
    backoff,
    // A long delay is meant, also where nobody thought of the bound.
    maxDelay: own.max_delay ?? Math.max(max_delay, delay),
    jitter,
    ...(own.on === undefined ? {} : { on: own.on }),
  };
}

function outputOf(values: JobValues): OutputPolicy {
  const { max_size, keep, log } = { ...DEFAULTS.output, ...values.output };
  return { maxSize: max_size, keep, log };
}

/** Undefined when nobody would hear of anything. */
function tellingOf({ notify = {}, ping, expect = {} }: JobValues): Telling | undefined {
  const { to, after = DEFAULTS.notify.after } = notify;
  const names = (list: readonly string[] = []): readonly string[] => list.filter((name) => name !== NOBODY);
  const lists = {
    failure: names(notify.failure ?? to),
    recovery: names(notify.recovery ?? to),
    late: names(notify.late ?? to),
    missed: names(notify.missed),
    success: names(notify.success),
  };
  const url = ping?.url;
  if (url === undefined && Object.values(lists).every((list) => list.length === 0)) return undefined;
  const { duration, finished_by: finishedBy, every } = expect;
  const expected: Expectation = {
    ...(duration === undefined ? {} : { duration }),
    ...(finishedBy === undefined ? {} : { finishedBy }),
    ...(every === undefined ? {} : { every }),
  };
  return {
    notify: { ...lists, after },
    ...(url === undefined ? {} : { ping: { ...DEFAULTS.ping, ...ping, url } }),
    ...(Object.keys(expected).length === 0 || lists.late.length === 0 ? {} : { expect: expected }),
  };
}

const TRIGGERS = ['cron', 'every', 'at', 'startup', 'after'];

/** A job's own values over defaults: maps merge, all else replaces, an own trigger or task replaces the default one. */
export function withDefaults(defaults: Values, own: Values): Values {
  const replaced = new Set(
    [TRIGGERS, TASKS, ['shards', 'matrix']].filter((group) => group.some((key) => key in own)).flat(),
  );
  const kept = Object.entries(defaults).filter(([key]) => !replaced.has(key));
  return merge(Object.fromEntries(kept), own);
}

function merge(base: Values, own: Values): Values {
  const merged = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const below = merged[key];
    merged[key] = isPlain(below) && isPlain(value) ? merge(below, value) : value;
  }
  return merged;
}

function isPlain(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a job lacks, or has too much of; told of the values after defaults. */
export function contradictions(
  values: Values,
  own: Values,
): { errors: [string, Problem][]; warnings: [string, Problem][] } {
  const errors: [string, Problem][] = [];
  const warnings: [string, Problem][] = [];
  if (!TRIGGERS.some((key) => key in values)) {
    errors.push([
      '',
      { message: 'nothing says when it runs', hint: 'add cron:, every:, at:, startup: or after:' },
    ]);
  }
  errors.push(...chainErrors(values));
  warnings.push(...chainWarnings(values, own));
  const [task, ...more] = TASKS.filter((key) => values[key] !== undefined);
  if (!TASKS.some((key) => key in values)) {
    errors.push(['', { message: 'nothing says what to run', hint: 'add run:, command:, module: or http:' }]);
  }
  for (const other of more) {
    const message = `a job has one task, and this one has "${String(task)}" already`;
    errors.push([other, { message, hint: 'remove one of them' }]);
  }
  const idle = (key: string, needs: string): void => {
    if (key in own && !(needs in values))
      warnings.push([key, { message: `has no effect without "${needs}"` }]);
  };
  idle('anchor', 'every');
  for (const key of ['needs_timeout', 'needs_failed']) idle(key, 'needs');
  for (const key of ['with', 'export', 'isolation']) idle(key, 'module');
  idle('shell', 'run');
  if (typeof values['http'] === 'object') {
    for (const problem of httpProblems(values['http'] as HttpValues)) errors.push(['http', problem]);
    for (const key of IDLE_IN_HTTP.filter((key) => key in own))
      warnings.push([key, { message: 'has no effect on an HTTP request' }]);
    if (own['on_shutdown'] === 'leave')
      warnings.push(['on_shutdown', { message: 'an HTTP request cannot outlive tsched; this means wait' }]);
  }
  idle('dst', 'cron');
  if (!('only' in values)) idle('roll', 'exclude');
  if ('expect' in own && !('notify' in values)) {
    warnings.push(['expect', { message: 'nobody would be told', hint: 'add notify:' }]);
  }
  if (typeof own['ping'] === 'object' && !('url' in (values['ping'] as Values))) {
    errors.push(['ping', { message: 'nothing says which check', hint: 'add url:' }]);
  }
  if (Number(own['max_instances'] ?? 1) > 1 && values['overlap'] !== 'allow') {
    warnings.push(['max_instances', { message: 'has no effect without "overlap: allow"' }]);
  }
  return { errors, warnings };
}
