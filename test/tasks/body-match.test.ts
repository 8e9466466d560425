/** Patterns that are tried on texts, in threads of their own. */
import { expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { Clock } from '../../src/engine/ports.ts';
import { isFound } from '../../src/tasks/body-match.ts';

it('are given their time from when their thread has begun, however long that takes', async () => {
  const armed: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    after: (_, action) => {
      armed.push(action);
      return () => undefined;
    },
  };
  const found = isFound('^a+$', 'aaa', { clock, patience: 1000 });
  // No thread has begun within the turn in which it was asked for: on a busy machine a second may pass by then.
  for (const ring of armed) ring();
  expect(await found).toBe(true);
  expect(armed).toHaveLength(1);
});

it('are called off when they take too long', async () => {
  expect(await isFound('^(a+)+$', `${'a'.repeat(60)}b`, { clock: systemClock, patience: 50 })).toBe(
    undefined,
  );
});
