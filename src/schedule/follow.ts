import type { AfterTrigger } from '../chain.ts';
import type { JobId, Outcome, Upstream } from '../model.ts';

/**
 * What is known of a job at one scheduled time.
 * pending  it has a run then that is not over, or will have one
 * absent   it has none then, and will have none
 */
export type Standing = Upstream['outcome'] | 'pending' | 'absent';

/** What becomes of a slot of a job that follows others. */
export type Following =
  | { readonly kind: 'start' }
  /** These are not over yet. */
  | { readonly kind: 'wait'; readonly for: readonly JobId[] }
  /** These did not end as it wants, and no other can make up for it. */
  | { readonly kind: 'skip'; readonly because: readonly JobId[] };

/** Decides over a slot of a follower, by what is known at this instant of each job that it follows. */
export function follow(trigger: AfterTrigger, standing: (jobId: JobId) => Standing): Following {
  const { jobs, on, when } = trigger;
  const known = jobs.map((jobId) => ({ jobId, is: standing(jobId) }));
  const pending = known.filter(({ is }) => is === 'pending').map(({ jobId }) => jobId);
  const good = known.filter(({ is }) => meets(on, is));
  const bad = known.filter(({ is }) => is !== 'pending' && !meets(on, is)).map(({ jobId }) => jobId);
  if (when === 'any') {
    if (good.length > 0) return { kind: 'start' };
    return pending.length > 0 ? { kind: 'wait', for: pending } : { kind: 'skip', because: bad };
  }
  // One that was skipped has come to its end too; but where nothing ran, there is nothing to follow.
  const isLost = on === 'finish' ? good.length + pending.length === 0 : bad.length > 0;
  if (isLost) return { kind: 'skip', because: bad };
  return pending.length > 0 ? { kind: 'wait', for: pending } : { kind: 'start' };
}

/** Whether this end is one that the follower wants. What was skipped, or cancelled, neither succeeded nor failed. */
export function meets(on: AfterTrigger['on'], is: Standing): boolean {
  if (is === 'pending' || is === 'absent' || is === 'skipped') return false;
  return (
    on === 'finish' ||
    ((on === 'success') === (is === ('succeeded' satisfies Outcome['kind'])) && is !== 'cancelled')
  );
}

/** The rule by which a job follows others, if it does. */
export function afterOf(schedule: {
  readonly triggers: readonly { readonly kind: string }[];
}): AfterTrigger | undefined {
  return schedule.triggers.find((trigger): trigger is AfterTrigger => trigger.kind === 'after');
}
