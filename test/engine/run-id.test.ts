import { randomFillSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { runIds } from '../../src/engine/run-id.ts';
import { FakeClock } from '../support/fake-clock.ts';

it('makes UUIDv7s that sort by time and do not repeat', async () => {
  const clock = new FakeClock('2026-01-01T00:00:00Z');
  const make = runIds((bytes) => randomFillSync(bytes));
  const next = () => make(clock.now());
  const ids = Array.from({ length: 5000 }, next);
  for (const id of ids)
    expect(id).toMatch(/^019b[0-9a-f]{4}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(ids).size).toBe(5000);
  expect(ids).toEqual(ids.toSorted());
  await clock.advance(1);
  expect(next() > (ids.at(-1) ?? '')).toBe(true);
  const [first = ''] = ids;
  expect(Number.parseInt(first.slice(0, 13).replace('-', ''), 16)).toBe(Date.parse('2026-01-01T00:00:00Z'));
});

it('does not repeat one where the digits that count are about to begin again', () => {
  const next = runIds((bytes) => bytes.fill(0xff));
  const ids = Array.from({ length: 300 }, () => next(1));
  expect(ids[0]).toBe('00000000-0001-7fff-bfff-ffffffffffff');
  expect(ids[1]).toBe('00000000-0001-7fff-bfff-000000000000');
  expect(ids[299]).toBe('00000000-0001-7fff-bfff-00000000012a');
  expect(new Set(ids).size).toBe(300);
});
