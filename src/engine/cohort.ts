import type { Instant } from '../model.ts';
import { slotAfter } from '../schedule/plan.ts';
import type { Trigger } from '../schedule/trigger.ts';
import type { Alarm, Ticket, Wakeable } from './alarm.ts';

/** A job that waits for a slot of the trigger it shares with others. */
export interface Member {
  /** Its next slot, never earlier than the cohort's. */
  nextSlot: Instant | undefined;
  /** Its place in the cohort, kept by the cohort. */
  place: number;
  /** The cohort's slot has come; `next` is the slot after it. */
  slotCame(slot: Instant, next: Instant | undefined): void;
  /** The trigger broke its contract. */
  faulted(error: unknown): void;
}

/**
 * All jobs that wait for the same trigger with the same priority: one entry in the alarm, one search for the next slot, however
 * many they are. 10,000 jobs due at midnight are one wake-up, not 10,000.
 */
export class Cohort implements Wakeable {
  readonly #trigger: Trigger;
  readonly #priority: number;
  readonly #alarm: Alarm;
  readonly #members: Member[] = [];
  #slot: Instant | undefined;
  #ticket: Ticket | undefined;

  constructor(alarm: Alarm, trigger: Trigger, priority: number) {
    this.#alarm = alarm;
    this.#trigger = trigger;
    this.#priority = priority;
  }

  /** Adds a job that waits for `slot`, a slot of the trigger. */
  join(member: Member, slot: Instant): void {
    member.nextSlot = slot;
    member.place = this.#members.push(member) - 1;
    this.#awaitAlso(slot);
  }

  leave(member: Member): void {
    const last = this.#members.pop();
    if (last !== undefined && last !== member) {
      this.#members[member.place] = last;
      last.place = member.place;
    }
    if (this.#members.length === 0) this.#await(undefined);
  }

  wake(): void {
    const slot = this.#slot;
    if (slot === undefined) return;
    const members = this.#members.slice();
    let next: Instant | undefined;
    try {
      next = slotAfter(this.#trigger, slot);
    } catch (error) {
      for (const member of members) member.faulted(error);
      return;
    }
    // Who takes its place anew says what it waits for; slots that nobody waits for are not walked, be it years of seconds.
    this.#await(undefined);
    for (const member of members) if (member.nextSlot === slot) member.slotCame(slot, next);
    for (const { nextSlot } of this.#members) if (nextSlot !== this.#slot) this.#awaitAlso(nextSlot);
  }

  #awaitAlso(slot: Instant | undefined): void {
    if (slot !== undefined && (this.#slot === undefined || slot < this.#slot)) this.#await(slot);
  }

  #await(slot: Instant | undefined): void {
    this.#alarm.cancel(this.#ticket);
    this.#slot = slot;
    this.#ticket = slot === undefined ? undefined : this.#alarm.at(slot, this, this.#priority);
  }
}

/** Finds the cohort of a trigger and a priority. */
export class Cohorts {
  readonly #alarm: Alarm;
  readonly #byTrigger = new WeakMap<Trigger, Map<number, Cohort>>();

  constructor(alarm: Alarm) {
    this.#alarm = alarm;
  }

  of(trigger: Trigger, priority: number): Cohort {
    const known = this.#byTrigger.get(trigger) ?? new Map<number, Cohort>();
    const cohort = known.get(priority) ?? new Cohort(this.#alarm, trigger, priority);
    known.set(priority, cohort);
    this.#byTrigger.set(trigger, known);
    return cohort;
  }
}
