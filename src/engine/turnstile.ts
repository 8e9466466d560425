import type { Duration, Instant, JobId, Waited } from '../model.ts';
import type { Alarm } from './alarm.ts';
import type { ArmedJob, InLine, TurnOf } from './job.ts';
import { Standing, type Wish } from './line.ts';
import { Pools, type Bounds, type Demand } from './pools.ts';
import type { Clock, EngineEvent } from './ports.ts';
import type { ActiveRun } from './run.ts';

type Run = ActiveRun<TurnOf>;

const NONE: readonly never[] = [];

/** Due before all others. */
const FIRST: Instant = Number.NEGATIVE_INFINITY;

/** Behind everybody. */
const LAST = { priority: Number.NEGATIVE_INFINITY, dueAt: Number.POSITIVE_INFINITY };

/** Who decides what becomes of those that limits let through, or do not. */
export interface TurnstileDesk {
  readonly clock: Clock;
  readonly alarm: Alarm;
  /** Nothing new starts any more. */
  readonly closing: boolean;
  emit(event: EngineEvent): void;
  /** Limits let it in: it is to be claimed within this call. */
  admitted(turn: TurnOf, waited: Waited | undefined): void;
  /** It waited longer than its misfire policy forgives. */
  tooLate(turn: TurnOf, limit: string): void;
  /** It waited as long as it may. */
  expired(place: InLine): void;
}

/** Between a slot that is to begin and its claim: limits that runs share let it through, or it waits in line. */
export class Turnstile {
  readonly pools: Pools;
  readonly #desk: TurnstileDesk;
  /** Runs that are claimed, and wait for their pool. */
  readonly #inLine = new Map<Run, Standing>();

  constructor(desk: TurnstileDesk, bounds: Bounds) {
    this.#desk = desk;
    this.pools = new Pools(bounds);
  }

  /** Lets a slot in, now or when it has its turn. `readyAt`: from when its longest wait counts, a wait below an earlier daemon included. */
  seek(turn: TurnOf, readyAt: Instant): void {
    const { definition } = turn.job;
    const { dueAt } = turn;
    const demands = this.pools.demandsOf(definition);
    const { priority } = definition.policy;
    if (this.pools.admits(demands, { priority, dueAt })) this.#desk.admitted(turn, undefined);
    else this.#line(turn, readyAt, demands);
  }

