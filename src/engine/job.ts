import type {
  Arguments,
  Duration,
  Instant,
  JobDefinition,
  JobId,
  Pause,
  Place,
  Shard,
  Upstream,
} from '../model.ts';
import type { ReplayId } from '../replay.ts';
import { jitterOf } from '../schedule/jitter.ts';
import { MOMENT, plan, slotAfter, TriggerFault, type Plan } from '../schedule/plan.ts';
import { compileSchedule, type Stretch, type Trigger } from '../schedule/trigger.ts';
import type { Alarm, Ticket } from './alarm.ts';
import type { AnyRun } from './any-run.ts';
import type { Cohort, Cohorts, Member } from './cohort.ts';
import type { Standing } from './line.ts';
import type { Clock } from './ports.ts';

const NONE: readonly never[] = [];

/** A slot whose turn has come, or will. */
export interface TurnOf {
  readonly job: ArmedJob;
  readonly slot: Instant;
  /** The slot plus its jitter. */
  readonly dueAt: Instant;
  readonly caughtUp: boolean;
  /** Of a run by hand. */
  readonly with?: Arguments;
  /** Of a job that follows others: how they ended. */
  readonly upstream?: readonly Upstream[];
  /** Of a job that needs others, once it waits for them no more: how they stood. */
  readonly needed?: readonly Upstream[];
  /** The replay it belongs to. */
  readonly replay?: ReplayId;
  /** Of a run that repeats the parts of another: these, whatever parts the job has. */
  readonly shards?: readonly Shard[];
}

/** What a run by hand is given along, and, of one that repeats another, what that one had. */
export interface ByHand extends Pick<TurnOf, 'with' | 'upstream' | 'shards'> {
  readonly scheduledAt?: Instant;
}

/** A slot that waits for its pool, or for a bound of the daemon. */
export interface InLine {
  readonly turn: TurnOf;
  readonly standing: Standing;
  /** From when its longest wait counts. */
  readonly readyAt: Instant;
}

/** When a job is due next. */
export interface NextSlot {
  readonly jobId: JobId;
  readonly slot: Instant;
}

/** Who decides what becomes of the slots that an armed job yields. */
export interface SlotDesk {
  readonly clock: Clock;
  readonly alarm: Alarm;
  readonly cohorts: Cohorts;
  /** The moment of the decisions under way: one reading of the clock for all slots that come together. */
  now(): Instant;
  offer(turn: TurnOf): void;
  passed(job: ArmedJob, stretches: readonly Stretch[], reason: 'misfire' | 'excluded'): void;
  /** A slot of a job that left, or was put to rest, before its jitter had passed. */
  dropped(job: ArmedJob, slot: Instant): void;
  faulted(job: ArmedJob, fault: TriggerFault): void;
}

/** One loaded job: its definition, its place in time, and what it is busy with. */
export class ArmedJob implements Member {
  definition: JobDefinition;
  /** False once it left the file; it stays known while runs of it are active, so that they count as overlap. */
  loaded = true;
  pause: Pause | undefined;
  /** Why its trigger was stopped, if it was. */
  fault: string | undefined;
  /** The next slot in the future; undefined when there is none. */
  nextSlot: Instant | undefined;
  /** What it is busy with. The lists are replaced, not changed: most of many jobs are idle and share an empty one. */
  active: readonly AnyRun<TurnOf>[] = NONE;
  /** Slots that wait for an active run of this job to end, oldest first. */
  waiting: readonly TurnOf[] = NONE;
  inLine: readonly InLine[] = NONE;
  /** Slots that wait for jobs that this one needs. */
  held: readonly TurnOf[] = NONE;
  readonly #desk: SlotDesk;
  place = -1;
  #trigger: Trigger | undefined;
  /** Slots that calendars exclude are told up to here: with the next slot that is decided, and before the job changes. */
  #toldTo: Instant = Number.NEGATIVE_INFINITY;
  #cohort: Cohort | undefined;
  #jittered: Map<Instant, Ticket> | undefined;

  constructor(definition: JobDefinition, desk: SlotDesk) {
    this.definition = definition;
    this.#desk = desk;
  }

  get isBusy(): boolean {
    return this.begun + this.waiting.length > 0;
  }

