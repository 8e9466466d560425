import type { Duration, Instant, JobId } from '../model.ts';

/**
 * The delay of one slot's start: 0 to `bound` milliseconds, both included, evenly spread. A hash of job and slot, so
 * that it is the same after a restart and on every node. FNV-1a, then MurmurHash3's finaliser to spread close slots.
 */
export function jitterOf(jobId: JobId, slot: Instant, bound: Duration): Duration {
  if (bound <= 0) return 0;
  const text = `${jobId}@${slot}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  return Math.floor(((hash >>> 0) / 2 ** 32) * (Math.floor(bound) + 1));
}