  /** Apart from `seek`: what closures need is made anew each time the function that has them begins. */
  #line(turn: TurnOf, readyAt: Instant, demands: readonly Demand[]): void {
    const { job, slot, dueAt } = turn;
    const { id: jobId, policy } = job.definition;
    const { priority, pool } = policy;
    const standing = new Standing(this.pools, this.#desk.alarm, {
      jobId,
      priority,
      dueAt,
      demands,
      since: this.#desk.clock.now(),
      patience: this.#patience(pool?.maxWait, readyAt),
      wait: (waited) => this.#waits(jobId, slot, waited),
      enter: (waited) => this.#enter(turn, waited),
      expire: () => this.#desk.expired({ turn, standing, readyAt }),
    });
    if (standing.limit !== undefined) job.inLine = [...job.inLine, { turn, standing, readyAt }];
  }

  /** Whether a run of the job could begin now with nobody in line for its limits, whatever their priority. */
  hasRoom({ definition }: ArmedJob): boolean {
    return this.pools.admits(this.pools.demandsOf(definition), LAST);
  }

  /** The job is another: what waits in line waits for what that one needs. */
  reline({ inLine }: ArmedJob): void {
    for (const place of inLine) {
      this.leave(place);
      this.seek(place.turn, place.readyAt);
    }
    this.settle();
  }

  /** Takes a slot out of its line; `settle` then. */
  leave({ turn, standing }: InLine): void {
    standing.leave();
    turn.job.inLine = turn.job.inLine.filter((entry) => entry.turn !== turn);
  }

  /** That a run of the job by hand would have to wait for its pool now. */
  waitByHand({ definition }: ArmedJob): Waited | undefined {
    const { priority, pool } = definition.policy;
    const limit = this.pools.blocker(this.pools.ofPool(pool), { priority, dueAt: FIRST });
    return limit?.awaited(this.#desk.clock.now());
  }

  /** Whether a part of a run that is to be claimed has to wait. */
  mustWait(run: Pick<Run, 'claim' | 'definition' | 'turn'>): boolean {
    const { demands, ...rank } = this.#wishOf(run);
    if (run.claim.cause === 'manual') return this.pools.blocker(demands, rank) !== undefined;
    return !this.pools.admits(demands, rank);
  }

  /** Has a run that is claimed wait: by hand for its pool, before all others of its priority; a part of a slot's run as slots do. `isTold`: whether others hear of it. */
  stand(run: Run, isTold = true): void {
    const { claim, definition } = run;
    const { pool } = definition.policy;
    const standing = new Standing(this.pools, this.#desk.alarm, {
      ...this.#wishOf(run),
      jobId: claim.jobId,
      // It stands there since its claim, maybe by an earlier daemon.
      since: claim.claimedAt,
      patience: this.#patience(pool?.maxWait, claim.claimedAt),
      wait: (waited) => {
        if (isTold) this.#waits(claim.jobId, claim.scheduledAt, waited);
      },
      enter: () => {
        this.#inLine.delete(run);
        this.take(run);
        run.letIn();
      },
      expire: (waited) => run.giveUp(waited),
    });
    if (standing.limit !== undefined) this.#inLine.set(run, standing);
  }

  /** What is left of the longest wait; all of it where the clock was set back. */
  #patience(maxWait: Duration | undefined, since: Instant): Duration | undefined {
    const waited = Math.max(this.#desk.clock.now() - since, 0);
    return maxWait === undefined ? undefined : Math.max(maxWait - waited, 0);
  }

  #wishOf({
    claim,
    definition,
    turn,
  }: Pick<Run, 'claim' | 'definition' | 'turn'>): Pick<Wish, 'priority' | 'dueAt' | 'demands'> {
    const { priority } = definition.policy;
    if (claim.cause === 'manual') return { priority, dueAt: FIRST, demands: this.pools.ofPool(claim.pool) };
    return { priority, dueAt: turn.dueAt, demands: this.pools.demandsOf(definition, claim.pool) };
  }

  /** Gives a run what it needs of its limits, whether or not there is room. */
  take(run: Run): void {
    run.holds = this.pools.demandsOf(run.definition, run.claim.pool);
    this.pools.take(run, run.holds);
  }

  /** Takes it back, or out of its line; `settle` then. Doing it twice changes nothing. */
  release(run: Run): void {
    this.#inLine.get(run)?.leave();
    this.#inLine.delete(run);
    this.pools.release(run, run.holds);
    run.holds = NONE;
  }

  /** Lets in who can be let in. While stopping that is nobody. */
  settle(): void {
    if (!this.#desk.closing) this.pools.settle();
  }

  /** Who has waited longer than its grace has misfired. */
  #enter(turn: TurnOf, waited: Waited | undefined): void {
    const { job, dueAt } = turn;
    job.inLine = job.inLine.filter((entry) => entry.turn !== turn);
    const { grace = Number.POSITIVE_INFINITY } = job.definition.policy.misfire;
    const isLate = waited !== undefined && this.#desk.clock.now() - dueAt > grace;
    if (isLate) this.#desk.tooLate(turn, waited.limit);
    else this.#desk.admitted(turn, waited);
  }

  #waits(jobId: JobId, scheduledAt: Instant, { limit, heldBy }: Waited): void {
    this.#desk.emit({ kind: 'run_waiting', jobId, scheduledAt, reason: 'limit', limit, heldBy });
  }
}
