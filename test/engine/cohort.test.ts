import { describe, expect, it } from 'vitest';
import { Alarm } from '../../src/engine/alarm.ts';
import { Cohort, type Member } from '../../src/engine/cohort.ts';
import { FakeClock } from '../support/fake-clock.ts';

const DAY = 24 * 3_600_000;

describe('jobs that share a trigger', () => {
  it('do not walk the slots of a clock set forward one by one, however many they are', async () => {
    const clock = new FakeClock(0);
    const alarm = new Alarm(clock, { stepped: () => undefined, rung: () => undefined });
    let asked = 0;
    const next = (after: number) => {
      asked += 1;
      return (Math.floor(after / 1000) + 1) * 1000;
    };
    const cohort = new Cohort(alarm, { next }, 0);
    const came: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      const member: Member = {
        nextSlot: undefined,
        place: -1,
        slotCame: (slot) => {
          came.push(slot);
          cohort.leave(member);
          cohort.join(member, next(clock.now()));
        },
        faulted: (error) => expect.unreachable(String(error)),
      };
      cohort.join(member, 1000);
    }
    clock.step(365 * DAY);
    await clock.advance(2000);
    const after = 365 * DAY + 2000;
    expect(came).toEqual([1000, 1000, 1000, after, after, after]);
    expect(asked).toBeLessThan(20);
  });
});
