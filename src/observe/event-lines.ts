/** What the log says of each thing that happens. */
import type { EngineEvent } from '../engine/ports.ts';
import type {
  AttemptRecord,
  Instant,
  Json,
  JobId,
  Outcome,
  RunRecord,
  SkipReason,
  SkipRecord,
} from '../model.ts';
import type { Replay } from '../replay.ts';
import { lengthOf } from '../schedule/run-length.ts';
import { shardName } from '../shard.ts';
import { heldInWords, limitInWords } from './limits.ts';
import { count, ended, iso, late, started, stopping } from './line-words.ts';
import { elapsed } from './text.ts';

/** The severities of syslog that tsched uses. */
export type Level = 'debug' | 'info' | 'notice' | 'warning' | 'error' | 'crit';

/** What a log line carries beside its text; `job`, `run` and `attempt` are shown to people too. */
export interface Fields {
  readonly job?: JobId;
  readonly run?: string;
  readonly attempt?: number;
  readonly [name: string]: Json | undefined;
}

export interface LogLine {
  readonly level: Level;
  readonly message: string;
  readonly fields: Fields;
}

/** Why a slot did not become a run, to stand after a colon. */
export function skipInWords({ reason, detail }: Pick<SkipRecord, 'reason' | 'detail'>): string {
  if (detail === undefined) return skipWords[reason];
  if (reason === 'limit') return `it waited for ${limitInWords(detail)} as long as max_wait allows`;
  return `${skipWords[reason]}, while it waited for ${limitInWords(detail)}`;
}

const skipWords: Record<SkipReason, string> = {
  misfire: 'its time had passed by more than its misfire policy forgives',
  overlap: 'the run before it is still active',
  limit: 'max_instances of its runs are active',
  paused: 'the job is paused',
  shutdown: 'tsched is stopping',
  excluded: 'calendars exclude the day',
  removed: 'the job was removed or changed',
  claimed_elsewhere: 'the slot had been claimed before',
  dependency: 'the jobs it follows or needs did not end as it wants',
};

const recoveredWords = {
  running: 'still running, taken over',
  queued: 'it waits for a node',
  ended: 'it has ended meanwhile',
  never_begun: 'it had not begun yet',
  waiting: 'it waits for its turn, or its next attempt',
} as const;

/** How a line tells time. */
export interface Telling {
  /** When it is told. */
  readonly now: Instant;
  /** A point in time as its readers read it. */
  readonly time: (instant: Instant) => string;
}

/** Every event in one line. A new event does not compile until this says what it means. */
export function eventLine(event: EngineEvent, telling: Telling): LogLine {
  if ('run' in event) return runLine(event, telling);
  return 'replay' in event ? replayLine(event) : otherLine(event, telling);
}

type ReplayEvent = Extract<EngineEvent, { readonly replay: Replay }>;

function otherLine(
  event: Exclude<EngineEvent, ReplayEvent | { readonly run: RunRecord }>,
  telling: Telling,
): LogLine {
  switch (event.kind) {
    case 'engine_started':
      return line('notice', `started with ${count(event.jobs, 'job')}`, { event: event.kind });
    case 'engine_stopping':
      return line('notice', stopping(event.active), { event: event.kind, active: event.active });
    case 'engine_stopped':
      return line('notice', 'stopped', { event: event.kind });
    case 'jobs_applied':
      return applied(event);
    case 'clock_stepped':
      return line(
        'warning',
        `the clock stepped ${event.by < 0 ? 'back' : 'forward'} by ${elapsed(Math.abs(event.by))}`,
        {
          event: event.kind,
          byMs: event.by,
        },
      );
    case 'slots_skipped':
      return skipped(event.skip, telling);
    case 'job_disabled':
      return line('crit', `stopped until its definition changes: ${event.message}`, {
        event: event.kind,
        job: event.jobId,
      });
    case 'job_paused':
      return paused(event, telling);
    case 'job_resumed':
      return line('notice', 'resumed', { event: event.kind, job: event.jobId });
    case 'store_failed':
      return line('error', `the history could not be recorded: ${event.message}; jobs go on`, {
        event: event.kind,
      });
    case 'store_degraded':
      return degraded(event);
    case 'store_healed':
      return healed(event);
    case 'message_delivered':
    case 'delivery_failed':
    case 'message_dropped':
      return deliveryLine(event);
    case 'run_waiting':
      return waits(event);
  }
}

function replayLine({ kind, replay }: ReplayEvent): LogLine {
  const { id, jobId, state, total, begun, succeeded, failed } = replay;
  const ends = `${succeeded} succeeded, ${failed} did not`;
  const words =
    kind === 'replay_begun'
      ? `replay of ${count(total, 'slot')} begins`
      : state === 'cancelled'
        ? `replay cancelled after ${begun} of ${count(total, 'slot')}`
        : `replay of ${count(total, 'slot')} is over: ${ends}`;
  const level = state === 'finished' && failed > 0 ? 'warning' : 'notice';
  return line(level, words, { event: kind, job: jobId, replay: id, total, begun, succeeded, failed });
}

