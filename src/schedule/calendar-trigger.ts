/** A trigger whose slots keep to the days that calendars allow. */
import type { Day, DayRule } from '../calendar.ts';
import type { Instant } from '../model.ts';
import { allowedFrom, localDay, refusalOf, type DayRefusal } from './calendar.ts';
import { slotUpTo } from './previous.ts';
import type { SlotDays, SlotFate, Stretch, Trigger } from './slots.ts';
import { DAY, fromNominal, LATEST, type Zone } from './zone.ts';

/** What has no slot within this time never has. */
const HORIZON = 50 * 366 * DAY;
/** Days looked at for a slot, in one question: rare slots on days that are hardly ever allowed. */
const MOST_DAYS = 20_000;
/** Excluded slots that are counted one by one, and days looked at for them, in one question. */
const MOST_COUNTED = 10_000;
const MOST_EXCLUDED_DAYS = 1100;
/** No clock change is longer than this, but for those that skip a whole day. */
const LONGEST_CHANGE = 3 * 3_600_000;

export class CalendarTrigger implements Trigger, SlotDays {
  readonly #base: Trigger;
  readonly #rule: DayRule;
  readonly #zone: Zone;
  // The last answer: no slot lies in (askedAfter, answer), so it answers every question in between.
  #askedAfter = Number.POSITIVE_INFINITY;
  #answer = Number.NEGATIVE_INFINITY;
  #lastExcluded: { after: Instant; through: Instant; stretches: readonly Stretch[] } | undefined;

  /** `base` yields the slots as if every day were allowed. */
  constructor(base: Trigger, rule: DayRule, zone: Zone) {
    this.#base = base;
    this.#rule = rule;
    this.#zone = zone;
  }

  get days(): SlotDays {
    return this;
  }

