/**
 * Time zones as stretches of constant offset.
 *
 * A zone's offsets come from an offset source, Intl unless another is installed: its first use costs some 16 ms, and
 * 1 us for each answer after. They are asked for in blocks of days, and kept.
 */
import type { Duration, Instant } from '../model.ts';

export { canonicalZone, checkZone } from './zone-name.ts';

/**
 * Reads offsets. Calls `read` once, before it returns, with a function that gives the zone's offset from UTC at an
 * instant, in milliseconds, positive in the east. The function is not used after `read` has returned.
 */
export type OffsetSource = <T>(timezone: string, read: (offsetAt: (instant: Instant) => Duration) => T) => T;

/** A stretch of time, [from, until), in which the zone's offset does not change. */
export interface Span {
  readonly from: Instant;
  readonly until: Instant;
  readonly offset: Duration;
  /** The last clock change up to `from`, if it lies less than two days back; else -Infinity. */
  readonly changedAt: Instant;
  /** The offset before that change; equal to `offset` when there was none. */
  readonly before: Duration;
  /** End of the time that change touches: [changedAt, settled) is as long as the gap or overlap; -Infinity if none. */
  readonly settled: Instant;
}

export const DAY: Duration = 86_400_000;
/** No gap and no overlap is longer than a day (Apia 2011, Manila 1844). */
const REACH = 2 * DAY;
const BLOCK = 96 * DAY;
/** Reached only by mischief. */
const MOST_FAR_BLOCKS = 1000;
const isNear = (block: number): boolean => block >= 0 && block < 496;
/** Zones have kept local mean time until long after; and Date.UTC takes the years 0 to 99 for those of 1900. */
const EARLIEST = Date.UTC(100, 0, 3);
/** 2100: all changes that are fixed by table (Ramadan, until 2087) are over. */
const LASTING = Date.UTC(2100, 0, 1);
const CYCLE = 146_097 * DAY;
/** The last instant JavaScript can hold. */
export const LATEST = 8.64e15;
const FIXED = /^(?:Etc\/)?(?:UTC|UCT|GMT|Zulu|Universal|Greenwich)$/i;

export class Zone {
  readonly name: string;
  private hint: Span;
  /** By number of the block; those of 1970 to 2100 in an array, which is quicker to look into. */
  private readonly near: (readonly Span[] | undefined)[] = [];
  private readonly far = new Map<number, readonly Span[]>();

  constructor(name: string) {
    this.name = name;
    this.hint = FIXED.test(name) ? UTC : NOWHERE;
  }

  /** The span that holds the instant. */
  at(instant: Instant): Span {
    const hint = this.hint;
    if (instant >= hint.from && instant < hint.until) return hint;
    const key = Math.floor(instant / BLOCK);
    const spans = (isNear(key) ? this.near[key] : this.far.get(key)) ?? this.load(key);
    // Called for every question: a plain loop, for its speed.
    let span = hint;
    for (span of spans) if (instant < span.until) break;
    this.hint = span;
    return span;
  }

  private load(key: number): readonly Span[] {
    const spans = source(this.name, (offsetAt) => readBlock(key * BLOCK, offsetAt));
    if (isNear(key)) {
      // Filled in order, so that it stays an array without holes.
      while (this.near.length <= key) this.near.push(undefined);
      this.near[key] = spans;
    } else {
      if (this.far.size >= MOST_FAR_BLOCKS) this.far.clear();
      this.far.set(key, spans);
    }
    return spans;
  }
}

const UTC: Span = {
  from: Number.NEGATIVE_INFINITY,
  until: Number.POSITIVE_INFINITY,
  offset: 0,
  changedAt: Number.NEGATIVE_INFINITY,
  before: 0,
  settled: Number.NEGATIVE_INFINITY,
};
const NOWHERE: Span = { ...UTC, until: Number.NEGATIVE_INFINITY };

