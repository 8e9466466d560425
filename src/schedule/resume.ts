import type { Duration, MisfirePolicy } from '../model.ts';
import { MOMENT } from './plan.ts';

/**
 * Whether an attempt that was about to begin when the daemon died is begun now, `late` after its claim. It is a misfire
 * like any other, of a slot that is this run's already.
 */
export function isStillWanted(misfire: MisfirePolicy, late: Duration): boolean {
  if (late < MOMENT) return true;
  return misfire.run !== 'none' && late <= (misfire.grace ?? Number.POSITIVE_INFINITY);
}
