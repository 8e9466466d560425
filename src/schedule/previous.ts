import type { Instant } from '../model.ts';
import type { Trigger } from './slots.ts';

/** How far back is looked: further than any history reaches. */
const FURTHEST = 200 * 366 * 86_400_000;

/** The newest slot at or before `until`; undefined when there is none. Takes some dozens of questions, however far back it is. */
export function slotUpTo(trigger: Trigger, until: Instant): Instant | undefined {
  const comes = (after: Instant): boolean => (trigger.next(after) ?? Number.POSITIVE_INFINITY) <= until;
  let span = 1000;
  while (!comes(until - span)) {
    if (span > FURTHEST) return undefined;
    span *= 2;
  }
  // `next` never goes back, so where its answers begin to lie beyond `until` can be halved down to.
  let before = until - span;
  let beyond = until;
  while (beyond - before > 1) {
    const middle = Math.floor((before + beyond) / 2);
    if (comes(middle)) before = middle;
    else beyond = middle;
  }
  return trigger.next(before);
}
