/** How far a clock is from the database's, as round trips tell. Pure. */
import type { Duration, Instant } from '../model.ts';

/** One round trip: the database told its time somewhere on the way. */
export interface RoundTrip {
  /** This node's clock in the middle of it, minus what the database told. */
  readonly skew: Duration;
  /** By the monotonic clock: the error is at most half of it. */
  readonly took: Duration;
}

/** Older ones tell nothing of how the clock runs now. */
const KEPT = 5;
/** Beyond what round trips explain: the clock was set. */
const STEP: Duration = 200;

export function roundTrip(end: Instant, took: Duration, told: Instant): RoundTrip {
  return { skew: end - took / 2 - told, took };
}

/** The newest last. A round trip that the earlier ones cannot explain makes them worthless: one of the clocks was set. */
export function withTrip(trips: readonly RoundTrip[], trip: RoundTrip): readonly RoundTrip[] {
  const isStep = ({ skew, took }: RoundTrip): boolean =>
    Math.abs(skew - trip.skew) > (took + trip.took) / 2 + STEP;
  return trips.some(isStep) ? [trip] : [...trips, trip].slice(-KEPT);
}

/** By the shortest round trip, which errs least. */
export function skewOf(trips: readonly RoundTrip[]): RoundTrip {
  return trips.reduce(
    (best, trip) => (trip.took < best.took ? trip : best),
    trips[0] ?? { skew: 0, took: 0 },
  );
}

/** Whether it is more than `bound`, however the round trip went. */
export function isBeyond({ skew, took }: RoundTrip, bound: Duration): boolean {
  return Math.abs(skew) - took / 2 > bound;
}
