/** One attempt of a run, as data: what it is started with, and what is known of it. */
import type { AttemptRecord, Cause, Duration, Instant, JobDefinition, RunRecord } from '../model.ts';
import { argumentsOf, declaredOf } from '../schedule/params.ts';
import type { AttemptSpec } from './ports.ts';

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
  const { successExitCodes, killSignal, killAfter, priority } = definition.policy;
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
  };
}

function isOfSlot(cause: Cause): boolean {
  return cause !== 'manual' && cause !== 'replay';
}

/** One that is about to begin. */
export function attemptOf(number: number, startedAt: Instant, timeout: Duration | undefined): AttemptRecord {
  return timeout === undefined ? { number, startedAt } : { number, startedAt, timeout };
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
  return {
    ...(pid !== undefined && { pid }),
    ...(startTime !== undefined && { startTime }),
    ...(node !== undefined && { node }),
  };
}

/** It was about to begin, and then did not: it uses up no retry. */
export function neverBegan({ outcome, duration }: AttemptRecord): boolean {
  return outcome !== undefined && duration === undefined;
}
