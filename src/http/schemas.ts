/** The shapes of answers (shapes.ts) as JSON Schema, by the names the OpenAPI document gives them. */
import { JOB_STATES } from '../engine/ports-operator.ts';
import type { Schema } from './fields.ts';
import { all, bool, KINDS, list, none, one, orNull, string, time, whole } from './schema-words.ts';
import { CLUSTER_SCHEMAS } from './shapes-cluster.ts';
import { TIMELINE_SCHEMAS } from './shapes-timeline.ts';

export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

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

const cancelledBy = one('operator', 'shutdown', 'replaced');

const outcome: Schema = {
  type: 'object',
  properties: {
    kind: one(...KINDS),
    exitCode: whole,
    status: whole,
    signal: string,
    afterMs: whole,
    message: string,
    hint: string,
    by: cancelledBy,
    result: {},
  },
  required: ['kind'],
};

const attempts = list(
  all({
    number: whole,
    startedAt: time,
    finishedAt: orNull(time),
    durationMs: orNull(whole),
    node: { ...orNull(string), description: 'Of a cluster: the node that had it' },
    awaits: {
      ...orNull(list(string)),
      description: 'Of a cluster, while no node has begun it: the labels that it needs of one',
    },
    pid: orNull(whole),
    cancelledBy: {
      ...orNull(cancelledBy),
      description: 'It was asked to end; until it has, its outcome is null',
    },
    outcome: orNull(outcome),
  }),
);

const runState = one('claimed', 'waiting', 'running', 'retrying', 'finished');

const waited = all({ limit: string, since: time, heldBy: list(string) });

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
  task: one('run', 'command', 'module', 'http'),
  tags: list(string),
  params: orNull({ type: 'object' }),
  origin: one('file', 'added'),
  source: orNull(all({ file: string, line: whole })),
  active: list(ref('Run')),
  waiting: whole,
  waitsFor: orNull(waited),
  pool: orNull(string),
  shards: orNull(whole),
  runsOn: { ...list(string), description: 'Labels that a node must have to run it; none: any node may' },
  lastRun: orNull(ref('Run')),
  recent: list(one(...KINDS, 'active')),
  recentDurationsMs: list(orNull(whole)),
};

const replay = {
  id: string,
  jobId: string,
  from: time,
  to: time,
  order: one('oldest', 'newest'),
  missingOnly: bool,
  parallel: whole,
  askedAt: time,
  total: whole,
  begun: whole,
  succeeded: whole,
  failed: whole,
  state: one('active', 'finished', 'cancelled'),
  endedAt: orNull(time),
};

const timed = { at: time, local: string, note: orNull(string) };

