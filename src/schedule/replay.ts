/** Which slots a replay has, and what becomes of its figures: pure. */
import type { Instant, JobDefinition } from '../model.ts';
import type { Replay } from '../replay.ts';
import { slotAfter } from './plan.ts';
import type { Trigger } from './trigger.ts';

/** Slots of one replay, at most: years of an hourly job. */
export const MOST_SLOTS = 10_000;

/** The slots from `from` to `to`, both included, oldest first; undefined when there are more than `MOST_SLOTS`. */
export function slotsBetween(
  trigger: Trigger,
  { from, to }: { readonly from: Instant; readonly to: Instant },
): Instant[] | undefined {
  const slots: Instant[] = [];
  let slot = slotAfter(trigger, from - 1);
  while (slot !== undefined && slot <= to) {
    if (slots.length === MOST_SLOTS) return undefined;
    slots.push(slot);
    slot = slotAfter(trigger, slot);
  }
  return slots;
}

/** Most runs of one replay at once: as many as slots of the job may run together. */
export function mostParallel({ overlap, maxInstances }: JobDefinition['policy']): number {
  return overlap === 'allow' ? maxInstances : 1;
}

/** Its runs that are not over. */
export function activeOf({ begun, succeeded, failed }: Replay): number {
  return begun - succeeded - failed;
}

/** How it stands after a change; finished where that was the last. */
export function moved(
  replay: Replay,
  change: Partial<Pick<Replay, 'begun' | 'succeeded' | 'failed'>>,
  now: Instant,
): Replay {
  const next = { ...replay, ...change };
  const isOver = next.state === 'active' && next.begun === next.total && activeOf(next) === 0;
  return isOver ? { ...next, state: 'finished', endedAt: now } : next;
}

/**
 * How it stands when a daemon takes it up: `open` are the slots of its runs that are not over. Claims and ends are recorded together
 * with the replay, so this is what was recorded, unless history was damaged: then what was begun is never begun again.
 */
export function takenUp(replay: Replay, slots: readonly Instant[], open: readonly Instant[]): Replay {
  const begun = Math.max(replay.begun, ...open.map((slot) => slots.indexOf(slot) + 1));
  const over = begun - open.length;
  const succeeded = Math.min(replay.succeeded, over);
  return { ...replay, begun, succeeded, failed: over - succeeded };
}
