import { joinKey, type Join } from '../join.ts';
import type { AfterTrigger } from '../chain.ts';
import type { Instant, JobDefinition, JobId, RunRecord, SkipRecord, Upstream } from '../model.ts';
import { isAllowed } from '../schedule/calendar.ts';
import { afterOf, follow, type Standing } from '../schedule/follow.ts';
import { isStillWanted } from '../schedule/resume.ts';
import { ArmedJob, type SlotDesk, type TurnOf } from './job.ts';
import { orphan } from './orphan.ts';
import type { Store } from './ports.ts';
import { bare, upstreamOf } from './upstream.ts';

/** Slots of a follower that stay known once they are decided: what it follows may be repeated by hand, and end otherwise. */
const KEPT = 20;
const NONE: readonly never[] = [];

/** Who acts on what is decided here. */
export interface FollowerDesk extends SlotDesk {
  readonly store: Store;
  readonly closing: boolean;
  readonly jobs: ReadonlyMap<JobId, ArmedJob>;
  commit(): void;
  /** Records that slots of a follower become no runs. */
  skip(job: ArmedJob, stretch: Pick<SkipRecord, 'scheduledAt' | 'through' | 'count' | 'reason'>): void;
}

/**
 * The jobs that follow others. What becomes of a follower's slot is decided in the very turn of the loop in which the end of what it
 * follows is recorded, and goes into the same batch of the store: after a crash both are there, or neither, and it happens again with
 * the recovery of that run.
 *
 * A join is what is known of one slot: it grows with each end until `follow` decides. All joins that an end belongs to are opened before
 * one of them is decided over, so that whoever joins a short way and a long one sees that the long one has begun.
 */
export class Followers {
  readonly #desk: FollowerDesk;
  readonly #triggers = new Map<JobId, AfterTrigger>();
  readonly #joins = new Map<JobId, Map<Instant, Join>>();
  /** To be recorded with the decisions of this turn. */
  #changed = new Map<string, Join>();
  /** Slots to be decided over. */
  #agenda: Pick<Join, 'jobId' | 'scheduledAt'>[] = [];
  #isDeciding = false;
  #isLoading = true;
  /** By whom they follow; made when it is first asked for. */
  #followers: Map<JobId, JobId[]> | undefined;

  constructor(desk: FollowerDesk) {
    this.#desk = desk;
  }

  /** A job was loaded, or loaded anew. */
  set({ id, enabled, schedule }: JobDefinition): void {
    const trigger = enabled ? afterOf(schedule) : undefined;
    if (trigger === undefined) return this.delete(id);
    this.#triggers.set(id, trigger);
    this.#followers = undefined;
  }

