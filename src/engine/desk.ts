import type { Cause, Instant, RunRecord, SkipReason, SkipRecord } from '../model.ts';
import { admit } from '../schedule/admit.ts';
import { DueQueue } from '../schedule/due-queue.ts';
import type { Plan, TriggerFault } from '../schedule/plan.ts';
import { Alarm } from './alarm.ts';
import type { ArmedJob, SlotDesk, TurnOf } from './job.ts';
import type { Clock, EngineEvent, Executor, Observer, Store } from './ports.ts';
import { ActiveRun, type RunSurroundings } from './run.ts';

/** What the engine is made of; app.ts supplies the real ones. */
export interface EnginePorts {
  readonly clock: Clock;
  readonly executor: Executor;
  readonly store: Store;
  readonly observer: Observer;
  /** A new UUIDv7. */
  readonly newRunId: () => string;
  /** Draws from [0, 1). */
  readonly random: () => number;
}

/** A run that was decided on and waits for its claim to be recorded. */
interface Claim {
  readonly run: ActiveRun;
  readonly turn: TurnOf;
}

/**
 * Decides what becomes of each slot whose turn has come: starts it, lets it wait, or skips it with a reason. All claims
 * and skips of one tick reach the store in one call. Holds the bound on runs of the whole daemon.
 */
export class Desk implements SlotDesk, RunSurroundings {
  readonly clock: Clock;
  readonly alarm: Alarm;
  readonly executor: Executor;
  readonly store: Store;
  readonly random: () => number;
  /** Every run that is claimed and not finished, with its job. */
  readonly runs = new Map<ActiveRun, ArmedJob>();
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
  #claims: Claim[] = [];
  #skips: SkipRecord[] = [];
  #committing = false;
  #untold: (() => void)[] = [];

  constructor(ports: EnginePorts, maxConcurrentRuns: number) {
    this.#ports = ports;
    this.#maxRuns = maxConcurrentRuns;
    this.clock = ports.clock;
    this.executor = ports.executor;
    this.store = ports.store;
    this.random = ports.random;
    this.alarm = new Alarm(ports.clock, {
      stepped: (by) => this.onStep(by),
      rung: () => this.#commit(),
    });
  }

  /** Slots that wait, for the bound or for a run of their own job. */
  get inLine(): number {
    return this.#line.size;
  }

  emit(event: EngineEvent): void {
    this.#ports.observer.observe(event);
  }

  offer(turn: TurnOf): void {
    const { job } = turn;
    if (this.closing) return this.#skip(turn, 'shutdown');
    const { active, waiting, inLine } = job.business;
    const { policy } = job.definition;
    const admission = admit(policy, {
      active: active.length + inLine.length,
      waiting: waiting.length,
      paused: job.paused,
    });
    // Slots caught up together do not crowd each other out: they run one after another.
    if (isBacklog(turn) && admission.kind !== 'start' && !job.paused) {
      waiting.push(turn);
      return;
    }
    switch (admission.kind) {
      case 'start':
        return this.#begin(turn);
      case 'wait':
        return this.#wait(turn);
      case 'replace':
        for (const run of active.slice()) run.cancel('replaced');
        for (const { turn: older } of inLine.slice()) this.#leaveLine(older, 'overlap');
        return active.length === 0 ? this.#begin(turn) : this.#wait(turn);
      case 'skip':
        return this.#skip(turn, admission.reason);
    }
  }

  missed(job: ArmedJob, { missed }: Plan): void {
    const at = this.clock.now();
    for (const { from, through, count } of missed) {
      this.#record({
        jobId: job.definition.id,
        scheduledAt: from,
        through,
        ...(count === undefined ? {} : { count }),
        reason: 'misfire',
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

  /** Starts a run that no slot asked for. It passes by overlap and limits: somebody wants it now. */
  runNow(job: ArmedJob): ActiveRun {
    const now = this.clock.now();
    return this.#claim({ job, slot: now, dueAt: now, caughtUp: false }, 'manual');
  }

  /** Gives up every slot of the job that waits for its turn. */
  forget(job: ArmedJob, reason: SkipReason): void {
    if (!job.isBusy) return;
    const { waiting, inLine } = job.business;
    for (const turn of waiting.splice(0)) this.#skip(turn, reason);
    for (const { turn } of inLine.slice()) this.#leaveLine(turn, reason);
  }

  later(action: () => void): void {
    if (this.#untold.push(action) === 1) queueMicrotask(() => this.#tell());
  }

  storeFailed(error: unknown): void {
    this.emit({ kind: 'store_failed', message: error instanceof Error ? error.message : String(error) });
  }

  released(run: ActiveRun): void {
    const job = this.runs.get(run);
    this.runs.delete(run);
    if (job !== undefined) {
      const { active } = job.business;
      active.splice(active.indexOf(run), 1);
      this.#promote(job);
    }
    this.#fill();
    this.onReleased();
  }

  #begin(turn: TurnOf): void {
    if (this.runs.size < this.#maxRuns && this.#line.size === 0) {
      this.#claim(turn, turn.caughtUp ? 'catch_up' : 'schedule');
      return;
    }
    const { job, slot, dueAt } = turn;
    const place = this.#line.push(-job.definition.policy.priority, turn, -dueAt);
    job.business.inLine.push({ turn, place });
    this.emit({ kind: 'run_waiting', jobId: job.definition.id, scheduledAt: slot, reason: 'limit' });
  }

  #wait(turn: TurnOf): void {
    const { waiting } = turn.job.business;
    const backlog = waiting.filter(isBacklog);
    for (const older of waiting.splice(0, waiting.length, ...backlog, turn)) {
      if (!isBacklog(older)) this.#skip(older, 'overlap');
    }
    this.emit({
      kind: 'run_waiting',
      jobId: turn.job.definition.id,
      scheduledAt: turn.slot,
      reason: 'overlap',
    });
  }

  /** A run of the job has ended: the next slot that waited for that has its turn. */
  #promote(job: ArmedJob): void {
    const { active, waiting, inLine } = job.business;
    const { overlap, maxInstances } = job.definition.policy;
    const room = overlap === 'allow' ? maxInstances : 1;
    while (waiting.length > 0 && active.length + inLine.length < room) {
      const turn = waiting.shift();
      if (turn !== undefined) this.#begin(turn);
    }
  }

