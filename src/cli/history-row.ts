/** A row of the history as programs get it. The shape is a promise: fields may be added, never renamed. */
import type { HistoryRow } from '../engine/ports.ts';
import type { AttemptRecord, Instant, RunRecord, SkipRecord } from '../model.ts';
import { outputSize } from './past.ts';
import { lengthOf } from './results.ts';
import { rfc3339 } from '../observe/when.ts';

export function rowAsJson(row: HistoryRow, state: string): object {
  return 'run' in row ? runAsJson(row.run, state) : skipAsJson(row.skip);
}

export function runAsJson(run: RunRecord, state: string): object {
  const { id, jobId, scheduledAt, claimedAt, retryAt, finishedAt, cause, outcome, attempts } = run;
  return {
    id,
    jobId,
    scheduledAt: rfc3339(scheduledAt),
    claimedAt: rfc3339(claimedAt),
    startedAt: instant(attempts[0]?.startedAt),
    finishedAt: instant(finishedAt),
    retryAt: instant(retryAt),
    durationMs: milliseconds(lengthOf(run)),
    cause,
    state: run.state,
    outcome: outcome ?? null,
    outputBytes: outputSize(state, id) ?? null,
    attempts: attempts.map(attemptAsJson),
  };
}

function attemptAsJson({ number, startedAt, finishedAt, duration, pid, outcome }: AttemptRecord): object {
  return {
    number,
    startedAt: rfc3339(startedAt),
    finishedAt: instant(finishedAt),
    durationMs: milliseconds(duration),
    pid: pid ?? null,
    outcome: outcome ?? null,
  };
}

export function skipAsJson({ jobId, scheduledAt, through, count, reason, at }: SkipRecord): object {
  return {
    id: null,
    jobId,
    scheduledAt: rfc3339(scheduledAt),
    through: rfc3339(through),
    count: count ?? null,
    state: 'skipped',
    reason,
    decidedAt: rfc3339(at),
    startedAt: null,
    finishedAt: null,
    cause: null,
    outcome: null,
    attempts: [],
  };
}

function instant(at: Instant | undefined): string | null {
  return at === undefined ? null : rfc3339(at);
}

/** The monotonic clock is finer than anybody needs. */
function milliseconds(duration: number | undefined): number | null {
  return duration === undefined ? null : Math.round(duration);
}