function degraded({
  kind,
  message,
  hint,
  blocks,
}: Extract<EngineEvent, { kind: 'store_degraded' }>): LogLine {
  const what = hint === undefined ? '' : ` (${hint})`;
  const meanwhile =
    blocks === true
      ? 'what runs goes on, and nothing is begun until it can'
      : 'jobs go on, and what happens is kept in memory until it can';
  return line('crit', `degraded: history cannot be recorded: ${message}${what}; ${meanwhile}`, {
    event: kind,
    reason: message,
  });
}

function healed({ kind, caughtUp, dropped }: Extract<EngineEvent, { kind: 'store_healed' }>): LogLine {
  const lost = dropped === 0 ? '' : `; ${count(dropped, 'row')} had to be dropped`;
  return line(
    dropped === 0 ? 'notice' : 'error',
    `history is recorded again: ${count(caughtUp, 'row')} caught up${lost}`,
    {
      event: kind,
      caughtUp,
      dropped,
    },
  );
}

function waits({
  kind,
  jobId,
  scheduledAt,
  ...event
}: Extract<EngineEvent, { kind: 'run_waiting' }>): LogLine {
  const fields = {
    event: kind,
    job: jobId,
    slot: iso(scheduledAt),
    limit: event.limit,
    heldBy: event.heldBy,
  };
  if (event.reason === 'dependency') {
    return line('info', `waits for ${(event.jobs ?? []).join(', ')} to succeed`, fields);
  }
  if (event.limit === undefined) return line('info', 'waits for the run before it', fields);
  return line('info', `waits for ${limitInWords(event.limit)}${heldInWords(event.heldBy)}`, fields);
}

type DeliveryEvent = Extract<
  EngineEvent,
  { readonly kind: 'message_delivered' | 'delivery_failed' | 'message_dropped' }
>;

function deliveryLine(event: DeliveryEvent): LogLine {
  const { to } = event;
  if (event.kind === 'delivery_failed') {
    const text = `${to} cannot be told: ${event.message}; next try in ${elapsed(event.again)}`;
    return line('warning', text, { event: event.kind, to, reason: event.message });
  }
  const { kind, jobId, notice } = event;
  const fields = { event: kind, job: jobId, to, notice };
  if (kind === 'message_dropped')
    return line('error', `${to} will not hear of this ${notice}: ${event.message}`, {
      ...fields,
      reason: event.message,
    });
  const late = event.after < 10_000 ? '' : ` ${elapsed(event.after)} late`;
  const note = event.note === undefined ? '' : `, but ${event.note}`;
  const level = note !== '' ? 'warning' : notice === 'ping' ? 'debug' : 'info';
  return line(level, `told ${to} of this ${notice}${late}${note}`, {
    ...fields,
    afterMs: Math.round(event.after),
  });
}

type RunEvent = Extract<EngineEvent, { readonly run: RunRecord }>;

/** The life of one run. */
function runLine(event: RunEvent, telling: Telling): LogLine {
  const fields = {
    event: event.kind,
    job: event.run.jobId,
    run: event.run.id,
    slot: iso(event.run.scheduledAt),
  };
  switch (event.kind) {
    case 'run_claimed':
      return line('debug', `due (${event.run.cause})${late(event.late)}`, {
        ...fields,
        cause: event.run.cause,
        lateMs: Math.round(event.late),
      });
    case 'attempt_started':
      return line('info', started(event.run, event.attempt, event.pid), {
        ...fields,
        attempt: event.attempt,
        cause: event.run.cause,
        pid: event.pid,
      });
    case 'attempt_ended':
      return line('debug', `attempt ${event.attempt} ${ended(event.outcome, event.duration)}`, {
        ...fields,
        attempt: event.attempt,
        outcome: event.outcome.kind,
        durationMs: Math.round(event.duration),
      });
    case 'run_recovered':
      return line('notice', `left by an earlier daemon: ${recoveredWords[event.found]}`, {
        ...fields,
        found: event.found,
      });
    case 'retry_scheduled':
      return retrying(event, telling);
    case 'retry_begun':
      return line('debug', `attempt ${event.attempt} begins`, { ...fields, attempt: event.attempt });
    case 'run_finished':
      return finished(event.run, event.outcome);
    case 'shard_changed':
      return ofShard(event, telling);
  }
}

