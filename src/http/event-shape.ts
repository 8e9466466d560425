/** Events as those who watch get them. Definitions are not told: they hold secrets. */
import type { DaemonEvent, FeedEntry } from '../engine/ports-operator.ts';
import type { JobId, RunRecord } from '../model.ts';
import type { Replay } from '../replay.ts';
import { iso, milliseconds, outcomeShape, pauseShape, replayShape, runShape, skipShape } from './shapes.ts';

/** Ids told of a reload in one event; `counts` tells of all. */
const MOST_IDS = 1000;

export function eventShape({ at, event }: FeedEntry): object {
  return { kind: event.kind, at: iso(at), ...partsOf(event) };
}

function partsOf(event: DaemonEvent): object {
  if ('run' in event) return ofRun(event);
  if ('replay' in event) return { jobId: event.replay.jobId, replay: replayShape(event.replay) };
  return ofOthers(event);
}

type RunEvent = Extract<DaemonEvent, { readonly run: RunRecord }>;
type ReplayEvent = Extract<DaemonEvent, { readonly replay: Replay }>;

function ofRun(event: RunEvent): object {
  const run = runShape(event.run);
  switch (event.kind) {
    case 'run_claimed':
      return { run, lateMs: milliseconds(event.late) };
    case 'attempt_started':
      return { run, attempt: event.attempt, pid: event.pid ?? null };
    case 'attempt_ended':
      return {
        run,
        attempt: event.attempt,
        outcome: outcomeShape(event.outcome),
        durationMs: milliseconds(event.duration),
      };
    case 'run_recovered':
      return { run, found: event.found };
    case 'retry_begun':
      return { run, attempt: event.attempt };
    case 'retry_scheduled':
      return { run, attempt: event.attempt, dueAt: iso(event.at) };
    case 'run_finished':
      return { run, outcome: outcomeShape(event.outcome) };
    case 'shard_changed':
      return { run, shard: event.shard.index, change: event.change };
  }
}

function waitingShape({
  jobId,
  scheduledAt,
  reason,
  jobs = [],
  limit,
  heldBy = [],
}: Extract<DaemonEvent, { kind: 'run_waiting' }>) {
  return { jobId, scheduledAt: iso(scheduledAt), reason, jobs, limit: limit ?? null, heldBy };
}

function ofOthers(event: Exclude<DaemonEvent, RunEvent | ReplayEvent>): object {
  switch (event.kind) {
    case 'engine_started':
      return { jobs: event.jobs };
    case 'engine_stopping':
      return { active: event.active };
    case 'engine_stopped':
      return {};
    case 'jobs_applied':
      return appliedShape(event);
    case 'clock_stepped':
      return { byMs: Math.round(event.by) };
    case 'slots_skipped':
      return { skip: skipShape(event.skip) };
    case 'run_waiting':
      return waitingShape(event);
    case 'job_disabled':
      return { jobId: event.jobId, message: event.message };
    case 'job_paused':
      return { jobId: event.jobId, pause: pauseShape(event.pause) };
    case 'job_resumed':
      return { jobId: event.jobId };
    case 'store_failed':
      return { message: event.message };
    case 'store_degraded':
      return { since: iso(event.since), message: event.message, hint: event.hint ?? null };
    case 'store_healed':
      return { caughtUp: event.caughtUp, dropped: event.dropped };
    case 'message_delivered':
    case 'delivery_failed':
    case 'message_dropped':
      return ofDelivery(event);
    case 'reload_refused':
      return { cause: event.cause, reason: event.reason };
    case 'file_mended':
      return { cause: event.cause };
  }
}

type Delivery = Extract<
  DaemonEvent,
  { readonly kind: 'message_delivered' | 'delivery_failed' | 'message_dropped' }
>;

function ofDelivery(event: Delivery): object {
  const { to, kind } = event;
  if (kind === 'delivery_failed') return { to, message: event.message, againInMs: Math.round(event.again) };
  const { jobId, notice } = event;
  return kind === 'message_dropped'
    ? { to, jobId, notice, message: event.message }
    : { to, jobId, notice, afterMs: Math.round(event.after), note: event.note ?? null };
}

function appliedShape({
  added,
  changed,
  removed,
  unchanged,
}: Extract<DaemonEvent, { readonly kind: 'jobs_applied' }>): object {
  const told = (ids: readonly JobId[]): readonly JobId[] => ids.slice(0, MOST_IDS);
  const counts = { added: added.length, changed: changed.length, removed: removed.length, unchanged };
  return { added: told(added), changed: told(changed), removed: told(removed), counts };
}
