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
} from '../model.ts';
import { admit } from '../schedule/admit.ts';
import { DueQueue } from '../schedule/due-queue.ts';
import type { TriggerFault } from '../schedule/plan.ts';
import type { Stretch } from '../schedule/trigger.ts';
import { Alarm } from './alarm.ts';
import { causeOf, claimAgain, claimOf, isBacklog } from './claim.ts';
import { Cohorts } from './cohort.ts';
import { Followers, type FollowerDesk } from './followers.ts';
import type { ArmedJob, ByHand, InLine, TurnOf } from './job.ts';
import type { AttemptReport, Clock, EngineEvent, Executor, Observer, Store, Supervisor } from './ports.ts';
import { Needs, type NeedDesk } from './needs.ts';
import { RunList } from './run-list.ts';
import { ActiveRun, type RunSurroundings } from './run.ts';

/** What the engine is made of; app.ts supplies the real ones. */
export interface EnginePorts {
  readonly clock: Clock;
  readonly executor: Executor;
  readonly store: Store;
  readonly observer: Observer;
  /** A new UUIDv7 of that moment. */
  readonly newRunId: (at: Instant) => RunId;
  /** Draws from [0, 1). */
  readonly random: () => number;
  readonly supervisor?: Supervisor | undefined;
}

type Run = ActiveRun<TurnOf>;

/**
 * Decides what becomes of each slot whose turn has come: starts it, lets it wait, or skips it with a reason. All claims
 * and skips of one tick reach the store in one call. Holds the bound on runs of the whole daemon.
 */
export class Desk implements FollowerDesk, NeedDesk, RunSurroundings<TurnOf> {
  readonly clock: Clock;
  readonly alarm: Alarm;
  readonly cohorts: Cohorts;
  readonly executor: Executor;
  readonly store: Store;
  readonly random: () => number;
  /** Every run that is claimed and not finished. */
  readonly runs = new RunList<Run>();
  /** All that are known, loaded or with a run that is not over; the engine's. */
  jobs: ReadonlyMap<JobId, ArmedJob> = new Map();
  readonly followers = new Followers(this);
  readonly needs = new Needs(this);
  /** Set once: from then on nothing new starts. */
  closing = false;
  /** The clock was set by this much more than time passed; the engine re-arms what needs it. */
  onStep: (by: number) => void = () => undefined;
  /** A run ended; the engine may be waiting for the last one. */
  onReleased: () => void = () => undefined;
  readonly #ports: EnginePorts;
  readonly #maxRuns: number;
  /** Slots waiting for a place among all runs: higher priority first, then the earlier due. */
  readonly #line = new DueQueue<TurnOf>();
  #claims: Run[] = [];
  #skips: { readonly job: ArmedJob; readonly skip: SkipRecord }[] = [];
  #committing = false;
  /** The moment of the decisions that wait to be committed. */
  #decidedAt: Instant | undefined;
  #reports: { readonly run: Run; readonly attempt: number; readonly report: AttemptReport }[] = [];

  constructor(ports: EnginePorts, maxConcurrentRuns: number) {
    this.#ports = ports;
    this.#maxRuns = maxConcurrentRuns;
    this.clock = ports.clock;
    this.executor = ports.executor;
    this.store = ports.store;
    this.random = ports.random;
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
    this.#ports.observer.observe(event);
  }

  now(): Instant {
    this.#decidedAt ??= this.clock.now();
    return this.#decidedAt;
  }

  offer(turn: TurnOf): void {
    const { job } = turn;
    if (this.closing) return this.#skip(turn, 'shutdown');
    const paused = job.isPaused(this.clock.now());
    if (!paused && !job.isBusy) return this.begin(turn);
    const occupancy = { active: job.begun, waiting: job.waiting.length, paused };
    const admission = admit(job.definition.policy, occupancy);
    // Slots caught up together do not crowd each other out: they wait for their turn.
    if (isBacklog(turn) && admission.kind !== 'start' && !paused) {
      job.waiting = [...job.waiting, turn];
      return;
    }
    switch (admission.kind) {
      case 'start':
        return this.begin(turn);
      case 'wait':
        return this.#wait(turn);
      case 'replace':
        return this.#replace(turn);
      case 'skip':
        return this.#skip(turn, admission.reason);
    }
  }

