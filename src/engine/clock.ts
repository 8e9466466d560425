import type { Clock } from './ports.ts';

/** The real clock: the only place that reads time or sets a timer. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay, action) {
    const timer = setTimeout(action, Math.max(Math.ceil(delay), 0));
    return () => clearTimeout(timer);
  },
};
