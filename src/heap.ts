/** What V8 is told about the heap of a daemon, which loads much now and then and sleeps for days in between. */
import { setFlagsFromString } from 'node:v8';
import type { Clock } from './engine/ports.ts';
import type { Duration } from './model.ts';

/** By then V8 has had its turn, which comes 8 to 16 s after a load. */
const SHRUNK: Duration = 30_000;

/**
 * Does something that makes many objects which stay. V8 meets it by letting the space of young objects grow, up to
 * 100 MB, and is slow to give that back.
 */
export async function inSmallNursery<T>(action: () => Promise<T>): Promise<T> {
  // Said before the first load, since V8 ends a process that has shrunk its heap more often than it may.
  setFlagsFromString('--memory-reducer-gc-count=1');
  setFlagsFromString('--semi-space-growth-factor=1');
  try {
    return await action();
  } finally {
    setFlagsFromString('--semi-space-growth-factor=2');
  }
}

/**
 * V8 looks every eight seconds whether it may shrink the heap, until it has. A heap where nothing happens it leaves alone, so it
 * would look for ever: most of what wakes an idle daemon. After a load it may at once, and once is enough: a second time found
 * 1 MB of 127. Returns what calls it off.
 */
export function shrinkSoon(clock: Clock): () => void {
  setFlagsFromString('--optimize-for-size');
  return clock.after(SHRUNK, () => setFlagsFromString('--no-optimize-for-size'));
}
