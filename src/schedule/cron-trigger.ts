import type { DstRule, Instant } from '../model.ts';
import type { CronFields } from './cron-fields.ts';
import { NominalWalk } from './walk.ts';
import type { Span, Zone } from './zone.ts';
import { DAY, LATEST } from './zone.ts';

/**
 * What does not fire within this time never does. The rarest dates, five Mondays in February, are up to 40 years apart;
 * but `30 2 * 3 SUNL` with `gap: skip`, say, names nothing but times that never come.
 */
const HORIZON = 50 * 366 * DAY;
/** No two offsets of a zone, and no clock change, are further apart. */
const REACH = 2 * DAY;

/** How a cron expression meets clock changes, all decided. */
export interface ClockChangeRule {
  /** What becomes of times that do not exist. */
  readonly gap: 'run_after' | 'skip';
  /** What becomes of times that come twice. */
  readonly overlap: 'first' | 'both';
}

/**
 * The rule of an expression: hour-bound ones (the hour field does not allow all 24) fire each named time exactly once;
 * every-hour ones fire whenever the wall clock shows a match. `dst:` overrides either half.
 */
export function clockChangeRule(fields: CronFields, dst: DstRule): ClockChangeRule {
  const everyHour = fields.hours.length === 24;
  return {
    gap: dst.gap ?? (everyHour ? 'skip' : 'run_after'),
    overlap: dst.overlap ?? (everyHour ? 'both' : 'first'),
  };
}

/**
 * One cron expression in one zone: the nominal walk, mapped to instants span by span in closed form.
 *
 * In a span of offset o, nominal n is the instant n - o. A span that begins with a gap (at T, offset before o1) also
 * yields the nominals of the gap, [T + o1, T + o), at n - o1: shifted later by the size of the gap. One that begins with an overlap
 * leaves out the nominals before T + o1, which the span before has had.
 */
export class CronTrigger {
  /** The nominal times, before any zone. */
  readonly walk: NominalWalk;
  readonly zone: Zone;
  readonly rule: ClockChangeRule;
  private readonly runAfterGap: boolean;
  private readonly firstOnly: boolean;
  // The last answer: no instant matches in (askedAfter, answer), so it answers every question in between.
  private askedAfter = Number.POSITIVE_INFINITY;
  private answer = Number.NEGATIVE_INFINITY;

  constructor(fields: CronFields, zone: Zone, rule: ClockChangeRule) {
    this.walk = new NominalWalk(fields);
    this.zone = zone;
    this.rule = rule;
    this.runAfterGap = rule.gap === 'run_after';
    this.firstOnly = rule.overlap === 'first';
  }

  /** The least instant of the expression strictly later than `after`; undefined when there is none in 50 years. */
  next(after: Instant): Instant | undefined {
    if (after >= this.askedAfter && after < this.answer) return this.answer;
    const answer = this.search(after);
    if (answer === undefined) return undefined;
    this.askedAfter = after;
    this.answer = answer;
    return answer;
  }

  private search(after: Instant): Instant | undefined {
    let low = Math.max(after, -LATEST);
    const end = Math.min(low + HORIZON, LATEST);
    if (!(low < end)) return undefined;
    let span = this.zone.at(low);
    for (;;) {
      const found =
        low < span.settled
          ? this.leastAfterChange(span, low)
          : this.walk.after(low + span.offset) - span.offset;
      if (found > end) return undefined;
      if (found < span.until) return found;
      // `found` lies beyond the span. Nothing matches until shortly before it, but for readings that a change soon
      // after `low` repeats: far changes can be skipped.
      if (span.until > low + REACH) {
        const settled = this.inSettledSpan(found + span.offset, found);
        if (settled !== undefined) return settled;
        low = Math.max(span.until, found - REACH) - 1;
      } else {
        low = span.until - 1;
      }
      span = this.zone.at(low + 1);
    }
  }

  /** The instant of a nominal time, if the span near it is one where readings and instants run side by side. */
  private inSettledSpan(nominal: number, near: Instant): Instant | undefined {
    const span = this.zone.at(near);
    const instant = nominal - span.offset;
    return instant >= span.from && instant >= span.settled && instant < span.until ? instant : undefined;
  }

  /** The least candidate after `low` in a span whose beginning, touched by its clock change, is not yet over. */
  private leastAfterChange(span: Span, low: Instant): number {
    const { changedAt, before, offset } = span;
    if (offset < before) {
      const from = this.firstOnly ? Math.max(low + offset, changedAt + before - 1) : low + offset;
      return this.walk.after(from) - offset;
    }
    const regular = this.walk.after(low + offset) - offset;
    if (!this.runAfterGap) return regular;
    const skipped = this.walk.after(Math.max(low, changedAt - 1) + before);
    return skipped < changedAt + offset ? Math.min(regular, skipped - before) : regular;
  }
}
