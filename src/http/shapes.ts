/** The JSON of answers, those of the API and of commands: fields may be added, never renamed. Instants are RFC 3339 in UTC. */
import type {
  DaemonStatus,
  Explanation,
  FileProblem,
  JobView,
  NextTime,
  ReloadPlan,
  SlotAnswer,
  Validation,
  SlotLink,
} from '../engine/ports-operator.ts';
import type { JobDays } from '../engine/ports-timeline.ts';
import type { ReplayPlanned, ReplayView } from '../engine/ports-replays.ts';
import type { HistoryRow } from '../engine/ports.ts';
import type {
  AttemptRecord,
  Duration,
  Instant,
  JobId,
  Json,
  Outcome,
  Pause,
  PoolUse,
  RunId,
  RunRecord,
  ShardRecord,
  SkipRecord,
  Task,
  Waited,
} from '../model.ts';
import type { PoolView } from '../pool.ts';
import { paramsSchema } from '../schedule/params.ts';
import type { Replay } from '../replay.ts';
import { begunAt, lengthOf } from '../schedule/run-length.ts';
import { shardId } from '../shard.ts';

export function iso(instant: Instant): string {
  return new Date(instant).toISOString().replace('.000Z', 'Z');
}

export function isoOrNull(instant: Instant | undefined): string | null {
  return instant === undefined ? null : iso(instant);
}

export function runShape(run: RunRecord): object {
  const { id, jobId, scheduledAt, cause, claimedAt, state, attempts, retryAt, finishedAt, outcome } = run;
  const { upstream = [], pool, waited, replay, shards } = run;
  return {
    id,
    jobId,
    scheduledAt: iso(scheduledAt),
    claimedAt: iso(claimedAt),
    startedAt: isoOrNull(begunAt(run)),
    finishedAt: isoOrNull(finishedAt),
    durationMs: milliseconds(lengthOf(run)),
    cause,
    replay: replay ?? null,
    state,
    retryAt: isoOrNull(retryAt),
    pool: pool ?? null,
    waited: waitedShape(waited),
    outcome: outcomeShape(outcome),
    attempts: attempts.map(attemptShape),
    shards: shards?.map((shard) => shardShape(id, shard)) ?? null,
    // Their results stand with their own runs.
    upstream: upstream.map(({ jobId, runId, outcome }) => ({ jobId, runId: runId ?? null, outcome })),
  };
}

/** Its output is that of the run by its id. */
function shardShape(run: RunId, shard: ShardRecord): object {
  const { index, total, values, state, attempts, retryAt, finishedAt, outcome } = shard;
  return {
    id: shardId(run, index),
    index,
    total,
    matrix: values ?? null,
    state,
    retryAt: isoOrNull(retryAt),
    startedAt: isoOrNull(attempts[0]?.startedAt),
    finishedAt: isoOrNull(finishedAt),
    outcome: outcomeShape(outcome),
    attempts: attempts.map(attemptShape),
  };
}

export function waitedShape(waited: Waited | undefined): object | null {
  return waited === undefined ? null : { ...waited, since: iso(waited.since) };
}

export function poolShape({ holders, next, ...pool }: PoolView): object {
  return {
    ...pool,
    holders: holders.map(({ id, jobId, claimedAt, slots }) => ({
      run: id,
      jobId,
      since: iso(claimedAt),
      slots,
    })),
    next: next === undefined ? null : { jobId: next.jobId, since: iso(next.since) },
  };
}

function attemptShape(attempt: AttemptRecord): object {
  const { number, startedAt, finishedAt, duration, node, awaits, pid, cancelledBy, outcome } = attempt;
  return {
    number,
    startedAt: iso(startedAt),
    finishedAt: isoOrNull(finishedAt),
    durationMs: milliseconds(duration),
    node: node ?? null,
    awaits: awaits ?? null,
    pid: pid ?? null,
    cancelledBy: cancelledBy ?? null,
    outcome: outcomeShape(outcome),
  };
}

