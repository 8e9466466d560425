import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { Instant } from '../model.ts';
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

/** When the host booted. Linux tells the second; elsewhere it is reckoned back, and rounded so that it stays the same for every daemon. */
export function bootedAt(): Instant {
  try {
    const [, seconds] = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? [];
    if (seconds !== undefined) return Number(seconds) * 1000;
  } catch {
    // No /proc: not Linux.
  }
  return Math.round((Date.now() - uptime() * 1000) / 10_000) * 10_000;
}