  delete(jobId: JobId): void {
    if (this.#triggers.delete(jobId)) this.#followers = undefined;
  }

  /** Takes up what an earlier daemon knew; before any run of it is taken up. */
  load(joins: readonly Join[]): void {
    for (const join of joins) this.#joinsOf(join.jobId).set(join.scheduledAt, join);
  }

  /** While a set of jobs is being loaded, nobody can say of a job that it has no run to come. */
  get isLoading(): boolean {
    return this.#isLoading;
  }

  /** A set of jobs is about to change. */
  loading(): void {
    this.#isLoading = true;
  }

  /** All jobs have their places: what waited for them is decided. */
  loaded(): void {
    this.#isLoading = false;
    for (const [jobId, joins] of this.#joins) {
      const isFollower = this.#triggers.has(jobId);
      for (const join of joins.values()) {
        if (!isFollower) this.#abandon(join);
        else if (join.state === 'open') this.#plan(join);
        else if (join.state === 'due') this.#offerAgain(join);
      }
    }
    this.#decideAll();
    this.#desk.commit();
  }

  /** Whether anybody follows the job. */
  isFollowed(jobId: JobId): boolean {
    return this.#triggers.size > 0 && this.#followersOf(jobId).length > 0;
  }

  /** A run is over, and its end is recorded in this turn of the loop. */
  ended(run: RunRecord): void {
    const end = upstreamOf(run);
    if (end !== undefined && this.isFollowed(run.jobId)) this.#note(run.scheduledAt, end);
  }

  /** Slots became no runs. */
  skipped({ jobId, scheduledAt, through, count, reason }: SkipRecord): void {
    // That one has a run.
    if (reason === 'claimed_elsewhere' || !this.isFollowed(jobId)) return;
    if (through === scheduledAt) return this.#note(scheduledAt, { jobId, outcome: 'skipped' });
    for (const follower of this.#followersOf(jobId)) {
      const job = this.#desk.jobs.get(follower);
      const isAlone = this.#triggers.get(follower)?.jobs.length === 1;
      const stretch = { scheduledAt, through, ...(count === undefined ? {} : { count }) };
      if (isAlone && job !== undefined) this.#desk.skip(job, { ...stretch, reason: 'dependency' });
      // Where it follows others too, slots that nothing ran of need no word; of those that something did, it knows.
      for (const join of this.#joins.get(follower)?.values() ?? [])
        if (join.scheduledAt >= scheduledAt && join.scheduledAt <= through) this.#plan(join);
    }
    this.#decideAll();
  }

  /** A turn that came from here has its run, or was skipped for a reason of the follower's own. */
  settled({ job, slot }: Pick<TurnOf, 'job' | 'slot'>): void {
    const join = this.#joins.get(job.definition.id)?.get(slot);
    // Its run has the results; nobody asks here again.
    if (join !== undefined) this.#decided({ ...join, state: 'decided', upstream: join.upstream.map(bare) });
  }

  /** What is to be recorded with the decisions of this turn. */
  takeChanges(): readonly Join[] {
    if (this.#changed.size === 0) return NONE;
    const changed = [...this.#changed.values()];
    this.#changed = new Map();
    return changed;
  }

  #followersOf(jobId: JobId): readonly JobId[] {
    this.#followers ??= this.#linked();
    return this.#followers.get(jobId) ?? NONE;
  }

  #linked(): Map<JobId, JobId[]> {
    const linked = new Map<JobId, JobId[]>();
    for (const [follower, { jobs }] of this.#triggers) {
      for (const upstream of jobs) {
        const followers = linked.get(upstream);
        if (followers === undefined) linked.set(upstream, [follower]);
        else followers.push(follower);
      }
    }
    return linked;
  }

  #note(scheduledAt: Instant, upstream: Upstream): void {
    const { jobId } = upstream;
    for (const follower of this.#followersOf(jobId)) {
      const at = this.#desk.now();
      const known = this.#joins.get(follower)?.get(scheduledAt) ?? {
        jobId: follower,
        scheduledAt,
        state: 'open',
        upstream: [],
        at,
      };
      if (known.state !== 'open' && known.state !== 'skipped') continue;
      const others = known.upstream.filter((other) => other.jobId !== jobId);
      const join: Join = { ...known, upstream: [...others, upstream] };
      this.#change(join);
      this.#plan(join);
    }
    this.#decideAll();
  }

