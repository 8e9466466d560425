import type { Duration, Instant, MisfirePolicy } from '../model.ts';
import type { Stretch, Trigger } from './slots.ts';

/** A slot less late than this is on time: timers and busy moments, not a misfire. */
export const MOMENT: Duration = 1000;

/** Slots looked at one by one in a single plan; a longer stretch is bridged by searching back from its end. */
const WALK = 10_000;

/** Room among the newest slots for those that are on time, beside those to be caught up. */
const ON_TIME = 16;

/** The slots of one job that have come since it was last looked at, each decided. All lists are oldest first. */
export interface Plan {
  readonly due: readonly DueSlot[];
  /** Slots whose jitter has not passed yet: to be looked at again at `dueAt`. */
  readonly later: readonly { readonly slot: Instant; readonly dueAt: Instant }[];
  /** What the misfire policy does not forgive. */
  readonly missed: readonly Stretch[];
  /** The first slot that has not come yet. */
  readonly next: Instant | undefined;
}

export interface DueSlot {
  readonly slot: Instant;
  /** Missed by more than a moment, but forgiven by the policy. */
  readonly caughtUp: boolean;
}

export interface PlanInput {
  readonly trigger: Trigger;
  /** The first slot not decided yet; not later than `now`. */
  readonly first: Instant;
  readonly now: Instant;
  readonly misfire: MisfirePolicy;
  /** Delay of a slot's start behind its nominal time. */
  readonly jitter: (slot: Instant) => Duration;
  /** Whether a slot in between was decided before, and is nothing to decide over again. */
  readonly isDecided?: (slot: Instant) => boolean;
}

/**
 * Decides over every slot in [first, now]: on time, caught up, later or missed. One engine for all causes of
 * lateness: downtime, suspend, clock steps, overload (DESIGN section 4, "Misfire"). Throws TriggerFault when the
 * trigger breaks its contract.
 */
export function plan(input: PlanInput): Plan {
  const { slots, bridged, next } = collect(input);
  const later: { slot: Instant; dueAt: Instant }[] = [];
  const onTime: Instant[] = [];
  const late: Instant[] = [];
  for (const slot of slots) {
    if (input.isDecided?.(slot) === true) continue;
    const dueAt = slot + input.jitter(slot);
    if (dueAt > input.now) later.push({ slot, dueAt });
    else if (input.now - dueAt < MOMENT) onTime.push(slot);
    else late.push(slot);
  }
  const forgiven = new Set(forgive(late, onTime.length > 0, input));
  const due = [...late.filter((slot) => forgiven.has(slot)), ...onTime].map((slot) => ({
    slot,
    caughtUp: forgiven.has(slot),
  }));
  const lost = new Set(late.filter((slot) => !forgiven.has(slot)));
  return { due, later, missed: stretches(slots, lost, bridged), next };
}

/** A trigger that threw, or whose answer was not later than the slot it was asked from. */
export class TriggerFault extends Error {
  override readonly name = 'TriggerFault';
}

/** The next slot after `after`, never trusted blindly: a trigger that stands still would loop for ever. */
export function slotAfter(trigger: Trigger, after: Instant): Instant | undefined {
  let next: Instant | undefined;
  try {
    next = trigger.next(after);
  } catch (error) {
    throw new TriggerFault(`its trigger failed after ${iso(after)}: ${String(error)}`, { cause: error });
  }
  if (next !== undefined && !(next > after)) {
    throw new TriggerFault(`its trigger answered ${iso(next)} when asked for an instant after ${iso(after)}`);
  }
  return next;
}

function iso(at: Instant): string {
  return Number.isFinite(at) && Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : String(at);
}

/** Which late slots still run. With something on time to run, "latest" has no use for an older slot. */
function forgive(
  late: readonly Instant[],
  newerRuns: boolean,
  { misfire, now, jitter }: PlanInput,
): readonly Instant[] {
  const { grace } = misfire;
  const young = grace === undefined ? late : late.filter((slot) => now - slot - jitter(slot) <= grace);
  switch (misfire.run) {
    case 'none':
      return [];
    case 'latest':
      return newerRuns ? [] : young.slice(-1);
    case 'all':
      return misfire.max > 0 ? young.slice(-misfire.max) : [];
  }
}

interface Collected {
  readonly slots: readonly Instant[];
  /** Slots before `slots`, too many to list. */
  readonly bridged: Stretch | undefined;
  readonly next: Instant | undefined;
}

function collect({ trigger, first, now, misfire }: PlanInput): Collected {
  const slots: Instant[] = [];
  let slot: Instant | undefined = first;
  while (slot !== undefined && slot <= now) {
    if (slots.length === WALK) return bridge({ trigger, first, now, keep: misfire.max + ON_TIME });
    slots.push(slot);
    slot = slotAfter(trigger, slot);
  }
  return { slots, bridged: undefined, next: slot };
}

/** Finds the newest slots at or before `now` without walking from `first`: years of seconds cost no more than a day. */
function bridge(search: { trigger: Trigger; first: Instant; now: Instant; keep: number }): Collected {
  const { trigger, first, now } = search;
  const keep = Math.min(search.keep, WALK);
  for (let span = 1000; ; span *= 2) {
    const from = Math.max(now - span, first);
    const tail = walkTail(trigger, { from, now, keep });
    if (tail.slots.length < keep && from > first) continue;
    const [oldest] = tail.slots;
    if (oldest === undefined) continue;
    return {
      slots: tail.slots,
      bridged: { from: first, through: lastBefore(trigger, first, oldest) },
      next: tail.next,
    };
  }
}

/** The newest `keep` slots in (from, now]. */
function walkTail(trigger: Trigger, window: { from: Instant; now: Instant; keep: number }) {
  const slots: Instant[] = [];
  let slot = slotAfter(trigger, window.from);
  while (slot !== undefined && slot <= window.now) {
    slots.push(slot);
    if (slots.length > 2 * window.keep) slots.splice(0, slots.length - window.keep);
    slot = slotAfter(trigger, slot);
  }
  return { slots: slots.slice(-window.keep), next: slot };
}

/** The last slot before `end`, where `first` is one. */
function lastBefore(trigger: Trigger, first: Instant, end: Instant): Instant {
  for (let span = 1000; ; span *= 2) {
    const from = Math.max(end - span, first);
    const { slots } = walkTail(trigger, { from, now: end - 1, keep: 1 });
    const [last] = slots;
    if (last !== undefined) return last;
    if (from === first) return first;
  }
}

/** Groups neighbouring lost slots; slots between them that ran, or were decided before, part two stretches. */
function stretches(
  slots: readonly Instant[],
  lost: ReadonlySet<Instant>,
  bridged: Stretch | undefined,
): Stretch[] {
  const found: Stretch[] = bridged === undefined ? [] : [bridged];
  let open = bridged !== undefined;
  for (const slot of slots) {
    const last = found.at(-1);
    if (!lost.has(slot)) open = false;
    else if (open && last !== undefined) found[found.length - 1] = extend(last, slot);
    else {
      found.push({ from: slot, through: slot, count: 1 });
      open = true;
    }
  }
  return found;
}

function extend(stretch: Stretch, slot: Instant): Stretch {
  const { from, count } = stretch;
  return count === undefined ? { from, through: slot } : { from, through: slot, count: count + 1 };
}
