/** What V8 is told about the heap of a daemon, which loads much now and then and sleeps for days in between. */
import { setFlagsFromString } from 'node:v8';
import type { Clock } from './engine/ports.ts';
import type { Duration } from './model.ts';

/** By then V8 has given back what loading a large file took. */
const SETTLED: Duration = 120_000;

/**
 * Does something that makes many objects which stay. V8 meets it by letting the space of young objects grow, up to
 * 100 MB, and is slow to give that back.
 */
export async function inSmallNursery<T>(action: () => Promise<T>): Promise<T> {
  setFlagsFromString('--semi-space-growth-factor=1');
  try {
    return await action();
  } finally {
    setFlagsFromString('--semi-space-growth-factor=2');
  }
}

/**
 * V8 looks every eight seconds whether it can shrink the heap, which is most of what wakes an idle daemon. Lets it do so for a
 * while after a load, and not after. Returns what calls it off.
 */
export function shrinkForAWhile(clock: Clock): () => void {
  setFlagsFromString('--memory-reducer');
  return clock.after(SETTLED, () => setFlagsFromString('--no-memory-reducer'));
}