  #plan(join: Join): void {
    this.#agenda.push(join);
  }

  /** What is decided here may be the end of a slot that others follow; that is then decided over too. */
  #decideAll(): void {
    if (this.#isDeciding) return;
    this.#isDeciding = true;
    try {
      while (this.#agenda.length > 0) {
        const agenda = this.#agenda;
        this.#agenda = [];
        for (const next of agenda) this.#decide(next);
      }
    } finally {
      this.#isDeciding = false;
    }
  }

  #decide({ jobId, scheduledAt }: Pick<Join, 'jobId' | 'scheduledAt'>): void {
    const join = this.#joins.get(jobId)?.get(scheduledAt);
    const trigger = this.#triggers.get(jobId);
    const job = this.#desk.jobs.get(jobId);
    if (join === undefined || trigger === undefined || job === undefined) return;
    if (join.state !== 'open' && join.state !== 'skipped') return;
    const verdict = follow(trigger, (upstream) => this.#standing(upstream, join));
    if (verdict.kind === 'start') {
      if (isAllowed(job.definition.schedule, scheduledAt)) return this.#start(job, join);
      this.#decided({ ...join, state: 'decided' });
      return this.#desk.skip(job, { scheduledAt, through: scheduledAt, count: 1, reason: 'excluded' });
    }
    if (verdict.kind !== 'skip' || join.state === 'skipped') return;
    this.#decided({ ...join, state: 'skipped' });
    this.#desk.skip(job, { scheduledAt, through: scheduledAt, count: 1, reason: 'dependency' });
  }

  #start(job: ArmedJob, join: Join): void {
    const { store, closing } = this.#desk;
    const at = this.#desk.now();
    this.#change({ ...join, state: 'due', at });
    // The next daemon goes on with it.
    if (closing && store.durable) return;
    this.#offer(job, { ...join, at });
  }

  #offer(job: ArmedJob, { scheduledAt, upstream, at }: Join): void {
    this.#desk.offer({ job, slot: scheduledAt, dueAt: at, caughtUp: false, upstream });
  }

  /** It was due under an earlier daemon, and still waited for its turn. */
  #offerAgain(join: Join): void {
    const { jobId, scheduledAt, at } = join;
    const job = this.#desk.jobs.get(jobId);
    if (job === undefined || job.awaits(scheduledAt)) return;
    if (isStillWanted(job.definition.policy.misfire, Math.max(this.#desk.now() - at, 0)))
      return this.#offer(job, join);
    this.settled({ job, slot: scheduledAt });
    this.#desk.skip(job, { scheduledAt, through: scheduledAt, count: 1, reason: 'misfire' });
  }

  /** Its job left the file, is disabled, or follows nobody any more. */
  #abandon(join: Join): void {
    const { jobId, scheduledAt, state } = join;
    this.#forget(join);
    if (state !== 'open' && state !== 'due') return;
    const job = this.#desk.jobs.get(jobId) ?? new ArmedJob(orphan(jobId), this.#desk);
    this.#desk.skip(job, { scheduledAt, through: scheduledAt, count: 1, reason: 'removed' });
  }

  #standing(jobId: JobId, { upstream, scheduledAt }: Join): Standing {
    const known = upstream.find((each) => each.jobId === jobId);
    if (known !== undefined) return known.outcome;
    return this.#isLoading || this.#isToCome(jobId, scheduledAt) ? 'pending' : 'absent';
  }

  /** Whether the job, or what it follows in its turn, has a run that was due by then and is not over. */
  isDueBy(jobId: JobId, slot: Instant): boolean {
    const isOpen = ({ state, scheduledAt }: Join): boolean =>
      (state === 'open' || state === 'due') && scheduledAt <= slot;
    return this.#isAny(
      jobId,
      (id) =>
        this.#desk.jobs.get(id)?.isDueBy(slot) === true ||
        [...(this.#joins.get(id)?.values() ?? [])].some(isOpen),
    );
  }

  /** Whether the job, or what it follows in its turn, has a run of that time that is not over. */
  #isToCome(jobId: JobId, slot: Instant): boolean {
    return this.#isAny(jobId, (id) => {
      const state = this.#joins.get(id)?.get(slot)?.state;
      return state === 'open' || state === 'due' || this.#desk.jobs.get(id)?.awaits(slot) === true;
    });
  }

  #isAny(jobId: JobId, holds: (jobId: JobId) => boolean): boolean {
    const seen = new Set([jobId]);
    for (const id of seen) {
      if (holds(id)) return true;
      for (const upstream of this.#triggers.get(id)?.jobs ?? []) seen.add(upstream);
    }
    return false;
  }

  #decided(join: Join): void {
    this.#change(join);
    const joins = this.#joinsOf(join.jobId);
    for (const old of joins.values()) {
      if (joins.size <= KEPT) return;
      if (old.state === 'skipped' || old.state === 'decided') this.#forget(old);
    }
  }

  #change(join: Join): void {
    this.#joinsOf(join.jobId).set(join.scheduledAt, join);
    this.#changed.set(joinKey(join), join);
  }

  #forget(join: Join): void {
    const joins = this.#joinsOf(join.jobId);
    joins.delete(join.scheduledAt);
    if (joins.size === 0) this.#joins.delete(join.jobId);
    this.#changed.set(joinKey(join), { ...join, upstream: NONE, state: 'over' });
  }

  #joinsOf(jobId: JobId): Map<Instant, Join> {
    const joins = this.#joins.get(jobId) ?? new Map<Instant, Join>();
    this.#joins.set(jobId, joins);
    return joins;
  }
}