  /** Gives free places to those in line. Who has waited longer than its grace has misfired. */
  #fill(): void {
    while (this.runs.size < this.#maxRuns) {
      const turn = this.#line.takeDue(Number.POSITIVE_INFINITY);
      if (turn === undefined) return;
      const { inLine } = turn.job.business;
      inLine.splice(
        inLine.findIndex((entry) => entry.turn === turn),
        1,
      );
      const { grace } = turn.job.definition.policy.misfire;
      if (grace !== undefined && this.clock.now() - turn.dueAt > grace) this.#skip(turn, 'misfire');
      else this.#claim(turn, turn.caughtUp ? 'catch_up' : 'schedule');
    }
  }

  #leaveLine(turn: TurnOf, reason: SkipReason): void {
    const { inLine } = turn.job.business;
    const at = inLine.findIndex((entry) => entry.turn === turn);
    const [left] = at < 0 ? [] : inLine.splice(at, 1);
    if (left === undefined) return;
    this.#line.remove(left.place);
    this.#skip(turn, reason);
  }

  #claim(turn: TurnOf, cause: Cause): ActiveRun {
    const { job, slot } = turn;
    const record: RunRecord = {
      id: this.#ports.newRunId(),
      jobId: job.definition.id,
      scheduledAt: slot,
      cause,
      claimedAt: this.clock.now(),
      state: 'claimed',
      attempts: [],
    };
    const run = new ActiveRun(this, job.definition, record);
    this.runs.set(run, job);
    job.business.active.push(run);
    this.#claims.push({ run, turn });
    this.#commitSoon();
    return run;
  }

  #skip({ job, slot }: Pick<TurnOf, 'job' | 'slot'>, reason: SkipReason): void {
    this.#record({
      jobId: job.definition.id,
      scheduledAt: slot,
      through: slot,
      count: 1,
      reason,
      at: this.clock.now(),
    });
  }

  #record(skip: SkipRecord): void {
    this.#skips.push(skip);
    this.emit({ kind: 'slots_skipped', skip });
    this.#commitSoon();
  }

  /** Outside a tick (a run ended, an operator asked) the decisions of one turn of the loop still go together. */
  #commitSoon(): void {
    if (this.#committing) return;
    this.#committing = true;
    queueMicrotask(() => this.#commit());
  }

  #commit(): void {
    this.#committing = false;
    const claims = this.#claims;
    const skips = this.#skips;
    if (claims.length + skips.length === 0) return;
    this.#claims = [];
    this.#skips = [];
    const records = claims.map(({ run }) => run.claim);
    this.store.claim(records, skips).then(
      (won) => this.#begun(claims, (index) => won[index] === true),
      (error: unknown) => {
        // A store that fails must not stop the backups: run, and say so.
        this.storeFailed(error);
        this.#begun(claims, () => true);
      },
    );
  }

  /** Starts all that was won before anything else is told of it: what observers do must not delay a start. */
  #begun(claims: readonly Claim[], won: (index: number) => boolean): void {
    claims.forEach((claim, index) => {
      if (!won(index)) {
        this.#skip(claim.turn, 'claimed_elsewhere');
        claim.run.withdraw();
        return;
      }
      this.#untold.push(() => this.#claimed(claim));
      claim.run.start();
    });
    this.#tell();
  }

  #claimed({ run: { claim }, turn }: Claim): void {
    this.emit({ kind: 'run_claimed', run: claim, late: Math.max(claim.claimedAt - turn.dueAt, 0) });
  }

  #tell(): void {
    while (this.#untold.length > 0) {
      const actions = this.#untold;
      this.#untold = [];
      for (const action of actions) action();
    }
  }
}

/** One of several missed slots that `misfire: all` catches up. */
function isBacklog(turn: TurnOf): boolean {
  return turn.caughtUp && turn.job.definition.policy.misfire.run === 'all';
}
