import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MisfirePolicy } from '../../src/model.ts';
import { MOMENT, plan, slotAfter, TriggerFault } from '../../src/schedule/plan.ts';
import type { Trigger } from '../../src/schedule/trigger.ts';

function every(period: number): Trigger {
  return { next: (after) => (Math.floor(after / period) + 1) * period };
}

const NO_JITTER = () => 0;

const misfirePolicy: fc.Arbitrary<MisfirePolicy> = fc
  .record({
    run: fc.constantFrom('latest', 'all', 'none'),
    grace: fc.option(fc.nat(30_000), { nil: undefined }),
    max: fc.nat(20),
  })
  .map(({ run, grace, max }) => (grace === undefined ? { run, max } : { run, max, grace }));

describe('plan', () => {
  it('puts each slot up to now in exactly one place, in order, and finds the first that has not come', () => {
    const input = fc.record({
      misfire: misfirePolicy,
      now: fc.integer({ min: 1000, max: 60_000 }),
      spread: fc.nat(5000),
    });
    fc.assert(
      fc.property(input, ({ misfire, now, spread }) => {
        const jitter = (slot: number) => (spread === 0 ? 0 : (slot * 7919) % spread);
        const { due, later, missed, next } = plan({
          trigger: every(1000),
          first: 1000,
          now,
          misfire,
          jitter,
        });
        const stretches = missed.flatMap(({ from, through, count }) => {
          const slots = Array.from({ length: (through - from) / 1000 + 1 }, (_, n) => from + n * 1000);
          expect(count).toBe(slots.length);
          return slots;
        });
        const placed = [...due.map(({ slot }) => slot), ...later.map(({ slot }) => slot), ...stretches];
        const all = Array.from({ length: Math.floor(now / 1000) }, (_, n) => (n + 1) * 1000);
        expect(placed.sort((a, b) => a - b)).toEqual(all);
        expect(next).toBe((Math.floor(now / 1000) + 1) * 1000);
        for (const { slot, dueAt } of later)
          expect([dueAt, dueAt > now]).toEqual([slot + jitter(slot), true]);
        for (const { slot, caughtUp } of due) expect(caughtUp).toBe(now - slot - jitter(slot) >= MOMENT);
      }),
    );
  });

  it('finds by searching back what it would have found by walking', () => {
    const misfire = { run: 'all', max: 3 } as const;
    const now = 50_005_500;
    const walked = plan({ trigger: every(10_000), first: 10_000, now, misfire, jitter: NO_JITTER });
    expect(walked.due.map(({ slot }) => slot)).toEqual([49_980_000, 49_990_000, 50_000_000]);
    expect(walked.missed).toEqual([{ from: 10_000, through: 49_970_000, count: 4997 }]);
    const bridged = plan({ trigger: every(1000), first: 1000, now, misfire, jitter: NO_JITTER });
    expect(bridged.due.map(({ slot }) => slot)).toEqual([50_002_000, 50_003_000, 50_004_000, 50_005_000]);
    expect(bridged.missed).toEqual([{ from: 1000, through: 50_001_000 }]);
    expect(bridged.next).toBe(50_006_000);
  });

  it('bridges a stretch whose newest slots are old', () => {
    const slots = Array.from({ length: 20_000 }, (_, n) => 1000 + n);
    const trigger: Trigger = { next: (after) => slots.find((slot) => slot > after) };
    const { due, missed, next } = plan({
      trigger,
      first: 1000,
      now: 10_000_000,
      misfire: { run: 'latest', max: 100 },
      jitter: NO_JITTER,
    });
    expect(due).toEqual([{ slot: 20_999, caughtUp: true }]);
    expect(missed).toEqual([{ from: 1000, through: 20_998 }]);
    expect(next).toBeUndefined();
  });

  it('asks the trigger a bounded number of times for years of seconds', () => {
    let asked = 0;
    const seconds = every(1000);
    const counting: Trigger = { next: (after) => ((asked += 1), seconds.next(after)) };
    plan({
      trigger: counting,
      first: 1000,
      now: 5 * 365 * 86_400_000,
      misfire: { run: 'latest', max: 100 },
      jitter: NO_JITTER,
    });
    expect(asked).toBeLessThan(20_000);
  });

  it('never trusts a trigger blindly', () => {
    const stuck: Trigger = { next: (after) => after };
    const back: Trigger = { next: (after) => after - 1 };
    const broken: Trigger = {
      next: () => {
        throw new Error('loop limit exceeded');
      },
    };
    for (const trigger of [stuck, back, broken, { next: () => Number.NaN }]) {
      expect(() => slotAfter(trigger, 5)).toThrow(TriggerFault);
    }
    expect(() => slotAfter(broken, 5)).toThrow(/1970-01-01T00:00:00.005Z: Error: loop limit exceeded/);
  });
});
