/** The shapes of answers (shapes.ts) as JSON Schema, by the names the OpenAPI document gives them. */
import { JOB_STATES } from '../engine/ports-operator.ts';
import type { Schema } from './fields.ts';

const string: Schema = { type: 'string' };
const whole: Schema = { type: 'integer' };
const bool: Schema = { type: 'boolean' };
const none: Schema = { type: 'null' };
const time: Schema = { type: 'string', format: 'date-time' };

function orNull(schema: Schema): Schema {
  return 'type' in schema
    ? { ...schema, type: [schema['type'], 'null'] }
    : { anyOf: [schema, { type: 'null' }] };
}

function list(items: Schema): Schema {
  return { type: 'array', items };
}

function one(...words: readonly string[]): Schema {
  return { type: 'string', enum: words };
}

export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** Every field is always there. */
function all(properties: Readonly<Record<string, Schema>>, more: Schema = {}): Schema {
  return { type: 'object', properties, required: Object.keys(properties), ...more };
}

const KINDS = ['succeeded', 'failed', 'killed', 'timed_out', 'threw', 'not_started', 'cancelled', 'lost'];
const SKIPS = [
  'misfire',
  'overlap',
  'limit',
  'paused',
  'shutdown',
  'excluded',
  'removed',
  'claimed_elsewhere',
  'dependency',
];

const outcome: Schema = {
  type: 'object',
  properties: {
    kind: one(...KINDS),
    exitCode: whole,
    signal: string,
    afterMs: whole,
    message: string,
    hint: string,
    by: one('operator', 'shutdown', 'replaced'),
    result: {},
  },
  required: ['kind'],
};

const job = {
  id: string,
  description: orNull(string),
  schedule: string,
  scheduleInWords: string,
  timezone: string,
  nextAt: orNull(time),
  state: one(...JOB_STATES),
  enabled: bool,
  pause: orNull(ref('Pause')),
  fault: orNull(string),
  task: one('run', 'command', 'module'),
  tags: list(string),
  params: orNull({ type: 'object' }),
  origin: one('file', 'added'),
  source: orNull(all({ file: string, line: whole })),
  active: list(ref('Run')),
  waiting: whole,
  lastRun: orNull(ref('Run')),
  recent: list(one(...KINDS, 'active')),
  recentDurationsMs: list(orNull(whole)),
};

const timed = { at: time, local: string, note: orNull(string) };

export const SCHEMAS: Readonly<Record<string, Schema>> = {
  Status: all({
    version: string,
    pid: whole,
    startedAt: time,
    stopping: bool,
    file: string,
    loadedAt: time,
    fileProblem: orNull(all({ since: time, message: string })),
    store: {
      type: 'object',
      properties: { kind: one('well', 'memory', 'degraded'), since: time, message: string, hint: string },
      required: ['kind'],
    },
    jobs: all(Object.fromEntries(JOB_STATES.map((state) => [state, whole]))),
    failing: orNull(list(string)),
    active: whole,
    waiting: whole,
    next: orNull(all({ jobId: string, at: time })),
  }),
  Pause: all({ since: time, until: orNull(time), reason: orNull(string) }),
  Job: all(job),
  JobPage: all({ jobs: list(ref('Job')), next: orNull(string) }),
  JobDetail: all({
    ...job,
    definition: all({
      task: { type: 'object', properties: { kind: string }, required: ['kind'] },
      cwd: string,
      env: list(string),
      user: orNull(string),
      group: orNull(string),
      timeoutMs: orNull(whole),
      retry: all({ limit: whole, backoff: string, delayMs: whole }),
      misfire: all({ run: one('latest', 'all', 'none'), graceMs: orNull(whole), max: whole }),
      overlap: one('skip', 'queue', 'replace', 'allow'),
      maxInstances: whole,
      onShutdown: one('wait', 'terminate', 'leave'),
      priority: whole,
      output: all({ maxSize: whole, keep: whole }),
    }),
  }),
  JobDays: all({
    timezone: string,
    days: list(
      all({
        day: { type: 'string', format: 'date' },
        since: time,
        until: time,
        succeeded: whole,
        failed: whole,
        cancelled: whole,
        active: whole,
        skipped: orNull(whole),
      }),
    ),
  }),
  Times: all({ times: list(all({ jobId: string, ...timed })) }),
  Why: all({
    jobId: string,
    slot: orNull(time),
    local: orNull(string),
    reason: string,
    inWords: string,
    lateMs: orNull(whole),
    run: orNull(ref('Run')),
    skip: orNull(ref('Skip')),
    previousAt: orNull(time),
    nextAt: orNull(time),
  }),
  Run: all({
    id: { type: 'string', format: 'uuid' },
    jobId: string,
    scheduledAt: time,
    claimedAt: time,
    startedAt: orNull(time),
    finishedAt: orNull(time),
    durationMs: orNull(whole),
    cause: one('schedule', 'catch_up', 'manual', 'retry', 'dependency'),
    state: one('claimed', 'running', 'retrying', 'finished'),
    retryAt: orNull(time),
    outcome: orNull(outcome),
    attempts: list(
      all({
        number: whole,
        startedAt: time,
        finishedAt: orNull(time),
        durationMs: orNull(whole),
        pid: orNull(whole),
        outcome: orNull(outcome),
      }),
    ),
  }),
  Skip: all({
    id: none,
    jobId: string,
    scheduledAt: time,
    through: time,
    count: orNull(whole),
    state: one('skipped'),
    reason: one(...SKIPS),
    at: time,
    decidedAt: time,
    startedAt: none,
    finishedAt: none,
    cause: none,
    outcome: none,
    attempts: { type: 'array', maxItems: 0 },
  }),
  RunPage: all({ runs: list({ anyOf: [ref('Run'), ref('Skip')] }), next: orNull(string) }),
  FileProblem: all({
    severity: one('error', 'warning'),
    file: string,
    line: whole,
    column: whole,
    length: whole,
    path: string,
    message: string,
    hint: orNull(string),
    frame: orNull(string),
    related: orNull({ type: 'object' }),
  }),
  ReloadPlan: all({
    kind: one('unchanged', 'applied', 'planned'),
    added: list(string),
    changed: list(string),
    rescheduled: list(string),
    removed: list(string),
    unchanged: whole,
    changedKeys: { type: 'object', additionalProperties: list(string) },
    activeRuns: list(ref('Run')),
    warnings: list(ref('FileProblem')),
  }),
  Validation: all({ jobs: whole, errors: list(ref('FileProblem')), warnings: list(ref('FileProblem')) }),
  Explanation: all({
    expression: string,
    words: string,
    timezone: string,
    warnings: list(string),
    times: list(all(timed)),
  }),
  Accepted: all({ stopping: bool }),
  AddedJobs: all({ added: list(string), changed: list(string) }),
  RemovedJob: all({ removed: string }),
  Health: all({ ok: bool }),
  Readiness: all({ ready: bool, problems: list(string) }),
  Session: all({ by: string, scope: one('open', 'read', 'run', 'admin') }),
  Document: { type: 'object' },
  Problem: {
    type: 'object',
    properties: {
      type: string,
      title: string,
      status: whole,
      detail: string,
      code: string,
      hint: string,
      errors: list(ref('FileProblem')),
      arguments: list(all({ pointer: string, message: string, hint: orNull(string) })),
    },
    required: ['type', 'title', 'status', 'detail', 'code'],
  },
};
