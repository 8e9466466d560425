import type { AfterTrigger } from '../chain.ts';
import type { JobId } from '../model.ts';

const NONE: readonly JobId[] = [];

/** Who follows whom, at one moment. */
export class FollowGraph {
  readonly #followers = new Map<JobId, JobId[]>();
  readonly #depths = new Map<JobId, number>();

  constructor(triggers: ReadonlyMap<JobId, AfterTrigger>) {
    for (const [follower, { jobs }] of triggers) {
      for (const upstream of jobs) {
        const followers = this.#followers.get(upstream);
        if (followers === undefined) this.#followers.set(upstream, [follower]);
        else followers.push(follower);
      }
    }
    const open = new Map(Array.from(triggers, ([id, { jobs }]) => [id, jobs.length]));
    const done = [...this.#followers.keys()].filter((id) => !triggers.has(id));
    for (const id of done) {
      for (const follower of this.followersOf(id)) {
        const depth = Math.max(this.depthOf(follower), this.depthOf(id) + 1);
        this.#depths.set(follower, depth);
        const left = (open.get(follower) ?? 1) - 1;
        open.set(follower, left);
        if (left === 0) done.push(follower);
      }
    }
  }

  /** Those that follow the job itself. */
  followersOf(jobId: JobId): readonly JobId[] {
    return this.#followers.get(jobId) ?? NONE;
  }

  /** Links of the longest way from a job that follows nobody. */
  depthOf(jobId: JobId): number {
    return this.#depths.get(jobId) ?? 0;
  }
}
