/** Attempts as data: what one is started with, what is known of it, and the end of a run that came to none. */
import type { AttemptRecord, Cause, Instant, JobDefinition, Outcome, RunRecord, Waited } from '../model.ts';
import { formatDuration } from '../schedule/duration.ts';
import { argumentsOf, declaredOf } from '../schedule/params.ts';
import type { Growing } from '../growing.ts';
import type { AttemptSpec, KnownProcess } from './ports.ts';

/** What an executor is to know of attempt `number`. `isRetry`: one before it really began. */
export function specOf(
  { definition, claim }: { readonly definition: JobDefinition; readonly claim: RunRecord },
  attempt: {
    readonly number: number;
    readonly isRetry: boolean;
    readonly previousSuccessAt: Instant | undefined;
  },
): AttemptSpec {
  const { id, jobId, scheduledAt, cause, with: given, upstream, shard } = claim;
  const { params, task, surroundings, output, runsOn } = definition;
  const { successExitCodes, killSignal, killAfter, priority, onShutdown } = definition.policy;
  const args = argumentsOf(params, given);
  return {
    runId: id,
    jobId,
    attempt: attempt.number,
    scheduledAt,
    cause: attempt.isRetry ? 'retry' : cause,
    previousSuccessAt: attempt.previousSuccessAt,
    with: args,
    params: params === undefined ? undefined : declaredOf(params, args ?? {}),
    upstream,
    shard,
    task,
    surroundings,
    output,
    successExitCodes,
    killSignal,
    killAfter,
    forSlot: shard === undefined && isOfSlot(cause),
    runsOn,
    priority,
    onShutdown,
  };
}

function isOfSlot(cause: Cause): boolean {
  return cause !== 'manual' && cause !== 'replay';
}

/** One that is about to begin. */
export function attemptOf(
  number: number,
  startedAt: Instant,
  { timeout }: Pick<JobDefinition['policy'], 'timeout'>,
): AttemptRecord {
  return timeout === undefined ? { number, startedAt } : { number, startedAt, timeout };
}

/** More is known of the last of them, so it waits for no node any more, unless all that is new is that somebody cancelled it. */
export function amended(
  attempts: readonly AttemptRecord[],
  change: Partial<AttemptRecord>,
): readonly AttemptRecord[] {
  const last = attempts.at(-1);
  if (last === undefined) return attempts;
  const isAwaited = last.awaits !== undefined && change.cancelledBy === undefined;
  const next = isAwaited ? { ...waitingNoMore(last), ...change } : { ...last, ...change };
  return attempts.length === 1 ? [next] : [...attempts.slice(0, -1), next];
}

function waitingNoMore(attempt: AttemptRecord): AttemptRecord {
  const { awaits: _, ...known } = attempt;
  return known;
}

/** What the executor is to know of an attempt that an earlier daemon left. */
export function knownOf({
  pid,
  startTime,
  timeout,
  timedOut,
  cancelledBy,
}: Partial<AttemptRecord>): KnownProcess {
  if (timedOut === true && timeout !== undefined)
    return { pid, startTime, asked: { kind: 'timed_out', after: timeout } };
  if (cancelledBy === undefined) return { pid, startTime };
  return { pid, startTime, asked: { kind: 'cancelled', by: cancelledBy } };
}

type KnownOf = 'pid' | 'startTime' | 'node';

/** What is known of the process of an attempt, without what is not. */
export function processOf({
  pid,
  startTime,
  node,
}: {
  readonly [key in KnownOf]?: AttemptRecord[key] | undefined;
}): Pick<AttemptRecord, KnownOf> {
  const known: Growing<Pick<AttemptRecord, KnownOf>> = {};
  if (pid !== undefined) known.pid = pid;
  if (startTime !== undefined) known.startTime = startTime;
  if (node !== undefined) known.node = node;
  return known;
}

/** The end of a run that never had a place in its pool. */
export function waitedInVain({ limit, since }: Waited, now: Instant): Outcome {
  const waited = formatDuration(Math.max(now - since, 0));
  const message = `it waited ${waited} for a place in the pool ${limit}, as long as max_wait allows`;
  return { kind: 'not_started', message };
}

/** Attempts that really began, up to this one: what `retry.limit` counts. */
export function triesOf(attempts: readonly AttemptRecord[], number: number): number {
  let tries = number;
  for (const attempt of attempts) if (neverBegan(attempt)) tries -= 1;
  return tries;
}

/** It was about to begin, and then did not: it uses up no retry. */
function neverBegan({ outcome, duration }: AttemptRecord): boolean {
  return outcome !== undefined && duration === undefined;
}
