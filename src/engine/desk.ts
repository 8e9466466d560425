import type {
  Cause,
  Instant,
  JobDefinition,
  JobId,
  Outcome,
  RunId,
  RunRecord,
  SkipReason,
  SkipRecord,
  Waited,
} from '../model.ts';
import type { ReplayId } from '../replay.ts';
import { admit } from '../schedule/admit.ts';
import type { TriggerFault } from '../schedule/plan.ts';
import type { Stretch } from '../schedule/trigger.ts';
import { Abandonment } from './abandonment.ts';
import { Alarm } from './alarm.ts';
import type { AnyRun } from './any-run.ts';
import { causeOf, claimOf, isBacklog, shardsOf, type ClaimedHow } from './claim.ts';
import { Cohorts } from './cohort.ts';
import { Decisions, type DecisionsAround } from './decisions.ts';
import { Followers, type FollowerDesk } from './followers.ts';
import type { ArmedJob, ByHand, InLine, TurnOf } from './job.ts';
import type { AttemptReport, Clock, EngineEvent, EnginePorts, Executor, Store } from './ports.ts';
import { Needs, type NeedDesk } from './needs.ts';
import type { Bounds } from './pools.ts';
import { Replays, type ReplayDesk } from './replays.ts';
import { RunList } from './run-list.ts';
import { NO_EXECUTOR, NO_STORE } from './severed.ts';
import type { RunSurroundings } from './run-surroundings.ts';
import { RunGroup, runOfClaim, runOfEarlier } from './run-group.ts';
import { ActiveRun } from './run.ts';
import { Turnstile, type TurnstileDesk } from './turnstile.ts';

type Run = AnyRun<TurnOf>;

const AS_EVER: ClaimedHow = {};

/**
 * Decides what becomes of each slot whose turn has come: starts it, lets it wait, or skips it with a reason. All claims
 * and skips of one tick reach the store in one call.
 */