export function outcomeShape(outcome: Outcome | undefined): object | null {
  if (outcome === undefined) return null;
  if (outcome.kind === 'timed_out') return { kind: outcome.kind, afterMs: outcome.after };
  if (outcome.kind === 'threw') return { kind: outcome.kind, message: outcome.message };
  return outcome;
}

export function replayShape(replay: Replay): object {
  const { from, to, askedAt, endedAt, ...rest } = replay;
  return { ...rest, from: iso(from), to: iso(to), askedAt: iso(askedAt), endedAt: isoOrNull(endedAt) };
}

export function replayViewShape({ replay, waitsFor }: ReplayView): object {
  return { ...replayShape(replay), waitsFor: waitsFor ?? null };
}

export function replayPlanShape({ plan: { jobId, from, to, order, slots } }: ReplayPlanned): object {
  return { jobId, from: iso(from), to: iso(to), order, total: slots.length, slots: slots.map(iso) };
}

/** With the fields of a run, which it has none of: both stand in one list. */
export function skipShape({ jobId, scheduledAt, through, count, reason, detail, at }: SkipRecord): object {
  return {
    id: null,
    jobId,
    scheduledAt: iso(scheduledAt),
    through: iso(through),
    count: count ?? null,
    state: 'skipped',
    reason,
    detail: detail ?? null,
    at: iso(at),
    decidedAt: iso(at),
    startedAt: null,
    finishedAt: null,
    cause: null,
    outcome: null,
    attempts: [],
    upstream: [],
  };
}

export function rowShape(row: HistoryRow): object {
  return 'run' in row ? runShape(row.run) : skipShape(row.skip);
}

export function jobShape(job: JobView): object {
  const { definition, nextAt, pause, fault, last } = job;
  const { id, description, schedule, enabled, task, tags, source, params } = definition;
  return {
    id,
    description: description ?? null,
    schedule: job.schedule,
    scheduleInWords: job.scheduleInWords,
    timezone: schedule.timezone,
    nextAt: isoOrNull(nextAt),
    state: job.state,
    enabled,
    pause: pause === undefined ? null : pauseShape(pause),
    fault: fault ?? null,
    task: task.kind,
    tags,
    params: params === undefined ? null : paramsSchema(params),
    origin: job.origin,
    source: job.origin === 'added' ? null : { file: source.file, line: source.line },
    active: job.active.map(runShape),
    waiting: job.waiting,
    waitsFor: waitedShape(job.waitsFor),
    pool: job.definition.policy.pool?.name ?? null,
    shards: job.definition.shards?.length ?? null,
    runsOn: job.definition.runsOn ?? [],
    lastRun: last === undefined ? null : runShape(last),
    recent: job.recent,
    recentDurationsMs: job.recentDurations.map(milliseconds),
  };
}

/** With what it does. Values of variables, arguments and standard input are not told: they may be secrets. */
export function jobDetailShape(job: JobView): object {
  const { task, surroundings, policy, output } = job.definition;
  const { cwd, env, user, group } = surroundings;
  return {
    ...jobShape(job),
    definition: {
      task: taskShape(task),
      cwd,
      env: Object.keys(env),
      user: user ?? null,
      group: group ?? null,
      timeoutMs: milliseconds(policy.timeout),
      retry: { limit: policy.retry.limit, backoff: policy.retry.backoff, delayMs: policy.retry.delay },
      misfire: {
        run: policy.misfire.run,
        graceMs: milliseconds(policy.misfire.grace),
        max: policy.misfire.max,
      },
      overlap: policy.overlap,
      maxInstances: policy.maxInstances,
      onShutdown: policy.onShutdown,
      priority: policy.priority,
      pool: poolUseShape(policy.pool),
      output: { maxSize: output.maxSize, keep: output.keep },
    },
  };
}

