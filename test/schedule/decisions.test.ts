import { describe, expect, it } from 'vitest';
import type { Outcome, RetryPolicy } from '../../src/model.ts';
import { admit } from '../../src/schedule/admit.ts';
import { changedKeys } from '../../src/schedule/changed-keys.ts';
import { changeOf } from '../../src/schedule/diff.ts';
import { nextAttempt } from '../../src/schedule/retry.ts';
import { job } from '../support/jobs.ts';

describe('admit', () => {
  it.each([
    ['skip', { active: 0, waiting: 0 }, { kind: 'start' }],
    ['skip', { active: 1, waiting: 0 }, { kind: 'skip', reason: 'overlap' }],
    ['queue', { active: 1, waiting: 0 }, { kind: 'wait' }],
    ['queue', { active: 0, waiting: 1 }, { kind: 'wait' }],
    ['replace', { active: 1, waiting: 0 }, { kind: 'replace' }],
    ['allow', { active: 1, waiting: 0 }, { kind: 'start' }],
    ['allow', { active: 3, waiting: 0 }, { kind: 'skip', reason: 'limit' }],
  ] as const)('%s with %o', (overlap, occupancy, admission) => {
    expect(admit({ overlap, maxInstances: 3 }, { ...occupancy, paused: false })).toEqual(admission);
  });

  it('lets nothing through while the job is paused', () => {
    const admission = admit({ overlap: 'allow', maxInstances: 3 }, { active: 0, waiting: 0, paused: true });
    expect(admission).toEqual({ kind: 'skip', reason: 'paused' });
  });
});

describe('nextAttempt', () => {
  const POLICY: RetryPolicy = {
    limit: 3,
    delay: 10_000,
    backoff: 'exponential',
    maxDelay: 30_000,
    jitter: false,
  };
  const FAILED: Outcome = { kind: 'failed', exitCode: 1 };
  const decide = (policy: Partial<RetryPolicy>, attempt: number, outcome: Outcome = FAILED) =>
    nextAttempt({ ...POLICY, ...policy }, { attempt, outcome }, () => 0.25);

  it('grows the delay by its backoff, up to max_delay', () => {
    const delays = (backoff: RetryPolicy['backoff']) =>
      [1, 2, 3]
        .map((attempt) => decide({ backoff }, attempt))
        .map((next) => next.kind === 'retry' && next.delay);
    expect(delays('constant')).toEqual([10_000, 10_000, 10_000]);
    expect(delays('linear')).toEqual([10_000, 20_000, 30_000]);
    expect(delays('exponential')).toEqual([10_000, 20_000, 30_000]);
    expect(decide({ limit: 5000 }, 4000)).toEqual({ kind: 'retry', delay: 30_000 });
  });

  it('draws from the whole delay where jitter is on', () => {
    expect(decide({ jitter: true }, 2)).toEqual({ kind: 'retry', delay: 5000 });
  });

  it('names why it ends', () => {
    expect(decide({}, 4)).toEqual({ kind: 'finish', reason: 'exhausted' });
    expect(decide({}, 1, { kind: 'succeeded' })).toEqual({ kind: 'finish', reason: 'succeeded' });
    expect(decide({}, 1, { kind: 'cancelled', by: 'operator' })).toEqual({
      kind: 'finish',
      reason: 'cancelled',
    });
    expect(decide({ on: [2, 'timed_out', 'SIGKILL'] }, 1)).toEqual({
      kind: 'finish',
      reason: 'not_retryable',
    });
  });

  it('narrows by exit code, signal and kind', () => {
    const on = [75, 'SIGKILL', 'lost'];
    const outcomes: Outcome[] = [
      { kind: 'failed', exitCode: 75 },
      { kind: 'killed', signal: 'SIGKILL' },
      { kind: 'lost', message: '' },
      { kind: 'killed', signal: 'SIGTERM' },
    ];
    expect(outcomes.map((outcome) => decide({ on }, 1, outcome).kind)).toEqual([
      'retry',
      'retry',
      'retry',
      'finish',
    ]);
  });
});

describe('changeOf', () => {
  const base = job('a', { every: 60_000 });

  it('tells what a new definition means for the loaded one', () => {
    const kind = (old: typeof base | undefined, now: typeof base) => changeOf(old, now).kind;
    expect(kind(undefined, base)).toBe('added');
    expect(kind(base, job('a', { every: 60_000 }))).toBe('unchanged');
    expect(kind(base, { ...base, source: { file: 'other.yaml', line: 9 } })).toBe('unchanged');
    expect(kind(base, { ...base, tags: ['x'] })).toBe('changed');
    expect(kind(base, job('a', { every: 60_000, policy: { timeout: 5 } }))).toBe('changed');
    expect(kind(base, job('a', { every: 60_001 }))).toBe('rescheduled');
    expect(kind(base, job('a', { every: 60_000, enabled: false }))).toBe('rescheduled');
    expect(kind(base, job('a', { every: 60_000, schedule: { timezone: 'Asia/Shanghai' } }))).toBe(
      'rescheduled',
    );
  });
});

describe('changedKeys', () => {
  const base = job('a', { every: 60_000 });

  it('names what is another, as the job file has it', () => {
    const keys = (change: Partial<typeof base>) => changedKeys(base, { ...base, ...change });
    expect(keys({})).toEqual([]);
    expect(keys({ source: { file: 'other.yaml', line: 9 } })).toEqual([]);
    expect(keys({ tags: ['x'], description: 'y', enabled: false })).toEqual([
      'enabled',
      'description',
      'tags',
    ]);
    expect(keys({ policy: { ...base.policy, timeout: 5, killAfter: 6 } })).toEqual(['timeout', 'kill_after']);
    expect(keys({ policy: { ...base.policy, pool: { name: 'db', slots: 1 } } })).toEqual(['pool']);
    const part = { index: 0, total: 1 };
    expect(keys({ shards: [part] })).toEqual(['shards']);
    expect(keys({ shards: [{ ...part, values: { region: 'eu' } }] })).toEqual(['matrix']);
    const schedule = { ...base.schedule, timezone: 'Asia/Shanghai' };
    expect(keys({ schedule })).toEqual(['timezone']);
    expect(
      keys({ schedule: { ...schedule, triggers: [{ kind: 'cron', expressions: ['0 * * * *'] }] } }),
    ).toEqual(['cron', 'every', 'anchor', 'timezone']);
    expect(keys({ task: { kind: 'command', argv: ['x'] } })).toContain('command');
    expect(keys({ surroundings: { ...base.surroundings, env: { A: '1' }, umask: 0o22 } })).toEqual([
      'env',
      'umask',
    ]);
  });
});