  passed(job: ArmedJob, stretches: readonly Stretch[], reason: 'misfire' | 'excluded'): void {
    const at = this.clock.now();
    for (const { from, through, count } of stretches) {
      this.#record(job, {
        jobId: job.definition.id,
        scheduledAt: from,
        through,
        ...(count === undefined ? {} : { count }),
        reason,
        at,
      });
    }
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

  /** Starts a run that no slot asked for. It passes by overlap and limits: somebody wants it now. */
  runNow(job: ArmedJob, { scheduledAt, ...given }: ByHand): Run {
    const now = this.clock.now();
    return this.#claim({ job, slot: scheduledAt ?? now, dueAt: now, caughtUp: false, ...given }, 'manual');
  }

  /** Takes up a run that an earlier daemon left. It passes by overlap and limits, but counts for them. */
  takeUp(job: ArmedJob, record: RunRecord): Promise<void> {
    const { scheduledAt, cause, claimedAt } = record;
    const claim = claimAgain(record);
    const turn = { job, slot: scheduledAt, dueAt: claimedAt, caughtUp: cause === 'catch_up' };
    const run = new ActiveRun<TurnOf>(this, { turn, definition: job.definition, claim });
    this.runs.add(run);
    job.active = [...job.active, run];
    return run.takeUp(record);
  }

  /** Gives up every slot of the job that waits for its turn. */
  forget(job: ArmedJob, reason: SkipReason): void {
    const { waiting, inLine, held } = job;
    job.waiting = [];
    for (const turn of waiting) this.#giveUp(turn, reason);
    for (const place of inLine) this.#leaveLine(place, reason);
    for (const turn of held) if (this.needs.release(turn)) this.#giveUp(turn, reason);
  }

  reported(run: Run, attempt: number, report: AttemptReport): void {
    if (this.#reports.push({ run, attempt, report }) === 1) queueMicrotask(() => this.#tell());
  }

  storeFailed(error: unknown): void {
    this.emit({ kind: 'store_failed', message: error instanceof Error ? error.message : String(error) });
  }

  released(run: Run): void {
    const { job } = run.turn;
    this.runs.delete(run);
    job.active = job.active.filter((other) => other !== run);
    this.#passOn(run);
    this.#promote(job);
    this.#fill();
    this.onReleased();
  }

  /** A set of jobs is about to change. */
  loading(definitions: readonly JobDefinition[]): Promise<void> {
    this.followers.loading();
    return this.needs.learn(definitions);
  }

  /** All jobs of a set have their places: what others wait for can be told. */
  loaded(): void {
    this.needs.stirAll();
    this.followers.loaded();
  }

  left(): void {
    this.onReleased();
  }

  /** Its end was recorded just now; what follows from it is to be in the same batch, whatever becomes of this daemon. */
  #passOn(run: Run): void {
    const { jobId } = run.claim;
    if (!this.followers.isFollowed(jobId) && !this.needs.isNeeded(jobId)) return;
    this.needs.ended(run.record);
    this.followers.ended(run.record);
    this.commit();
  }

  /** A slot that its job's policies let begin: unless it must wait for jobs it needs, or for a place, it is claimed. */
  begin(turn: TurnOf): void {
    if (this.needs.holds(turn)) return;
    if (this.runs.size < this.#maxRuns && this.#line.size === 0) {
      this.#claim(turn, causeOf(turn));
      return;
    }
    const { job, slot, dueAt } = turn;
    const place = this.#line.push(-job.definition.policy.priority, turn, -dueAt);
    job.inLine = [...job.inLine, { turn, place }];
    this.emit({ kind: 'run_waiting', jobId: job.definition.id, scheduledAt: slot, reason: 'limit' });
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

  /** Gives free places to those in line. Who has waited longer than its grace has misfired. */
  #fill(): void {
    while (this.runs.size < this.#maxRuns) {
      const turn = this.#line.takeDue(Number.POSITIVE_INFINITY);
      if (turn === undefined) return;
      turn.job.inLine = turn.job.inLine.filter((entry) => entry.turn !== turn);
      const { grace } = turn.job.definition.policy.misfire;
      if (grace !== undefined && this.clock.now() - turn.dueAt > grace) {
        this.#skip(turn, 'misfire');
        this.#promote(turn.job);
      } else this.#claim(turn, causeOf(turn));
    }
  }

  #leaveLine({ turn, place }: InLine, reason: SkipReason): void {
    this.#line.remove(place);
    turn.job.inLine = turn.job.inLine.filter((entry) => entry.turn !== turn);
    this.#giveUp(turn, reason);
  }

  /** What follows others is known to the next daemon, though nothing is claimed. */
  #giveUp(turn: TurnOf, reason: SkipReason): void {
    const isLeft = reason === 'shutdown' && turn.upstream !== undefined && this.store.durable;
    if (!isLeft) this.#skip(turn, reason);
  }

  unmet(turn: TurnOf, failed: Outcome | undefined): void {
    if (failed === undefined) this.#skip(turn, 'dependency');
    else this.#claim(turn, causeOf(turn), failed);
    this.#promote(turn.job);
  }

  /** `refusal`: the end of a run that never begins. */
  #claim(turn: TurnOf, cause: Cause, refusal?: Outcome): Run {
    const { job } = turn;
    const { definition } = job;
    const now = this.now();
    const upstream = turn.upstream ?? turn.needed ?? (definition.needs && this.needs.met(turn));
    const claim = claimOf(turn, { id: this.#ports.newRunId(now), cause, now, upstream, refusal });
    const run = new ActiveRun<TurnOf>(this, { turn, definition, claim, refusal });
    if (cause === 'dependency') this.followers.settled(turn);
    this.runs.add(run);
    job.active = job.active.length === 0 ? [run] : [...job.active, run];
    this.#claims.push(run);
    this.#commitSoon();
    return run;
  }

  #skip({ job, slot, upstream }: Pick<TurnOf, 'job' | 'slot' | 'upstream'>, reason: SkipReason): void {
    if (upstream !== undefined) this.followers.settled({ job, slot });
    this.#record(job, {
      jobId: job.definition.id,
      scheduledAt: slot,
      through: slot,
      count: 1,
      reason,
      at: this.now(),
    });
  }

  #record(job: ArmedJob, skip: SkipRecord): void {
    this.#skips.push({ job, skip });
    this.emit({ kind: 'slots_skipped', skip });
    this.#commitSoon();
    this.needs.stir(skip.jobId);
    this.followers.skipped(skip);
  }

  /** Outside a tick (a run ended, an operator asked) the decisions of one turn of the loop still go together. */
  #commitSoon(): void {
    if (this.#committing) return;
    this.#committing = true;
    queueMicrotask(() => this.commit());
  }

  /** Hands all decisions of this turn of the loop to the store. */
  commit(): void {
    this.needs.settle();
    this.#committing = false;
    this.#decidedAt = undefined;
    const claims = this.#claims;
    const skips = this.#skips;
    const joins = this.followers.takeChanges();
    if (joins.length > 0) this.store.join(joins).catch((error: unknown) => this.storeFailed(error));
    if (claims.length + skips.length === 0) return;
    this.#claims = [];
    this.#skips = [];
    const undecided = new Map<JobId, Instant>();
    const note = ({ definition, undecided: oldest }: ArmedJob): void => {
      if (oldest !== undefined) undecided.set(definition.id, oldest);
    };
    for (const { turn } of claims) note(turn.job);
    for (const { job } of skips) note(job);
    const records = claims.map(({ claim }) => claim);
    const skipped = skips.map(({ skip }) => skip);
    this.store.claim(records, skipped, undecided).then(
      (won) => this.#begun(claims, (index) => won[index] === true),
      (error: unknown) => {
        // A store that fails must not stop the backups: run, and say so.
        this.storeFailed(error);
        this.#begun(claims, () => true);
      },
    );
  }

  /** Starts all that was won before anything else is told of it: what observers do must not delay a start. */
  #begun(runs: readonly Run[], won: (index: number) => boolean): void {
    let index = 0;
    for (const run of runs) {
      if (won(index)) run.start();
      index += 1;
    }
    runs.forEach((run, index) => {
      if (!won(index)) {
        // A follower's slot comes again when what it follows is repeated.
        if (run.claim.cause !== 'dependency') this.#skip(run.turn, 'claimed_elsewhere');
        run.withdraw();
        return;
      }
      this.#claimed(run);
      run.settleClaim();
    });
    this.#tell();
  }

  #claimed({ claim, turn }: Run): void {
    this.emit({ kind: 'run_claimed', run: claim, late: Math.max(claim.claimedAt - turn.dueAt, 0) });
  }

  #tell(): void {
    while (this.#reports.length > 0) {
      const reports = this.#reports;
      this.#reports = [];
      for (const { run, attempt, report } of reports) run.take(attempt, report);
    }
  }
}
