import { describe, expect, it } from 'vitest';
import type { Replay } from '../../src/replay.ts';
import { activeOf, moved, MOST_SLOTS, slotsBetween, takenUp } from '../../src/schedule/replay.ts';
import { compileSchedule } from '../../src/schedule/trigger.ts';
import { job } from '../support/jobs.ts';

const HOUR = 3_600_000;

const REPLAY: Replay = {
  id: 'r',
  jobId: 'a',
  from: 0,
  to: 9 * HOUR,
  order: 'oldest',
  missingOnly: false,
  parallel: 1,
  askedAt: 100 * HOUR,
  total: 3,
  begun: 0,
  succeeded: 0,
  failed: 0,
  state: 'active',
};

describe('the slots of a replay', () => {
  const hourly = compileSchedule(job('a', { every: HOUR }).schedule, 'a');

  it('are those of the range, both ends included', () => {
    expect(slotsBetween(hourly, { from: HOUR, to: 3 * HOUR })).toEqual([HOUR, 2 * HOUR, 3 * HOUR]);
    expect(slotsBetween(hourly, { from: HOUR + 1, to: 2 * HOUR - 1 })).toEqual([]);
  });

  it('are refused when there are too many', () => {
    const to = MOST_SLOTS * HOUR;
    expect(slotsBetween(hourly, { from: HOUR, to })).toHaveLength(MOST_SLOTS);
    expect(slotsBetween(hourly, { from: 0, to })).toBeUndefined();
  });
});

describe('how a replay stands', () => {
  it('is over when all of its slots have run', () => {
    const all = moved(REPLAY, { begun: 3, succeeded: 2 }, 7);
    expect(all).toMatchObject({ state: 'active' });
    expect(activeOf(all)).toBe(1);
    expect(moved(all, { failed: 1 }, 8)).toMatchObject({ state: 'finished', endedAt: 8, failed: 1 });
    expect(moved({ ...all, state: 'cancelled' }, { failed: 1 }, 8)).toMatchObject({ state: 'cancelled' });
  });

  it.each([
    ['as it was recorded', { begun: 2, succeeded: 1 }, [2], { begun: 2, succeeded: 1, failed: 0 }],
    [
      'a claim is known that it was not told of',
      { begun: 1, succeeded: 1 },
      [2],
      { begun: 2, succeeded: 1, failed: 0 },
    ],
    [
      'an end is known that it was not told of',
      { begun: 2, succeeded: 0 },
      [2],
      { begun: 2, succeeded: 0, failed: 1 },
    ],
  ])('is taken up %s', (_, recorded, open, expected) => {
    expect(takenUp({ ...REPLAY, ...recorded }, [1, 2, 3], open)).toMatchObject(expected);
  });
});
