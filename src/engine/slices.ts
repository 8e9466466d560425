import type { Duration } from '../model.ts';
import type { Alarm } from './alarm.ts';
import type { Clock } from './ports.ts';

/** How long, and over how many items, to work before the loop has its turn: a reload of 100,000 jobs delays no start. */
const SLICE: Duration = 5;
const MOST_IN_SLICE = 500;

/** Whose loop is not to be held. */
export interface Loop {
  readonly clock: Clock;
  readonly alarm: Alarm;
  /** Nothing new starts any more. */
  readonly closing: boolean;
}

/** Works through a list without holding the loop: between slices, what is due is started. Ends when the engine stops. */
export async function sliced<T>(loop: Loop, items: readonly T[], action: (item: T) => void): Promise<void> {
  const { alarm, clock } = loop;
  if (loop.closing) return;
  let begun = clock.monotonic();
  alarm.ring();
  for (const [index, item] of items.entries()) {
    if (index % MOST_IN_SLICE === MOST_IN_SLICE - 1 || clock.monotonic() - begun > SLICE) {
      await breathe(clock);
      if (loop.closing) return;
      begun = clock.monotonic();
      alarm.ring();
    }
    action(item);
  }
}

function breathe(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.after(0, resolve);
  });
}
