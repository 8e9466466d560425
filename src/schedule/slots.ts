import type { Instant } from '../model.ts';
import type { DayRefusal } from './calendar.ts';

/** The rule that yields a job's slots. */
export interface Trigger {
  /**
   * The least instant strictly later than `after`; undefined when none ever comes. A pure function: equal questions
   * give equal answers, in any order.
   */
  next(after: Instant): Instant | undefined;
  /** What calendars make of its slots; absent where they have no say. */
  readonly days?: SlotDays;
}

/** Consecutive slots that share a fate. */
export interface Stretch {
  readonly from: Instant;
  readonly through: Instant;
  /** Absent when there were too many to count within a tick. */
  readonly count?: number;
}

/** What becomes of a slot on a day that is not allowed. */
export type SlotFate =
  | { readonly kind: 'excluded'; readonly refusal: DayRefusal }
  | { readonly kind: 'rolled'; readonly refusal: DayRefusal; readonly to: Instant };

/** Slots that calendars left out or moved: what `next` does not tell. */
export interface SlotDays {
  /** Stretches of slots in (after, through] that were left out, oldest first. */
  excluded(after: Instant, through: Instant): readonly Stretch[];
  /** What becomes of a slot at that time; undefined where there would be none, or its day is allowed. */
  fateOf(at: Instant): SlotFate | undefined;
  /** The slot that moved to be at this time; undefined where none did, or where one is there by itself. */
  rolledFrom(at: Instant): { readonly from: Instant; readonly refusal: DayRefusal } | undefined;
}
