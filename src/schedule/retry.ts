import type { Duration, Outcome, RetryCondition, RetryPolicy } from '../model.ts';

/** What follows an attempt, and why. */
export type NextAttempt =
  | { readonly kind: 'retry'; readonly delay: Duration }
  | { readonly kind: 'finish'; readonly reason: 'succeeded' | 'cancelled' | 'not_retryable' | 'exhausted' };

/**
 * Decides what follows attempt number `attempt` (from 1) that ended with `outcome`. `random` draws from [0, 1) and is
 * asked only where the policy has jitter.
 */
export function nextAttempt(
  policy: RetryPolicy,
  ended: { readonly attempt: number; readonly outcome: Outcome },
  random: () => number,
): NextAttempt {
  const { attempt, outcome } = ended;
  if (outcome.kind === 'succeeded' || outcome.kind === 'cancelled') {
    return { kind: 'finish', reason: outcome.kind };
  }
  if (policy.on !== undefined && !policy.on.some((condition) => matches(condition, outcome))) {
    return { kind: 'finish', reason: 'not_retryable' };
  }
  if (attempt > policy.limit) return { kind: 'finish', reason: 'exhausted' };
  const delay = backoff(policy, attempt);
  return { kind: 'retry', delay: policy.jitter ? Math.round(random() * delay) : delay };
}

/** The delay before the retry that follows attempt number `attempt`, before jitter. */
function backoff(policy: RetryPolicy, attempt: number): Duration {
  const factor = { constant: 1, linear: attempt, exponential: 2 ** Math.min(attempt - 1, 50) }[
    policy.backoff
  ];
  return Math.min(policy.delay * factor, Math.max(policy.maxDelay, 0));
}

function matches(condition: RetryCondition, outcome: Outcome): boolean {
  if (typeof condition === 'number')
    return outcome.kind === 'failed' && (outcome.exitCode ?? outcome.status) === condition;
  if (condition === outcome.kind) return true;
  return outcome.kind === 'killed' && outcome.signal === condition;
}
