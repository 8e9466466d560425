/** What is known of the slots of jobs that follow others, in words like those of model.ts. */
import type { Instant, JobId, Upstream } from './model.ts';

/**
 * What a slot of a follower has come to, so that a daemon after this one can go on with it.
 * open      not all that it follows is over yet
 * due       it may start, and waits for its turn
 * skipped   it was skipped, but may start after all when what it follows is repeated with another end
 * decided   it has its run, or was skipped for a reason of its own
 * over      nothing of it need be known any more
 */
export type JoinState = 'open' | 'due' | 'skipped' | 'decided' | 'over';

/** A slot of a follower: how far the runs of that scheduled time are that it follows. */
export interface Join {
  readonly jobId: JobId;
  readonly scheduledAt: Instant;
  readonly state: JoinState;
  /** Of each job that it follows and that is over: how it ended. */
  readonly upstream: readonly Upstream[];
  /** When it came to this. */
  readonly at: Instant;
}

/** One join for each: the newest wins. */
export function joinKey({ jobId, scheduledAt }: Pick<Join, 'jobId' | 'scheduledAt'>): string {
  return `${scheduledAt} ${jobId}`;
}
