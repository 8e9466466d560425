import { describe, expect, it } from 'vitest';
import { attemptCell, resultCell } from '../../src/cli/results.ts';
import { standing } from '../../src/cli/why-run.ts';
import type { Outcome, RunRecord, RunState, ShardRecord } from '../../src/model.ts';
import { jointOutcome, jointState, shardRun } from '../../src/schedule/joint.ts';
import { whySlot } from '../../src/schedule/why.ts';

const OK: Outcome = { kind: 'succeeded' };

function shard(index: number, outcome: Outcome | undefined, more: Partial<ShardRecord> = {}): ShardRecord {
  const state = outcome === undefined ? 'running' : 'finished';
  return { index, total: 4, state, attempts: [], ...(outcome && { outcome }), ...more };
}

describe('a run that somebody cancels', () => {
  const asked = { number: 1, startedAt: 0, cancelledBy: 'operator' } as const;
  const run: RunRecord = {
    id: 'r',
    jobId: 'a',
    scheduledAt: 0,
    claimedAt: 0,
    cause: 'manual',
    state: 'running',
    attempts: [asked],
  };

  it('is told so until it has ended', () => {
    expect(resultCell(run, 1).text).toBe('being cancelled');
    expect(attemptCell(asked).text).toBe('being cancelled');
    expect(standing(run, 1)).toBe('it is being cancelled');
    const outcome: Outcome = { kind: 'cancelled', by: 'operator' };
    const over: RunRecord = { ...run, state: 'finished', outcome, attempts: [{ ...asked, outcome }] };
    expect(resultCell(over, 1).text).toBe('cancelled');
    expect(standing(over, 1)).toMatch(/^it was cancelled/u);
  });

  it('also in parts, of which some are over', () => {
    const shards = [shard(0, OK), shard(1, undefined, { attempts: [asked] })];
    const parts: RunRecord = { ...run, attempts: [], shards };
    expect(resultCell(parts, 1).text).toBe('being cancelled (1 of 2)');
    expect(standing(parts, 1)).toBe('it is being cancelled: 1 of 2 shards succeeded, 1 running');
    expect(resultCell({ ...parts, shards: [shard(0, OK), shard(1, undefined)] }, 1).text).toBe(
      'running (1 of 2)',
    );
  });
});

describe('the joint outcome', () => {
  it.each<[string, Outcome[], Outcome]>([
    ['success, if all succeeded', [OK, OK], OK],
    [
      'failure, naming those that did not and how they ended',
      [
        OK,
        { kind: 'failed', exitCode: 2 },
        { kind: 'timed_out', after: 5 },
        { kind: 'killed', signal: 'SIGKILL' },
      ],
      { kind: 'failed', hint: '3 of 4 shards: 1 exit code 2, 2 timed out, 3 SIGKILL' },
    ],
    [
      'cancelled, if any was',
      [{ kind: 'failed' }, { kind: 'cancelled', by: 'shutdown' }, OK],
      { kind: 'cancelled', by: 'shutdown' },
    ],
  ])('is %s', (_, outcomes, joint) => {
    expect(jointOutcome(outcomes.map((outcome, index) => shard(index, outcome)))).toEqual(joint);
  });

  it('names no more than ten, by the values of a matrix', () => {
    const failed = Array.from({ length: 12 }, (_, index) =>
      shard(index, { kind: 'lost', message: '' }, { values: { region: `r${index}` } }),
    );
    const { hint } = jointOutcome(failed) as { hint: string };
    expect(hint).toMatch(/^12 of 12 shards: 0 \(region=r0\) lost, .*9 \(region=r9\) lost and 2 more$/);
  });
});

describe('a run in parts', () => {
  it.each<[RunState[], RunState]>([
    [['finished', 'running', 'waiting', 'retrying'], 'running'],
    [['finished', 'waiting', 'retrying'], 'retrying'],
    [['finished', 'waiting'], 'waiting'],
    [['claimed', 'waiting'], 'claimed'],
    [['finished', 'finished'], 'finished'],
  ])('whose parts are %j is %s', (states, joint) => {
    expect(jointState(states.map((state, index) => shard(index, undefined, { state })))).toBe(joint);
  });

  const attempts = (startedAt: number) => [{ number: 1, startedAt }];
  const run: RunRecord = {
    id: 'a',
    jobId: 'j',
    scheduledAt: 1000,
    claimedAt: 1000,
    cause: 'schedule',
    state: 'running',
    attempts: [],
    shards: [
      shard(0, OK, { attempts: attempts(9000) }),
      shard(1, undefined, { attempts: attempts(8000) }),
      shard(2, undefined, { state: 'waiting' }),
    ],
  };

  it('began when the first of them did, and tells how far it is', () => {
    const nobody = { job: undefined } as unknown as Parameters<typeof whySlot>[0];
    expect(whySlot({ ...nobody, row: run, slot: 1000, jitter: 0, now: 10_000 })).toEqual({
      reason: 'late',
      late: 7000,
    });
    expect(standing(run, 68_000)).toBe(
      'it has been under way for 1m: 1 of 3 shards succeeded, 1 running, 1 waiting',
    );
    const ended: RunRecord = {
      ...run,
      state: 'finished',
      finishedAt: 12_000,
      outcome: { kind: 'failed', hint: '1 of 3 shards: 1 failed' },
    };
    expect(standing(ended, 68_000)).toBe(
      'it failed (1 of 3 shards: 1 failed) after 4s; 1 of 3 shards succeeded',
    );
  });

  it('has each of them as a run of its own name, and none that it does not have', () => {
    expect(shardRun(run, 1)).toEqual({
      id: 'a.1',
      jobId: 'j',
      scheduledAt: 1000,
      claimedAt: 1000,
      cause: 'schedule',
      state: 'running',
      attempts: attempts(8000),
      shard: { index: 1, total: 4 },
    });
    expect(shardRun(run, 3)).toBeUndefined();
  });
});