function ofShard(
  { kind, run, shard, change }: Extract<EngineEvent, { readonly kind: 'shard_changed' }>,
  { now }: Telling,
): LogLine {
  const { index, attempts, retryAt, outcome } = shard;
  const last = attempts.at(-1);
  const fields = {
    event: kind,
    change,
    job: run.jobId,
    run: run.id,
    slot: iso(run.scheduledAt),
    shard: index,
    attempt: attempts.length,
  };
  const name = `shard ${shardName(shard)}`;
  if (change === 'started' || last === undefined || outcome === undefined) {
    const end = last?.outcome === undefined ? '' : `: ${ended(last.outcome, last.duration)}`;
    if (change === 'started') return line('info', `${name} started`, { ...fields, pid: last?.pid });
    const next = retryAt === undefined ? '' : `; attempt ${attempts.length + 1} in ${elapsed(retryAt - now)}`;
    const level = change === 'retry_scheduled' ? 'warning' : 'debug';
    return line(level, `${name}${end}${next}`, { ...fields, outcome: last?.outcome?.kind });
  }
  const level = outcome.kind === 'succeeded' ? 'info' : outcome.kind === 'cancelled' ? 'notice' : 'error';
  return line(level, `${name}: ${ended(outcome, last.duration)}`, { ...fields, outcome: outcome.kind });
}

function paused(
  { kind, jobId, pause: { until, reason } }: Extract<EngineEvent, { readonly kind: 'job_paused' }>,
  { time }: Telling,
): LogLine {
  const end = until === undefined ? '' : ` until ${time(until)}`;
  const why = reason === undefined ? '' : `: ${reason}`;
  return line('notice', `paused${end}${why}`, {
    event: kind,
    job: jobId,
    ...(until === undefined ? {} : { until: iso(until) }),
    ...(reason === undefined ? {} : { reason }),
  });
}

function applied(event: Extract<EngineEvent, { readonly kind: 'jobs_applied' }>): LogLine {
  const parts = [
    names(event.added, 'added'),
    names(event.changed, 'changed'),
    names(event.removed, 'removed'),
  ];
  const text = [...parts, `${event.unchanged} unchanged`].filter((part) => part !== '').join(', ');
  return line('notice', `jobs: ${text}`, {
    event: event.kind,
    added: event.added.slice(0, MOST_NAMES),
    changed: event.changed.slice(0, MOST_NAMES),
    removed: event.removed.slice(0, MOST_NAMES),
    unchanged: event.unchanged,
  });
}

/** A hundred thousand names help nobody. */
const MOST_NAMES = 10;

function names(ids: readonly JobId[], verb: string): string {
  if (ids.length === 0) return '';
  const shown = ids.slice(0, MOST_NAMES).join(', ');
  return `${ids.length} ${verb} (${shown}${ids.length > MOST_NAMES ? ', …' : ''})`;
}

function skipped(skip: SkipRecord, { time }: Telling): LogLine {
  const many = skip.through !== skip.scheduledAt;
  const which = many
    ? `${skip.count ?? 'many'} slots from ${time(skip.scheduledAt)} to ${time(skip.through)}`
    : `the slot of ${time(skip.scheduledAt)}`;
  return line(skip.reason === 'excluded' ? 'info' : 'warning', `skipped ${which}: ${skipInWords(skip)}`, {
    event: 'slots_skipped',
    job: skip.jobId,
    slot: iso(skip.scheduledAt),
    ...(many ? { through: iso(skip.through), count: skip.count ?? null } : {}),
    reason: skip.reason,
    ...(skip.detail === undefined ? {} : { limit: skip.detail }),
  });
}

function retrying(
  event: Extract<EngineEvent, { readonly kind: 'retry_scheduled' }>,
  { now }: Telling,
): LogLine {
  const failed = newest(event.run);
  const why = failed?.outcome === undefined ? '' : `${ended(failed.outcome, failed.duration)}; `;
  return line('warning', `${why}attempt ${event.attempt} in ${elapsed(event.at - now)}`, {
    event: event.kind,
    job: event.run.jobId,
    run: event.run.id,
    slot: iso(event.run.scheduledAt),
    attempt: event.attempt,
    outcome: failed?.outcome?.kind,
    at: iso(event.at),
  });
}

function finished(run: RunRecord, outcome: Outcome): LogLine {
  const level = outcome.kind === 'succeeded' ? 'info' : outcome.kind === 'cancelled' ? 'notice' : 'error';
  const tries = run.attempts.length > 1 ? ` (${run.attempts.length} attempts)` : '';
  const duration = run.shards === undefined ? newest(run)?.duration : lengthOf(run);
  return line(level, `${ended(outcome, duration)}${tries}`, {
    event: 'run_finished',
    job: run.jobId,
    run: run.id,
    slot: iso(run.scheduledAt),
    attempt: run.attempts.length,
    outcome: outcome.kind,
    exitCode: 'exitCode' in outcome ? outcome.exitCode : undefined,
    status: 'status' in outcome ? outcome.status : undefined,
    durationMs: duration === undefined ? undefined : Math.round(duration),
  });
}

function newest(run: RunRecord): AttemptRecord | undefined {
  return run.attempts.at(-1);
}

function line(level: Level, message: string, fields: Fields): LogLine {
  return { level, message, fields };
}