  /** The oldest slot that has come and is not decided: it waits for its turn, or for its jitter to pass. */
  get undecided(): Instant | undefined {
    const { waiting, inLine, held } = this;
    if (this.#waiting === 0 && this.#jittered === undefined) return undefined;
    const slots = [
      ...[...waiting, ...held].map(({ slot }) => slot),
      ...inLine.map(({ turn }) => turn.slot),
      ...(this.#jittered?.keys() ?? []),
    ];
    return slots.length === 0 ? undefined : Math.min(...slots);
  }

  /** Slots that its policies let begin: their runs, and those that still wait for a place or for other jobs. */
  get begun(): number {
    return this.active.length + this.inLine.length + this.held.length;
  }

  get #waiting(): number {
    return this.waiting.length + this.inLine.length + this.held.length;
  }

  /** Whether a run that its trigger asked for by then is not over, or still to come. */
  isDueBy(slot: Instant): boolean {
    const { nextSlot = Number.POSITIVE_INFINITY, undecided = Number.POSITIVE_INFINITY } = this;
    if (Math.min(nextSlot, undecided) <= slot) return true;
    return this.active.some(({ claim }) => claim.cause !== 'manual' && claim.scheduledAt <= slot);
  }

  /** Whether it has a run for that slot that is not over, or will decide over it. */
  awaits(slot: Instant): boolean {
    if (this.active.some(({ claim }) => claim.scheduledAt === slot)) return true;
    if ([...this.waiting, ...this.held].some((turn) => turn.slot === slot)) return true;
    if (this.inLine.some(({ turn }) => turn.slot === slot)) return true;
    if (this.#jittered?.has(slot) === true) return true;
    const { nextSlot } = this;
    return nextSlot !== undefined && nextSlot <= slot && this.#trigger?.next(slot - 1) === slot;
  }

  isPaused(now: Instant): boolean {
    return this.pause !== undefined && now < (this.pause.until ?? Number.POSITIVE_INFINITY);
  }

  /**
   * Takes its place: the first slot after `after` is the next one, even if that is already past (a misfire then), but for those
   * that are `decided`.
   */
  arm(after: Instant, decided?: Place['decided']): void {
    this.disarm();
    this.#trigger = undefined;
    this.fault = undefined;
    const { definition } = this;
    if (!definition.enabled) return;
    try {
      this.#trigger = compileSchedule(definition.schedule, definition.id);
      let slot = slotAfter(this.#trigger, after);
      while (slot !== undefined && isIn(decided, slot)) slot = slotAfter(this.#trigger, slot);
      // Slots missed before it was armed are its own; from the next one on it goes with all that share its trigger.
      const now = this.#desk.clock.now();
      this.#toldTo = after;
      this.#tellExcluded(now, decided);
      if (slot !== undefined && slot <= now) this.#decide(this.#trigger, { first: slot, now, decided });
      else this.#await(slot);
    } catch (error) {
      this.faulted(error);
    }
  }

  /**
   * Decides over slots that have come by `now` but were not looked at yet, before something else becomes of the job from
   * that very moment on: between two readings of the clock a slot could be lost.
   */
  settleDue(now: Instant): void {
    const { nextSlot } = this;
    this.#tellExcluded(now);
    if (nextSlot !== undefined && nextSlot <= now && this.#trigger !== undefined) {
      this.#decideOrFault(this.#trigger, nextSlot, now);
    }
  }

  /** Its definition changed, but not its schedule: it keeps its slot, among those of its priority. */
  requeue(): void {
    const { nextSlot } = this;
    this.#leave();
    this.#await(nextSlot);
  }

  /** Leaves its place; slots within their jitter are given up. */
  disarm(): void {
    this.#leave();
    for (const [slot, ticket] of this.#jittered ?? []) {
      this.#desk.alarm.cancel(ticket);
      this.#desk.dropped(this, slot);
    }
    this.#jittered = undefined;
  }

  /** One slot on time is the everyday case, without the ceremony of a plan: 10,000 of these may be due at once. */
  slotCame(slot: Instant, next: Instant | undefined): void {
    const now = this.#desk.now();
    this.#tellExcluded(now);
    if (this.definition.schedule.jitter === 0 && now - slot < MOMENT && (next === undefined || next > now)) {
      if (next === undefined) this.#leave();
      else this.nextSlot = next;
      this.#desk.offer({ job: this, slot, dueAt: slot, caughtUp: false });
      return;
    }
    const trigger = this.#trigger;
    if (trigger === undefined) return;
    this.#decideOrFault(trigger, slot, now);
  }

  /** A trigger that breaks its contract stops the jobs that have it, and no other. The slot that had `come` is still good. */
  faulted(error: unknown, come = this.nextSlot): void {
    const fault = error instanceof TriggerFault ? error : new TriggerFault(String(error), { cause: error });
    this.disarm();
    this.fault = fault.message;
    this.#desk.faulted(this, fault);
    const now = this.#desk.clock.now();
    if (come === undefined || come > now) return;
    if (now - come >= MOMENT) this.#miss(come);
    else this.#desk.offer({ job: this, slot: come, dueAt: come, caughtUp: false });
  }

  #decideOrFault(trigger: Trigger, first: Instant, now: Instant): void {
    try {
      this.#leave();
      this.#decide(trigger, { first, now, decided: undefined });
    } catch (error) {
      this.faulted(error, error instanceof TriggerFault ? first : undefined);
    }
  }

  /** Decides over all slots from `first` to `now`, and takes its place for the next. */
  #decide(
    trigger: Trigger,
    { first, now, decided }: { first: Instant; now: Instant; decided: Place['decided'] },
  ): void {
    const { schedule, policy, id } = this.definition;
    const jitter = (slot: Instant) => (schedule.jitter === 0 ? 0 : jitterOf(id, slot, schedule.jitter));
    const isDecided = (slot: Instant) => isIn(decided, slot);
    const planned = plan({ trigger, first, now, misfire: policy.misfire, jitter, isDecided });
    this.#await(planned.next);
    this.#settle(planned, jitter);
  }

  /** What is postponed comes first: a claim tells the store which slots it passes by. */
  #settle(planned: Plan, jitter: (slot: Instant) => number): void {
    for (const { slot, dueAt } of planned.later) this.#postpone(slot, dueAt);
    if (planned.missed.length > 0) this.#desk.passed(this, planned.missed, 'misfire');
    for (const { slot, caughtUp } of planned.due) {
      this.#desk.offer({ job: this, slot, dueAt: slot + jitter(slot), caughtUp });
    }
  }

  #postpone(slot: Instant, dueAt: Instant): void {
    const wake = () => {
      this.#jittered?.delete(slot);
      const late = this.#desk.clock.now() - dueAt;
      const caughtUp = late >= MOMENT;
      if (caughtUp && !this.#forgives(slot, late)) this.#miss(slot);
      else this.#desk.offer({ job: this, slot, dueAt, caughtUp });
    };
    this.#jittered ??= new Map();
    this.#jittered.set(slot, this.#desk.alarm.at(dueAt, { wake }, this.definition.policy.priority));
  }

  /** Whether a slot runs that was overslept while its jitter passed: as `plan` decides over those that were overslept whole. */
  #forgives(slot: Instant, late: Duration): boolean {
    const { run, grace = Number.POSITIVE_INFINITY } = this.definition.policy.misfire;
    if (run === 'none' || late > grace) return false;
    const now = this.#desk.clock.now();
    const isNewer = ([other, { at }]: [Instant, Ticket]) => other > slot && at <= now;
    const { nextSlot = Number.POSITIVE_INFINITY } = this;
    return run === 'all' || (nextSlot > now && ![...(this.#jittered ?? [])].some(isNewer));
  }

  #miss(slot: Instant): void {
    this.#desk.passed(this, [{ from: slot, through: slot, count: 1 }], 'misfire');
  }

  #tellExcluded(now: Instant, decided?: Place['decided']): void {
    const days = this.#trigger?.days;
    if (days === undefined || now <= this.#toldTo) return;
    const stretches = days.excluded(this.#toldTo, now).filter(({ from }) => !isIn(decided, from));
    this.#toldTo = now;
    if (stretches.length > 0) this.#desk.passed(this, stretches, 'excluded');
  }

  #await(slot: Instant | undefined): void {
    const trigger = this.#trigger;
    if (slot === undefined || trigger === undefined) return;
    this.#cohort = this.#desk.cohorts.of(trigger, this.definition.policy.priority);
    this.#cohort.join(this, slot);
  }

  #leave(): void {
    this.#cohort?.leave(this);
    this.#cohort = undefined;
    this.nextSlot = undefined;
  }
}

function isIn(stretches: Place['decided'], slot: Instant): boolean {
  return stretches?.some(([from, through]) => from <= slot && slot <= through) === true;
}

/** The slot that comes first, of jobs that are not paused then. */
export function soonest(jobs: Iterable<ArmedJob>): NextSlot | undefined {
  let first: ArmedJob | undefined;
  let slot = Number.POSITIVE_INFINITY;
  for (const job of jobs) {
    const { nextSlot = slot } = job;
    if (nextSlot >= slot || job.isPaused(nextSlot)) continue;
    slot = nextSlot;
    first = job;
  }
  return first === undefined ? undefined : { jobId: first.definition.id, slot };
}