export const SCHEMAS: Readonly<Record<string, Schema>> = {
  Status: all({
    node: { ...orNull(string), description: 'Of a cluster: the node that conducts, which this is about' },
    via: { ...orNull(string), description: 'The node that was asked, if that is another' },
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
    cluster: { ...bool, description: 'Whether it is a node of a cluster: see /nodes' },
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
      pool: orNull(all({ name: string, slots: whole, maxWaitMs: orNull(whole) })),
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
  Pools: all({
    pools: list(
      all({
        name: string,
        slots: whole,
        used: whole,
        waiting: whole,
        holders: list(all({ run: string, jobId: string, since: time, slots: whole })),
        next: orNull(all({ jobId: string, since: time })),
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
    lines: { ...list(string), description: 'The same, a line for each thing' },
    note: { ...orNull(string), description: 'What a clock change does to the slot' },
    lateMs: orNull(whole),
    run: orNull(ref('Run')),
    skip: orNull(ref('Skip')),
    links: list(
      all({
        of: string,
        via: one('after', 'needs'),
        jobId: string,
        depth: whole,
        row: orNull({ anyOf: [ref('Run'), ref('Skip')] }),
      }),
    ),
    previousAt: orNull(time),
    nextAt: orNull(time),
  }),
  Run: all({
    id: { type: 'string', description: 'A UUID; that of a shard has its index after a dot' },
    jobId: string,
    scheduledAt: time,
    claimedAt: time,
    startedAt: orNull(time),
    finishedAt: orNull(time),
    durationMs: orNull(whole),
    cause: one('schedule', 'catch_up', 'manual', 'retry', 'dependency', 'replay'),
    replay: orNull(string),
    state: runState,
    retryAt: orNull(time),
    pool: orNull(all({ name: string, slots: whole })),
    waited: orNull(waited),
    outcome: orNull(outcome),
    attempts,
    shards: orNull(
      list(
        all({
          id: string,
          index: whole,
          total: whole,
          matrix: orNull({ type: 'object', additionalProperties: string }),
          state: runState,
          retryAt: orNull(time),
          startedAt: orNull(time),
          finishedAt: orNull(time),
          outcome: orNull(outcome),
          attempts,
        }),
      ),
    ),
    upstream: list(all({ jobId: string, runId: orNull(string), outcome: one(...KINDS, 'skipped') })),
  }),
  Skip: all({
    id: none,
    jobId: string,
    scheduledAt: time,
    through: time,
    count: orNull(whole),
    state: one('skipped'),
    reason: one(...SKIPS),
    detail: orNull(string),
    at: time,
    decidedAt: time,
    startedAt: none,
    finishedAt: none,
    cause: none,
    outcome: none,
    attempts: { type: 'array', maxItems: 0 },
    upstream: { type: 'array', maxItems: 0 },
  }),
  Graph: all({
    jobs: list(all({ id: string, enabled: { type: 'boolean' } })),
    links: list({
      type: 'object',
      properties: {
        from: string,
        to: string,
        via: one('after', 'needs'),
        on: one('success', 'failure', 'finish'),
        when: one('all', 'any'),
      },
      required: ['from', 'to', 'via'],
    }),
  }),
  RunPage: {
    type: 'object',
    properties: {
      runs: list({ anyOf: [ref('Run'), ref('Skip')] }),
      next: orNull(string),
      shortIds: {
        type: 'object',
        additionalProperties: string,
        description: 'By id; only where it was asked for',
      },
    },
    required: ['runs', 'next'],
  },
  ...TIMELINE_SCHEMAS,
  ...CLUSTER_SCHEMAS,
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
  Replay: all(replay),
  ReplayView: all({ ...replay, waitsFor: orNull(one('not_loaded', 'paused', 'turn')) }),
  ReplayList: all({ replays: list(ref('ReplayView')) }),
  ReplayPlan: all({
    jobId: string,
    from: time,
    to: time,
    order: one('oldest', 'newest'),
    total: whole,
    slots: list(time),
  }),
  Validation: all({
    jobs: whole,
    plan: orNull(ref('ReloadPlan')),
    errors: list(ref('FileProblem')),
    warnings: list(ref('FileProblem')),
  }),
  Explanation: all({
    expression: string,
    words: string,
    timezone: string,
    warnings: list(string),
    times: list(all(timed)),
  }),
  Simulation: all({
    from: time,
    to: time,
    whole: bool,
    assumed: list(string),
    runs: list(ref('Run')),
    skips: list(ref('Skip')),
    waits: list(
      all({ jobId: string, scheduledAt: time, reason: string, limit: orNull(string), since: time }),
    ),
    jobs: list(
      all({
        jobId: string,
        runs: whole,
        skipped: { type: 'object', additionalProperties: whole },
        waited: whole,
        longestWaitMs: whole,
        busyMs: whole,
      }),
    ),
    busiest: list(all({ at: time, active: whole, jobs: list(string) })),
    clockChanges: list(all({ at: time, timezone: string, byMs: { type: 'integer' } })),
  }),
  Accepted: all({
    stopping: bool,
    pid: whole,
    cluster: { ...bool, description: 'Whether it is a node of a cluster, where another goes on' },
  }),
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
