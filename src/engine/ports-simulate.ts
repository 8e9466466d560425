/** What may be asked of a daemon about a time to come. */
import type { Instant } from '../model.ts';

export interface SimulationRequest {
  /** Default: now. */
  readonly from?: Instant | undefined;
  /** Default: a day later. */
  readonly to?: Instant | undefined;
  /** Draws lengths of runs from those in history; without it their median is taken. */
  readonly seed?: number | undefined;
  /** A job file to play in place of the daemon's own. */
  readonly text?: string | undefined;
}
