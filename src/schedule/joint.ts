/** What the parts of a run come to together. */
import type { Instant, Outcome, RunRecord, RunState, ShardRecord } from '../model.ts';
import { shardId, shardName } from '../shard.ts';

/** Parts that are named one by one in a text. */
const MOST_NAMED = 10;

/** How far a run is by its parts: as the one that is nearest to its end, of those that are not over. */
export function jointState(shards: readonly ShardRecord[]): RunState {
  const order = ['running', 'claimed', 'retrying', 'waiting'] as const;
  return order.find((state) => shards.some((shard) => shard.state === state)) ?? 'finished';
}

/** The outcome of a run whose parts are all over: success if all succeeded; cancelled if any was, for then it is not known what the others are worth. */
export function jointOutcome(shards: readonly ShardRecord[]): Outcome {
  const cancelled = shards.find(({ outcome }) => outcome?.kind === 'cancelled')?.outcome;
  if (cancelled !== undefined) return cancelled;
  const failed = shards.filter(({ outcome }) => outcome?.kind !== 'succeeded');
  if (failed.length === 0) return { kind: 'succeeded' };
  const named = failed.slice(0, MOST_NAMED).map((shard) => `${shardName(shard)} ${inShort(shard.outcome)}`);
  const more = failed.length > MOST_NAMED ? ` and ${failed.length - MOST_NAMED} more` : '';
  const hint = `${failed.length} of ${shards.length} shards: ${named.join(', ')}${more}`;
  return { kind: 'failed', hint };
}

/** The earliest retry, while the run waits for nothing else. */
export function jointRetry(shards: readonly ShardRecord[]): Instant | undefined {
  const times = shards.flatMap(({ retryAt }) => retryAt ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Whether it, or a part of it, was asked to end by somebody and has not yet. */
export function isCalledOff({
  state,
  attempts,
  shards,
}: Pick<RunRecord, 'state' | 'attempts' | 'shards'>): boolean {
  if (shards !== undefined) return shards.some((shard) => isCalledOff(shard));
  return state === 'running' && attempts.at(-1)?.cancelledBy !== undefined;
}

/** `6 of 8`: parts that succeeded, of all. */
export function shardsInWords(shards: readonly ShardRecord[]): string {
  const well = shards.filter(({ outcome }) => outcome?.kind === 'succeeded').length;
  return `${well} of ${shards.length}`;
}

/** A part as a run of its own; undefined: the run has no such part. */
export function shardRun(run: RunRecord, index: number): RunRecord | undefined {
  const shard = run.shards?.find((each) => each.index === index);
  if (shard === undefined) return undefined;
  const { shards: _, retryAt: _retryAt, finishedAt: _finishedAt, outcome: _outcome, ...rest } = run;
  const { index: _index, total, values, ...own } = shard;
  const which = { index, total, ...(values !== undefined && { values }) };
  return { ...rest, ...own, id: shardId(run.id, index), shard: which };
}

/** What is kept of a part. What it handed over is not: nobody gets a hundred results at once. */
export function shardOf({ shard, state, attempts, retryAt, finishedAt, outcome }: RunRecord): ShardRecord {
  return {
    ...(shard ?? { index: 0, total: 1 }),
    state,
    attempts: attempts.map((attempt) =>
      attempt.outcome === undefined ? attempt : { ...attempt, outcome: withoutResult(attempt.outcome) },
    ),
    ...(retryAt !== undefined && { retryAt }),
    ...(finishedAt !== undefined && { finishedAt }),
    ...(outcome !== undefined && { outcome: withoutResult(outcome) }),
  };
}

function withoutResult(outcome: Outcome): Outcome {
  if (outcome.kind !== 'succeeded' || outcome.result === undefined) return outcome;
  const { result: _, ...rest } = outcome;
  return rest;
}

function inShort(outcome: Outcome | undefined): string {
  switch (outcome?.kind) {
    case 'failed':
      if (outcome.status !== undefined) return `status ${outcome.status}`;
      return outcome.exitCode === undefined ? 'failed' : `exit code ${outcome.exitCode}`;
    case 'killed':
      return outcome.signal;
    case 'timed_out':
      return 'timed out';
    case 'not_started':
      return 'not started';
    case 'threw':
    case 'lost':
    case 'cancelled':
    case 'succeeded':
      return outcome.kind;
    case undefined:
      return 'not over';
  }
}