/** The spans of one block, in order; each knows of a change up to two days before the block. */
function readBlock(start: Instant, read: (instant: Instant) => Duration): readonly Span[] {
  const offsetAt = (instant: Instant): Duration => read(folded(instant));
  const end = start + BLOCK;
  const spans: Span[] = [];
  let from = start;
  let offset = offsetAt(start - REACH);
  let change = { changedAt: Number.NEGATIVE_INFINITY, before: offset, settled: Number.NEGATIVE_INFINITY };
  for (let sampled = start - REACH; sampled < end;) {
    const next = sampled + DAY;
    if (offsetAt(next) === offset) {
      sampled = next;
      continue;
    }
    const at = firstOther(sampled, next, (instant) => offsetAt(instant) === offset);
    if (at >= end) break;
    if (at > start) {
      spans.push({ from, until: at, offset, ...change });
      from = at;
    }
    const after = offsetAt(at);
    change = { changedAt: at, before: offset, settled: at + Math.abs(after - offset) };
    offset = after;
    sampled = at;
  }
  spans.push({ from, until: end, offset, ...change });
  return spans;
}

/**
 * An instant with the same clock rules in a year that is quick to ask for. Rules that are to last repeat with the calendar,
 * every 400 years; ICU works its way there year by year, which takes a minute for the last years there are.
 */
function folded(instant: Instant): Instant {
  if (instant < EARLIEST) return EARLIEST;
  return instant < LASTING + CYCLE ? instant : LASTING + ((instant - LASTING) % CYCLE);
}

/** The first whole second in (low, high] at which `same` no longer holds. */
function firstOther(low: Instant, high: Instant, same: (instant: Instant) => boolean): Instant {
  let last = Math.floor(low / 1000);
  let other = Math.ceil(high / 1000);
  while (other - last > 1) {
    const middle = Math.floor((last + other) / 2);
    if (same(middle * 1000)) last = middle;
    else other = middle;
  }
  return other * 1000;
}

const zones = new Map<string, Zone>();
let source: OffsetSource = intlSource;

/** Installs another source of offsets and forgets what the last one said. Triggers made before keep their zones. */
export function setOffsetSource(replacement: OffsetSource): void {
  source = replacement;
  zones.clear();
}

/** The zone of that name, which must have passed `checkZone`; always the same object for the same name. */
export function zoneOf(name: string): Zone {
  let zone = zones.get(name);
  if (zone === undefined) zones.set(name, (zone = new Zone(name)));
  return zone;
}

/**
 * Offsets from Intl, which carries Node's own zone data.
 * @throws RangeError for a zone that does not exist
 */
export function intlSource<T>(timezone: string, read: (offsetAt: (instant: Instant) => Duration) => T): T {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return read((instant) => {
    const whole = Math.floor(instant / 1000) * 1000;
    const [month = 1, day = 1, year = 1970, hour = 0, minute = 0, second = 0] = (
      format.format(whole).match(/\d+/g) ?? []
    ).map(Number);
    return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
  });
}

/** What a wall-clock time is in a zone. */
export type Reading =
  | { readonly kind: 'once'; readonly instant: Instant }
  /** Clocks go back: it comes twice. */
  | { readonly kind: 'twice'; readonly first: Instant; readonly second: Instant; readonly changedAt: Instant }
  /** Clocks go forward past it: it never comes. `shifted` is that much later as the clocks skip. */
  | { readonly kind: 'never'; readonly shifted: Instant; readonly span: Span };

/** The instants at which a zone's wall clocks show a nominal time. */
export function fromNominal(zone: Zone, nominal: number): Reading {
  const found: Instant[] = [];
  let gap: Span | undefined;
  for (let span = zone.at(nominal - REACH); span.from < nominal + REACH; span = zone.at(span.until)) {
    const instant = nominal - span.offset;
    if (instant >= Math.max(span.from, span.changedAt) && instant < span.until) found.push(instant);
    const isGap =
      span.offset > span.before &&
      nominal >= span.changedAt + span.before &&
      nominal < span.changedAt + span.offset;
    if (isGap) gap = span;
    if (span.until === Number.POSITIVE_INFINITY) break;
  }
  const [first, second] = found;
  if (first !== undefined && second !== undefined) {
    return { kind: 'twice', first, second, changedAt: zone.at(second).changedAt };
  }
  if (first !== undefined) return { kind: 'once', instant: first };
  return gap === undefined
    ? { kind: 'once', instant: nominal - zone.at(nominal).offset }
    : { kind: 'never', shifted: nominal - gap.before, span: gap };
}
