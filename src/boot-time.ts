import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { Instant } from './model.ts';

/** When the host booted. Linux tells the second; elsewhere it is reckoned back, and rounded so that it stays the same for every daemon. */
export function bootedAt(now: Instant): Instant {
  try {
    const [, seconds] = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? [];
    if (seconds !== undefined) return Number(seconds) * 1000;
  } catch {
    // No /proc: not Linux.
  }
  return Math.round((now - uptime() * 1000) / 10_000) * 10_000;
}