function poolUseShape(pool: PoolUse | undefined): object | null {
  if (pool === undefined) return null;
  return { name: pool.name, slots: pool.slots, maxWaitMs: milliseconds(pool.maxWait) };
}

function taskShape(task: Task): object {
  switch (task.kind) {
    case 'run':
      return { kind: task.kind, script: task.script };
    case 'command':
      return { kind: task.kind, argv: task.argv };
    case 'module':
      return {
        kind: task.kind,
        path: task.path,
        export: task.exportName,
        isolation: task.isolation,
        with: namesOf(task.with),
      };
    case 'http':
      return { kind: task.kind, method: task.method, url: task.shownUrl, headers: Object.keys(task.headers) };
  }
}

function namesOf(given: Json): readonly string[] {
  return typeof given === 'object' && given !== null ? Object.keys(given) : [];
}

export function jobDaysShape({ timezone, days }: JobDays): object {
  const told = days.map(({ since, until, skipped = null, ...day }) => ({
    ...day,
    since: iso(since),
    until: iso(until),
    skipped,
  }));
  return { timezone, days: told };
}

export function pauseShape({ since, until, reason }: Pause): object {
  return { since: iso(since), until: isoOrNull(until), reason: reason ?? null };
}

export function timeShape({ at, local, note }: NextTime): object {
  return { at: iso(at), local, note: note ?? null };
}

export function jobTimeShape(jobId: JobId, { at, local, note }: NextTime): object {
  return { jobId, at: iso(at), local, note: note ?? null };
}

/** Of one slot; the run or the skip it became, if there is a row of it. */
export function whyShape({ jobId, slot, local, reason, inWords, late, ...answer }: SlotAnswer): object {
  const { row, previousAt, nextAt } = answer;
  return {
    jobId,
    slot: isoOrNull(slot),
    local: local ?? null,
    reason,
    inWords,
    lines: answer.lines,
    note: answer.note ?? null,
    lateMs: milliseconds(late),
    run: row !== undefined && 'run' in row ? runShape(row.run) : null,
    skip: row !== undefined && 'skip' in row ? skipShape(row.skip) : null,
    links: answer.links.map(linkShape),
    previousAt: isoOrNull(previousAt),
    nextAt: isoOrNull(nextAt),
  };
}

function linkShape({ row, ...link }: SlotLink): object {
  return { ...link, row: row === undefined ? null : rowShape(row) };
}

export function statusShape(status: DaemonStatus): object {
  const { node, startedAt, loadedAt, fileProblem, store, next, failing, ...rest } = status;
  return {
    ...rest,
    node: node ?? null,
    startedAt: iso(startedAt),
    loadedAt: iso(loadedAt),
    fileProblem: fileProblem === undefined ? null : { ...fileProblem, since: iso(fileProblem.since) },
    store: store.kind === 'degraded' ? { ...store, since: iso(store.since) } : store,
    failing: failing ?? null,
    next: next === undefined ? null : { jobId: next.jobId, at: iso(next.at) },
  };
}

export function planShape({ activeRuns, warnings, ...plan }: ReloadPlan): object {
  return { ...plan, activeRuns: activeRuns.map(runShape), warnings: warnings.map(problemShape) };
}

export function validationShape({ jobs, plan, errors, warnings }: Validation): object {
  return {
    jobs,
    plan: plan === undefined ? null : planShape(plan),
    errors: errors.map(problemShape),
    warnings: warnings.map(problemShape),
  };
}

export function problemShape(problem: FileProblem): object {
  const { severity, file, line, column, length, path, message, hint, frame, related } = problem;
  return {
    severity,
    file,
    line,
    column,
    length,
    path,
    message,
    hint: hint ?? null,
    frame: frame ?? null,
    related: related ?? null,
  };
}

export function explanationShape({ times, ...explanation }: Explanation): object {
  return { ...explanation, times: times.map(timeShape) };
}

export function milliseconds(duration: Duration | undefined): number | null {
  return duration === undefined ? null : Math.round(duration);
}
