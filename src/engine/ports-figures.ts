import type { Instant } from '../model.ts';

/** A daemon as a whole, in figures for metrics. */
export interface DaemonFigures {
  readonly version: string;
  readonly startedAt: Instant;
  readonly loadedAt: Instant;
  readonly fileIsGood: boolean;
  readonly reloads: Readonly<Record<'applied' | 'unchanged' | 'refused', number>>;
  readonly storeIsWell: boolean;
  /** Of the database and its log, in bytes; undefined without one. */
  readonly storeSize: number | undefined;
  /** Log lines that could be written nowhere. */
  readonly logDropped: number;
  /** How often the watchdog of the service manager was fed. */
  readonly watchdogPings: number;
}

/** Whether the daemon can keep its promises now, and what stands in the way. */
export interface Readiness {
  readonly ready: boolean;
  readonly problems: readonly string[];
}
