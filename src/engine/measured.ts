/** When an attempt began and how long it took, where a node says so. */
import type { Duration, Instant, RunRecord } from '../model.ts';

/** How an attempt's end is told: `at` is when it ended. */
interface Measured {
  readonly at: Instant;
  readonly duration: Duration;
  /** If it is another than was known. */
  readonly startedAt?: Instant;
}

/**
 * Of one that ended just now, of which its node says how long it ran, since its start and its end may be heard of at once: it began no later than
 * that long ago. Of one that no node has begun there is nothing to say.
 */
export function measured(
  run: Pick<RunRecord, 'attempts' | 'claimedAt'>,
  now: Instant,
  duration: Duration,
): Measured | undefined {
  const last = run.attempts.at(-1);
  if (last === undefined || last.awaits !== undefined) return undefined;
  const startedAt = beganAt(run, Math.min(last.startedAt, now - duration));
  return { at: Math.max(now, startedAt), duration, startedAt };
}

/** Not before its claim or the end of the attempt before, whatever the clock of another node, or one that was set, says. */
export function beganAt(
  { attempts, claimedAt }: Pick<RunRecord, 'attempts' | 'claimedAt'>,
  at: Instant,
): Instant {
  return Math.max(Math.round(at), attempts.at(-2)?.finishedAt ?? claimedAt);
}
