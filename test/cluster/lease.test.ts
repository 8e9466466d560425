/** Who conducts, and by which clock: the decisions alone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BEAT, decide, LATE, LEASE, nextBeat, TRUST, type Finding } from '../../src/cluster/lease.ts';
import { isBeyond, roundTrip, skewOf, withTrip, type RoundTrip } from '../../src/cluster/skew.ts';

const waiting: Finding = {
  schedules: true,
  isSkewed: false,
  isLeaving: false,
  ownTerm: undefined,
  conductor: { term: 7, node: 'other', beatAgo: 500 },
};
const conducting: Finding = { ...waiting, ownTerm: 7, conductor: { term: 7, node: 'this', beatAgo: 2000 } };

function found(
  finding: Finding,
  more: Partial<Finding> & { readonly conducted?: Partial<Finding['conductor']> },
) {
  const { conducted, ...rest } = more;
  return { ...finding, ...rest, conductor: { ...finding.conductor, ...conducted } };
}

describe('a node that conducts', () => {
  it.each([
    ['keeps on', {}, { kind: 'keep' }],
    ['keeps on however late it beats: nobody else did', { conducted: { beatAgo: 60_000 } }, { kind: 'keep' }],
    [
      'is deposed',
      { conducted: { term: 8, node: 'other' as const } },
      { kind: 'step_down', reason: 'deposed' },
    ],
    ['is deposed by itself, restarted', { conducted: { term: 8 } }, { kind: 'step_down', reason: 'deposed' }],
    [
      'leaves a term that was given back',
      { conducted: { node: undefined } },
      { kind: 'step_down', reason: 'deposed' },
    ],
    ['steps down when its clock is off', { isSkewed: true }, { kind: 'step_down', reason: 'skewed' }],
    ['gives back when it leaves', { isLeaving: true }, { kind: 'step_down', reason: 'leaving' }],
  ] as const)('%s', (_, more, decision) => {
    expect(decide(found(conducting, more))).toEqual(decision);
  });
});

describe('a node that does not conduct', () => {
  const take = (reason: string) => ({ kind: 'take_over', reason, ifDead: reason === 'died' });
  it.each([
    ['waits while another does', {}, { kind: 'wait', reason: 'conducted' }],
    [
      'waits for a beat that is a little late',
      { conducted: { beatAgo: LATE - 1 } },
      { kind: 'wait', reason: 'conducted' },
    ],
    ['takes over from the dead', { conducted: { beatAgo: LATE } }, take('died')],
    ['takes over when the lease is over', { conducted: { beatAgo: LEASE } }, take('expired')],
    ['takes what nobody has', { conducted: { node: undefined, beatAgo: 0 } }, take('vacant')],
    [
      'takes what it had before it was restarted',
      { conducted: { node: 'this' as const } },
      take('own_earlier'),
    ],
    [
      'waits when it only works',
      { schedules: false, conducted: { node: undefined } },
      { kind: 'wait', reason: 'works_only' },
    ],
    [
      'waits when its clock is off',
      { isSkewed: true, conducted: { node: undefined } },
      { kind: 'wait', reason: 'skewed' },
    ],
    [
      'waits when it is leaving',
      { isLeaving: true, conducted: { node: undefined } },
      { kind: 'wait', reason: 'leaving' },
    ],
  ] as const)('%s', (_, more, decision) => {
    expect(decide(found(waiting, more))).toEqual(decision);
  });
});

describe('the next beat', () => {
  it('comes when the conductor would be overdue, and never more often than needed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20_000 }), fc.boolean(), (beatAgo, schedules) => {
        const decision = decide(found({ ...waiting, schedules }, { conducted: { beatAgo } }));
        const after = nextBeat(decision, beatAgo);
        expect(after).toBeGreaterThanOrEqual(BEAT / 4);
        expect(after).toBeLessThanOrEqual(BEAT);
        // Who waits for a conductor sees its death at the latest one beat after it counts as one.
        const waits = decision.kind === 'wait' && decision.reason === 'conducted';
        expect(waits ? beatAgo + after : 0).toBeLessThanOrEqual(LATE + BEAT / 4);
      }),
    );
  });

  it('settles at one in two seconds: after a look just past the conductor’s beat, the next is due one beat later', () => {
    expect(nextBeat({ kind: 'wait', reason: 'conducted' }, LATE - BEAT)).toBe(BEAT);
  });

  it('leaves a conductor time to stop before anybody takes over', () => {
    expect(LEASE - TRUST).toBeGreaterThanOrEqual(BEAT);
    expect(TRUST).toBeGreaterThan(2 * BEAT);
  });
});

describe('the difference of clocks', () => {
  it('is never further off than half a round trip', () => {
    const trip = fc.record({
      ahead: fc.integer({ min: -60_000, max: 60_000 }),
      out: fc.integer({ min: 0, max: 3000 }),
      back: fc.integer({ min: 0, max: 3000 }),
    });
    fc.assert(
      fc.property(trip, ({ ahead, out, back }) => {
        const told = 1_000_000;
        const measured = roundTrip(told + back + ahead, out + back, told);
        expect(Math.abs(measured.skew - ahead)).toBeLessThanOrEqual(measured.took / 2);
        // So nobody is warned of a difference that may not be there.
        expect(Math.abs(ahead) <= 1000 && isBeyond(measured, 1000)).toBe(false);
      }),
    );
  });

  it('is told by the shortest of the last five round trips', () => {
    const trips = [400, 30, 90, 200, 300, 500].reduce<readonly RoundTrip[]>(
      (known, took, i) => withTrip(known, { skew: i, took }),
      [],
    );
    expect(trips).toHaveLength(5);
    expect(skewOf(trips)).toEqual({ skew: 1, took: 30 });
    expect(skewOf(withTrip(trips, { skew: 6, took: 600 }))).toEqual({ skew: 2, took: 90 });
  });

  it('is told anew at once when a clock was set', () => {
    const before = withTrip(withTrip([], { skew: 3, took: 1 }), { skew: 4, took: 9 });
    const after = withTrip(before, { skew: 10_002, took: 20 });
    expect(after).toEqual([{ skew: 10_002, took: 20 }]);
    expect(isBeyond(skewOf(after), 5000)).toBe(true);
    expect(isBeyond({ skew: -5005, took: 20 }, 5000)).toBe(false);
  });
});
