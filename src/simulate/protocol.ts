/** What the daemon and the thread that simulates say to each other. */
import type { Duration, Instant, JobDefinition } from '../model.ts';
import type { SimulationInput } from './simulate.ts';

/** What the thread begins with; the jobs follow in pieces, then an empty one. */
export interface Task {
  readonly from: Instant;
  readonly to: Instant;
  readonly seed: number | undefined;
  readonly bounds: SimulationInput['bounds'];
  readonly pools: SimulationInput['pools'];
  /** Undefined: history is in memory alone, so that all lengths are assumed. */
  readonly database: string | undefined;
  readonly most: number;
  /** After which it tells how far it came. */
  readonly patience: Duration;
}

export type Piece = readonly JobDefinition[];

/** As JSON, ready to be sent. */
export type Result = { readonly json: string } | { readonly trouble: string };
