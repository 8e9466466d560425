import { expect, it } from 'vitest';
import { measured } from '../../src/engine/measured.ts';

const first = { number: 1, startedAt: 10_050 };

it('goes by what the node says, and puts the beginning back where both reports came at once', () => {
  expect(measured({ attempts: [first], claimedAt: 9000 }, 10_060, 1000)).toEqual({
    at: 10_060,
    duration: 1000,
    startedAt: 9060,
  });
  expect(measured({ attempts: [first], claimedAt: 9000 }, 12_000, 1000)).toMatchObject({ startedAt: 10_050 });
});

it('has nothing begin before it was claimed, or before the attempt before it ended, by whoever’s clock', () => {
  const before = { at: 10_000, duration: 1000, startedAt: 10_000 };
  expect(measured({ attempts: [first], claimedAt: 10_000 }, 7050, 1000)).toEqual(before);
  const attempts = [
    { ...first, finishedAt: 11_000 },
    { number: 2, startedAt: 11_100 },
  ];
  expect(measured({ attempts, claimedAt: 10_000 }, 11_150, 1000)).toMatchObject({ startedAt: 11_000 });
});

it('says nothing of an attempt that no node has begun', () => {
  expect(measured({ attempts: [{ ...first, awaits: [] }], claimedAt: 1 }, 20_000, 0)).toBeUndefined();
  expect(measured({ attempts: [], claimedAt: 1 }, 20_000, 0)).toBeUndefined();
});
