import type { Instant, JobDefinition } from '../model.ts';
import type { Due } from '../schedule/due-queue.ts';
import { jitterOf } from '../schedule/jitter.ts';
import { MOMENT, plan, slotAfter, TriggerFault, type Plan } from '../schedule/plan.ts';
import { compileSchedule, type Trigger } from '../schedule/trigger.ts';
import type { Alarm, Ticket, Wakeable } from './alarm.ts';
import type { Clock } from './ports.ts';
import type { ActiveRun } from './run.ts';

const NONE: readonly never[] = [];

/** A slot whose turn has come, or will. */
export interface TurnOf {
  readonly job: ArmedJob;
  readonly slot: Instant;
  /** The slot plus its jitter. */
  readonly dueAt: Instant;
  readonly caughtUp: boolean;
}

/** A slot that waits for a place among all runs of the daemon. */
export interface InLine {
  readonly turn: TurnOf;
  readonly place: Due<TurnOf>;
}

/** Who decides what becomes of the slots that an armed job yields. */
export interface SlotDesk {
  readonly clock: Clock;
  readonly alarm: Alarm;
  offer(turn: TurnOf): void;
  missed(job: ArmedJob, plan: Plan): void;
  /** A slot of a job that left, or was put to rest, before its jitter had passed. */
  dropped(job: ArmedJob, slot: Instant): void;
  faulted(job: ArmedJob, fault: TriggerFault): void;
}

/** One loaded job: its definition, its place in time, and what it is busy with. */
export class ArmedJob implements Wakeable {
  definition: JobDefinition;
  /** False once it left the file; it stays known while runs of it are active, so that they count as overlap. */
  loaded = true;
  paused = false;
  /** Why its trigger was stopped, if it was. */
  fault: string | undefined;
  /** The next slot in the future; undefined when there is none. */
  nextSlot: Instant | undefined;
  /** What it is busy with. The lists are replaced, not changed: most of many jobs are idle and share an empty one. */
  active: readonly ActiveRun<TurnOf>[] = NONE;
  /** Slots that wait for an active run of this job to end, oldest first. */
  waiting: readonly TurnOf[] = NONE;
  inLine: readonly InLine[] = NONE;
  readonly #desk: SlotDesk;
  #trigger: Trigger | undefined;
  #ticket: Ticket | undefined;
  #jittered: Map<Instant, Ticket> | undefined;

  constructor(definition: JobDefinition, desk: SlotDesk) {
    this.definition = definition;
    this.#desk = desk;
  }

  get isBusy(): boolean {
    return this.active.length + this.waiting.length + this.inLine.length > 0;
  }

  /** Takes its place: the first slot after `after` is the next one, even if that is already past (a misfire then). */
  arm(after: Instant): void {
    this.disarm();
    this.fault = undefined;
    const { definition } = this;
    if (!definition.enabled) return;
    try {
      this.#trigger = compileSchedule(definition.schedule, definition.id);
      this.#await(slotAfter(this.#trigger, after));
    } catch (error) {
      this.#faulted(error);
    }
  }

  /** Decides over a slot that has come but was not looked at yet, before something else becomes of the job. */
  settleDue(): void {
    if (this.nextSlot !== undefined && this.nextSlot <= this.#desk.clock.now()) this.wake();
  }

  /** Leaves its place; slots within their jitter are given up. */
  disarm(): void {
    this.#desk.alarm.cancel(this.#ticket);
    this.#ticket = undefined;
    this.nextSlot = undefined;
    for (const [slot, ticket] of this.#jittered ?? []) {
      this.#desk.alarm.cancel(ticket);
      this.#desk.dropped(this, slot);
    }
    this.#jittered = undefined;
  }

  /** The alarm for the next slot: decides over all slots that have come. */
  wake(): void {
    const first = this.nextSlot;
    const trigger = this.#trigger;
    if (first === undefined || trigger === undefined) return;
    this.#desk.alarm.cancel(this.#ticket);
    const now = this.#desk.clock.now();
    try {
      if (!this.#wakeOnTime(trigger, first, now)) this.#wakeLate(trigger, first, now);
    } catch (error) {
      this.#faulted(error);
    }
  }

  /** The everyday case without the ceremony of a plan: one slot, on time. 10,000 of these may be due at once. */
  #wakeOnTime(trigger: Trigger, first: Instant, now: Instant): boolean {
    if (this.definition.schedule.jitter > 0 || now - first >= MOMENT) return false;
    const next = slotAfter(trigger, first);
    if (next !== undefined && next <= now) return false;
    this.#await(next);
    this.#desk.offer({ job: this, slot: first, dueAt: first, caughtUp: false });
    return true;
  }

  #wakeLate(trigger: Trigger, first: Instant, now: Instant): void {
    const { schedule, policy, id } = this.definition;
    const jitter = (slot: Instant) => (schedule.jitter === 0 ? 0 : jitterOf(id, slot, schedule.jitter));
    const decided = plan({ trigger, first, now, misfire: policy.misfire, jitter });
    this.#await(decided.next);
    this.#settle(decided, jitter);
  }

  #settle(decided: Plan, jitter: (slot: Instant) => number): void {
    if (decided.missed.length > 0) this.#desk.missed(this, decided);
    for (const { slot, caughtUp } of decided.due) {
      this.#desk.offer({ job: this, slot, dueAt: slot + jitter(slot), caughtUp });
    }
    for (const { slot, dueAt } of decided.later) this.#postpone(slot, dueAt);
  }

  #postpone(slot: Instant, dueAt: Instant): void {
    const wake = () => {
      this.#jittered?.delete(slot);
      this.#desk.offer({ job: this, slot, dueAt, caughtUp: false });
    };
    this.#jittered ??= new Map();
    this.#jittered.set(slot, this.#desk.alarm.at(dueAt, { wake }, this.definition.policy.priority));
  }

  #await(slot: Instant | undefined): void {
    this.nextSlot = slot;
    this.#ticket =
      slot === undefined ? undefined : this.#desk.alarm.at(slot, this, this.definition.policy.priority);
  }

  /** A trigger that breaks its contract stops this job and no other. */
  #faulted(error: unknown): void {
    const fault = error instanceof TriggerFault ? error : new TriggerFault(String(error), { cause: error });
    this.disarm();
    this.fault = fault.message;
    this.#desk.faulted(this, fault);
  }
}
