/** Keeps an eye on how far this node's clock is from the database's, and says so. */
import type { Duration } from '../model.ts';
import { SKEW_BORNE, SKEW_WARNED } from './lease.ts';
import { isBeyond, skewOf, withTrip, type RoundTrip } from './skew.ts';

export class ClockWatch {
  readonly #say: (level: 'notice' | 'warning', message: string) => void;
  #trips: readonly RoundTrip[] = [];
  #isWarned = false;

  constructor(say: (level: 'notice' | 'warning', message: string) => void) {
    this.#say = say;
  }

  /** This node's clock minus the database's. */
  get skew(): Duration {
    return skewOf(this.#trips).skew;
  }

  /** It does not conduct with such a clock. */
  get isTooFar(): boolean {
    return isBeyond(skewOf(this.#trips), SKEW_BORNE);
  }

  measure(trip: RoundTrip): void {
    const wasTooFar = this.isTooFar;
    this.#trips = withTrip(this.#trips, trip);
    const isOff = isBeyond(skewOf(this.#trips), SKEW_WARNED);
    const isWorse = this.isTooFar && !wasTooFar;
    if (isOff && (!this.#isWarned || isWorse)) this.#warn();
    if (!isOff && this.#isWarned) this.#say('notice', "this node's clock agrees with the database's again");
    this.#isWarned = isOff;
  }

  #warn(): void {
    const off = `${(Math.abs(this.skew) / 1000).toFixed(1)} s ${this.skew > 0 ? 'ahead of' : 'behind'} the database's`;
    const so = this.isTooFar ? `; beyond ${SKEW_BORNE / 1000} s a node does not conduct` : '';
    this.#say('warning', `this node's clock is ${off}${so}; set it, or let NTP do that`);
  }
}