export class Desk
  implements
    FollowerDesk,
    NeedDesk,
    ReplayDesk,
    RunSurroundings<ActiveRun<TurnOf>>,
    DecisionsAround,
    TurnstileDesk
{
  readonly clock: Clock;
  readonly alarm: Alarm;
  readonly cohorts: Cohorts;
  executor: Executor;
  store: Store;
  readonly random: () => number;
  readonly turnstile: Turnstile;
  /** Every run that is claimed and not finished. */
  readonly runs = new RunList<Run>();
  /** All that are known, loaded or with a run that is not over; the engine's. */
  jobs: ReadonlyMap<JobId, ArmedJob> = new Map();
  readonly followers = new Followers(this);
  readonly needs = new Needs(this);
  readonly replays = new Replays(this, (id) => this.jobs.get(id));
  /** Set once: from then on nothing new starts. */
  closing = false;
  readonly abandonment = new Abandonment();
  /** The clock was set by this much more than time passed; the engine re-arms what needs it. */
  onStep: (by: number) => void = () => undefined;
  /** A run ended; the engine may be waiting for the last one. */
  onReleased: () => void = () => undefined;
  readonly #ports: EnginePorts;
  readonly #decisions: Decisions;

  constructor(ports: EnginePorts, bounds: Bounds) {
    this.#ports = ports;
    this.turnstile = new Turnstile(this, bounds);
    this.clock = ports.clock;
    this.executor = ports.executor;
    this.store = ports.store;
    this.random = ports.random;
    this.#decisions = new Decisions(this);
    this.alarm = new Alarm(ports.clock, {
      stepped: (by) => this.onStep(by),
      rung: () => {
        this.commit();
        ports.supervisor?.rung();
      },
      every: ports.supervisor?.every,
    });
    this.cohorts = new Cohorts(this.alarm);
  }

  emit(event: EngineEvent): void {
    if (!this.abandonment.isOver) this.#ports.observer.observe(event);
  }

  /** Lets go of the world at once, in the middle of whatever it does. */
  abandon(): void {
    this.abandonment.begin();
    this.closing = true;
    this.alarm.stop();
    this.store = NO_STORE;
    this.executor = NO_EXECUTOR;
    this.#decisions.abandon();
    for (const run of this.runs.values()) run.abandon();
    this.runs.clear();
  }

  now(): Instant {
    return this.#decisions.now();
  }

  offer(turn: TurnOf): void {
    const { job } = turn;
    if (this.closing) return this.#skip(turn, 'shutdown');
    const paused = job.pause !== undefined && job.isPaused(this.clock.now());
    if (!paused && !job.isBusy) return this.begin(turn, turn.dueAt);
    const occupancy = { active: job.begun, waiting: job.waiting.length, paused };
    const admission = admit(job.definition.policy, occupancy);
    // Slots caught up together do not crowd each other out: they wait for their turn.
    if (isBacklog(turn) && admission.kind !== 'start' && !paused) {
      job.waiting = [...job.waiting, turn];
      return;
    }
    // What is replayed is in no slot's way for good: those go on as soon as it is over, before the rest of it.
    const replayed = job.active.filter(({ claim }) => claim.replay !== undefined).length;
    if (replayed > 0 && admission.kind !== 'start' && !paused) {
      const others = { ...occupancy, active: occupancy.active - replayed, waiting: 0 };
      if (admit(job.definition.policy, others).kind === 'start') return this.#wait(turn);
    }
    switch (admission.kind) {
      case 'start':
        return this.begin(turn, turn.dueAt);
      case 'wait':
        return this.#wait(turn);
      case 'replace':
        return this.#replace(turn);
      case 'skip':
        return this.#skip(turn, admission.reason);
    }
  }

  passed(job: ArmedJob, stretches: readonly Stretch[], reason: 'misfire' | 'excluded'): void {
    for (const { from, through, count } of stretches)
      this.skip(job, { scheduledAt: from, through, ...(count !== undefined && { count }), reason });
  }

  dropped(job: ArmedJob, slot: Instant): void {
    this.#skip({ job, slot }, this.closing ? 'shutdown' : 'removed');
  }

  faulted(job: ArmedJob, fault: TriggerFault): void {
    this.emit({ kind: 'job_disabled', jobId: job.definition.id, message: fault.message });
  }

  skip(job: ArmedJob, stretch: Pick<SkipRecord, 'scheduledAt' | 'through' | 'count' | 'reason'>): void {
    this.#record(job, { jobId: job.definition.id, ...stretch, at: this.now() });
  }

  /**
   * Starts a run that no slot asked for. It passes by overlap and the daemon's bounds: somebody wants it now. Its pool it waits for,
   * before all others of its priority: who wrote that two jobs exclude each other meant this too.
   */
  runNow(job: ArmedJob, { scheduledAt, ...given }: ByHand): Run {
    const now = this.clock.now();
    const turn = { job, slot: scheduledAt ?? now, dueAt: now, caughtUp: false, ...given };
    // The parts of a run wait each for itself.
    const waited = shardsOf(turn) === undefined ? this.turnstile.waitByHand(job) : undefined;
    const run = this.#claim(turn, 'manual', { waited, isWaiting: waited !== undefined });
    if (waited !== undefined && run instanceof ActiveRun) this.turnstile.stand(run);
    return run;
  }

  newId(at: Instant): RunId {
    return this.#ports.newRunId(at);
  }

  hasRoom(job: ArmedJob): boolean {
    return this.turnstile.hasRoom(job);
  }

  startReplayed(job: ArmedJob, slot: Instant, replay: ReplayId): void {
    this.#claim({ job, slot, dueAt: this.now(), caughtUp: false, replay }, 'replay');
    // Not with the rest of the turn: how far the replay is may be recorded before that.
    this.commit();
  }

  /** Takes up a run that an earlier daemon left. It passes by overlap and limits, but counts for them. */
  takeUp(job: ArmedJob, record: RunRecord): Promise<void> {
    const run = runOfEarlier(this, job, record);
    this.runs.add(run);
    job.active = [...job.active, run];
    if (run instanceof RunGroup) return run.takeUp(record);
    if (record.state !== 'waiting') this.turnstile.take(run);
    const takenUp = run.takeUp(record);
    if (run.state === 'waiting') this.turnstile.stand(run);
    return takenUp;
  }

  /** Gives up every slot of the job that waits for its turn. */
  forget(job: ArmedJob, reason: SkipReason): void {
    const { waiting, inLine, held } = job;
    job.waiting = [];
    for (const turn of waiting) this.#giveUp(turn, reason);
    for (const place of inLine) this.#leaveLine(place, reason);
    this.turnstile.settle();
    if (reason === 'shutdown' && this.store.durable) return; // the next daemon comes to them again
    for (const turn of held) if (this.needs.release(turn)) this.#skip(turn, reason);
  }

  reported(run: ActiveRun<TurnOf>, attempt: number, report: AttemptReport): void {
    this.#decisions.report(run, attempt, report);
  }

  storeFailed(error: unknown): void {
    this.emit({ kind: 'store_failed', message: error instanceof Error ? error.message : String(error) });
  }

  released(run: Run): void {
    const { job } = run.turn;
    this.runs.delete(run);
    job.active = job.active.filter((other) => other !== run);
    if (run instanceof ActiveRun) this.turnstile.release(run);
    this.#passOn(run);
    // Left to the next daemon, it is not over.
    if (run.state === 'finished' && run.claim.replay !== undefined) this.replays.ended(run.record);
    this.#promote(job);
    this.turnstile.settle();
    this.replays.advance();
    this.onReleased();
  }

  /** A set of jobs is about to change. */
  loading(definitions: readonly JobDefinition[]): Promise<void> {
    this.followers.loading();
    return this.needs.learn(definitions);
  }

  /** All jobs of a set have their places: what others wait for can be told, and limits let in the best of what was missed. */
  loaded(): void {
    this.needs.stirAll();
    this.followers.loaded();
    this.turnstile.pools.resume();
  }

  left(): void {
    this.onReleased();
  }

  /** Its end was recorded just now; what follows from it is to be in the same batch, whatever becomes of this daemon. */
  #passOn(run: Run): void {
    const { jobId, replay } = run.claim;
    if (!this.followers.isFollowed(jobId) && !this.needs.isNeeded(jobId)) return;
    this.needs.ended(run.record);
    // A replay is of one job: those that follow it are replayed by themselves.
    if (replay === undefined) this.followers.ended(run.record);
    this.commit();
  }

  /**
   * A slot that its job's policies let begin: unless it must wait for jobs it needs, or for a place, it is claimed. `readyAt`: since when
   * nothing but a place is wanting; what has waited for nothing else was ready when it was due, be that before this daemon.
   */
  begin(turn: TurnOf, readyAt = this.now()): void {
    if (this.needs.holds(turn)) return;
    if (shardsOf(turn) === undefined) this.turnstile.seek(turn, readyAt);
    else this.admitted(turn, undefined);
  }

  admitted(turn: TurnOf, waited: Waited | undefined): void {
    this.#claim(turn, causeOf(turn), waited && { waited });
  }

  tooLate(turn: TurnOf, limit: string): void {
    this.#skip(turn, 'misfire', limit);
    this.#promote(turn.job);
  }

  expired(place: InLine): void {
    this.#leaveLine(place, 'limit');
    this.#promote(place.turn.job);
    this.turnstile.settle();
    this.replays.advance();
  }

  /** The slot waits for a run of its job to end; the one that waited before gives way, unless it is being caught up. */
  #wait(turn: TurnOf): void {
    const { job, slot } = turn;
    const older = job.waiting.filter((waiting) => !isBacklog(waiting));
    job.waiting = [...job.waiting.filter(isBacklog), turn];
    for (const displaced of older) this.#skip(displaced, 'overlap');
    this.emit({ kind: 'run_waiting', jobId: job.definition.id, scheduledAt: slot, reason: 'overlap' });
  }

  #replace(turn: TurnOf): void {
    const { job } = turn;
    this.#wait(turn);
    for (const place of job.inLine) this.#leaveLine(place, 'overlap');
    for (const held of job.held) if (this.needs.release(held)) this.#skip(held, 'overlap');
    for (const run of job.active) run.cancel('replaced');
    this.#promote(job);
    this.turnstile.settle();
  }

  /** Lets the next slots that waited for runs of their own job have their turn, as far as there is room. */
  #promote(job: ArmedJob): void {
    const { overlap, maxInstances } = job.definition.policy;
    const room = overlap === 'allow' ? maxInstances : 1;
    while (job.waiting.length > 0 && job.begun < room) {
      const [turn, ...rest] = job.waiting;
      job.waiting = rest;
      if (turn !== undefined) this.begin(turn);
    }
  }

  #leaveLine(place: InLine, reason: SkipReason): void {
    const { limit } = place.standing.waited ?? {};
    this.turnstile.leave(place);
    this.#giveUp(place.turn, reason, reason === 'limit' ? limit : undefined);
  }

  /** What follows others is known to the next daemon, though nothing is claimed. */
  #giveUp(turn: TurnOf, reason: SkipReason, detail?: string): void {
    const isLeft = reason === 'shutdown' && turn.upstream !== undefined && this.store.durable;
    if (!isLeft) this.#skip(turn, reason, detail);
  }

  unmet(turn: TurnOf, failed: Outcome | undefined): void {
    if (failed === undefined) this.#skip(turn, 'dependency');
    else this.#claim(turn, causeOf(turn), { refusal: failed });
    this.#promote(turn.job);
  }

  #claim(turn: TurnOf, cause: Cause, { refusal, waited, isWaiting }: ClaimedHow = AS_EVER): Run {
    const { job } = turn;
    const { definition } = job;
    const now = this.now();
    const upstream = turn.upstream ?? turn.needed ?? (definition.needs && this.needs.met(turn));
    const id = this.#ports.newRunId(now);
    const claim = claimOf(turn, { id, cause, now, upstream, refusal, isWaiting, waited });
    const run = runOfClaim(this, { turn, definition, claim, refusal });
    if (cause === 'dependency') this.followers.settled(turn);
    if (run instanceof ActiveRun && refusal === undefined && isWaiting !== true) this.turnstile.take(run);
    this.runs.add(run);
    job.active = job.active.length === 0 ? [run] : [...job.active, run];
    this.#decisions.claim(run);
    return run;
  }

  #skip(
    { job, slot, upstream }: Pick<TurnOf, 'job' | 'slot' | 'upstream'>,
    reason: SkipReason,
    detail?: string,
  ): void {
    if (upstream !== undefined) this.followers.settled({ job, slot });
    this.#record(job, {
      jobId: job.definition.id,
      scheduledAt: slot,
      through: slot,
      count: 1,
      reason,
      ...(detail !== undefined && { detail }),
      at: this.now(),
    });
  }

  #record(job: ArmedJob, skip: SkipRecord): void {
    this.#decisions.skip(job, skip);
    this.needs.stir(skip.jobId);
    this.followers.skipped(skip);
  }

  /** Hands all decisions of this turn of the loop to the store. */
  commit(): void {
    this.#decisions.commit();
  }

  /** What follows from the decisions of this turn is decided with them. */
  beforeCommit(): void {
    this.needs.settle();
    const joins = this.followers.takeChanges();
    if (joins.length > 0) this.store.join(joins).catch((error: unknown) => this.storeFailed(error));
  }

  lost({ claim, turn }: Run): void {
    const { cause } = claim;
    // A follower's slot comes again when what it follows is repeated; that of a replay is none of the job's.
    if (cause !== 'dependency' && cause !== 'replay') this.#skip(turn, 'claimed_elsewhere');
  }
}
