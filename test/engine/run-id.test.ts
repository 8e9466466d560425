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
  await clock.advance(1);
  expect(next() > (ids.at(-1) ?? '')).toBe(true);
  const [first = ''] = ids;
  expect(Number.parseInt(first.slice(0, 13).replace('-', ''), 16)).toBe(Date.parse('2026-01-01T00:00:00Z'));
});