  next(after: Instant): Instant | undefined {
    if (after >= this.#askedAfter && after < this.#answer) return this.#answer;
    const answer = this.#search(Math.max(after, -LATEST));
    if (answer === undefined) return undefined;
    this.#askedAfter = after;
    this.#answer = answer;
    return answer;
  }

  /** Stretches of slots in (after, through] on days that are not allowed, oldest first. Slots that move are none of them. */
  excluded(after: Instant, through: Instant): readonly Stretch[] {
    if (this.#rule.roll !== 'skip' || !(after < through)) return [];
    const known = this.#lastExcluded;
    if (known?.after === after && known.through === through) return known.stretches;
    const stretches = this.#excluded(after, through);
    this.#lastExcluded = { after, through, stretches };
    return stretches;
  }

  /** What becomes of the slot that would be there if every day were allowed; undefined where there is none, or it is allowed. */
  fateOf(at: Instant): SlotFate | undefined {
    if (this.#base.next(at - 1) !== at) return undefined;
    const day = this.#dayOf(at);
    const refusal = refusalOf(this.#rule, day);
    if (refusal === undefined) return undefined;
    const to = this.#target(day);
    return to === undefined
      ? { kind: 'excluded', refusal }
      : { kind: 'rolled', refusal, to: this.#moved(at, to) };
  }

  /** The slot on a day that is not allowed, if it was one, that moved to `at`. */
  rolledFrom(at: Instant): { readonly from: Instant; readonly refusal: DayRefusal } | undefined {
    if (this.#base.next(at - 1) === at) return undefined;
    const day = this.#dayOf(at);
    const { from, through } = this.#sources(day);
    for (let source = from; source <= through; source += 1) {
      if (source === day) continue;
      const slot = this.#leastOn(source, day, at - 1);
      const refusal = slot?.at === at ? refusalOf(this.#rule, source) : undefined;
      if (slot !== undefined && refusal !== undefined) return { from: slot.origin, refusal };
    }
    return undefined;
  }

  #search(after: Instant): Instant | undefined {
    const end = Math.min(after + HORIZON, LATEST - 2 * DAY);
    let day = allowedFrom(this.#rule, this.#dayOf(after));
    for (let tried = 0; day !== undefined && tried < MOST_DAYS; tried += 1) {
      const { from, through } = this.#sources(day);
      const slot = this.#base.next(this.#startOf(from) - 1);
      if (slot === undefined || slot > end) return undefined;
      const nearest = this.#dayOf(slot);
      if (nearest > through) {
        // Nothing moves to this day; on to the one that the slot found moves to.
        day = this.#target(nearest) ?? allowedFrom(this.#rule, nearest + 1);
        continue;
      }
      let least: Instant | undefined;
      for (let source = from; source <= through; source += 1) {
        const found = this.#leastOn(source, day, after)?.at;
        if (found !== undefined && (least === undefined || found < least)) least = found;
      }
      if (least !== undefined) return least;
      day = allowedFrom(this.#rule, day + 1);
    }
    return undefined;
  }

  /** The days whose slots are on this one in the end: itself, and those that are not allowed beside it. */
  #sources(day: Day): { from: Day; through: Day } {
    const { roll } = this.#rule;
    if (roll === 'skip') return { from: day, through: day };
    // Where nothing is allowed far and wide, slots have nowhere to come from either.
    if (roll === 'next') return { from: (allowedFrom(this.#rule, day - 1, -1) ?? day - 1) + 1, through: day };
    return { from: day, through: (allowedFrom(this.#rule, day + 1) ?? day + 1) - 1 };
  }

  /** Where the slots of a day go: undefined where they are left out. */
  #target(day: Day): Day | undefined {
    const { roll } = this.#rule;
    if (roll === 'skip') return refusalOf(this.#rule, day) === undefined ? day : undefined;
    return allowedFrom(this.#rule, day, roll === 'next' ? 1 : -1);
  }

  /** The first slot of the day `source` that, moved to `day`, comes later than `after`. */
  #leastOn(source: Day, day: Day, after: Instant): { at: Instant; origin: Instant } | undefined {
    const start = this.#startOf(source) - 1;
    let from = start;
    if (source === day) from = Math.max(start, after);
    else if (this.#dayOf(after) === day) {
      // Times of day map in order, but on a day on which clocks change.
      const slack = this.#changes(source) || this.#changes(day) ? LONGEST_CHANGE : 0;
      const reading = after + this.#zone.at(after).offset + (source - day) * DAY;
      from = Math.max(start, this.#instantOf(reading) - slack);
    } else if (this.#dayOf(after) > day) return undefined;
    for (let slot = this.#base.next(from); slot !== undefined; slot = this.#base.next(slot)) {
      if (this.#dayOf(slot) !== source) return undefined;
      const at = this.#moved(slot, day);
      if (at > after) return { at, origin: slot };
    }
    return undefined;
  }

  #moved(slot: Instant, day: Day): Instant {
    const reading = slot + this.#zone.at(slot).offset;
    const from = Math.floor(reading / DAY);
    return from === day ? slot : this.#instantOf(reading + (day - from) * DAY);
  }

  #excluded(after: Instant, through: Instant): readonly Stretch[] {
    const stretches: Stretch[] = [];
    let left = MOST_COUNTED;
    const last = this.#dayOf(through);
    const first = Math.max(this.#dayOf(after), last - MOST_EXCLUDED_DAYS);
    for (let day = first; day <= last; day += 1) {
      if (refusalOf(this.#rule, day) === undefined) continue;
      const from = day;
      while (day < last && refusalOf(this.#rule, day + 1) !== undefined) day += 1;
      const low = Math.max(this.#startOf(from) - 1, after);
      const high = Math.min(this.#startOf(day + 1) - 1, through);
      const stretch = this.#stretch(low, high, left);
      if (stretch === undefined) continue;
      left -= stretch.count ?? left;
      stretches.push(stretch);
    }
    return stretches;
  }

  /** The slots in (low, high] as one stretch, counted if there are not more than `most`. */
  #stretch(low: Instant, high: Instant, most: number): Stretch | undefined {
    const from = this.#base.next(low);
    if (from === undefined || from > high) return undefined;
    let count = 0;
    let through = from;
    for (let slot: Instant | undefined = from; slot !== undefined && slot <= high;) {
      if (count >= most) return { from, through: slotUpTo(this.#base, high) ?? through };
      count += 1;
      through = slot;
      slot = this.#base.next(slot);
    }
    return { from, through, count };
  }

  #dayOf(at: Instant): Day {
    return localDay(at, this.#zone.at(at).offset);
  }

  #changes(day: Day): boolean {
    return this.#startOf(day + 1) - this.#startOf(day) !== DAY;
  }

  /** The first moment of a day. */
  #startOf(day: Day): Instant {
    const reading = fromNominal(this.#zone, day * DAY);
    return reading.kind === 'never' ? reading.span.changedAt : firstOf(reading);
  }

  /** As cron times go: what clocks skip comes later by as much, of what comes twice the first is taken. */
  #instantOf(nominal: number): Instant {
    const reading = fromNominal(this.#zone, nominal);
    return reading.kind === 'never' ? reading.shifted : firstOf(reading);
  }
}

function firstOf(reading: { kind: 'once'; instant: Instant } | { kind: 'twice'; first: Instant }): Instant {
  return reading.kind === 'once' ? reading.instant : reading.first;
}
