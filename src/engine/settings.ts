import type { Instant, JobId } from '../model.ts';

export interface EngineSettings {
  /** Most runs of the whole daemon at once; Infinity: no bound. */
  readonly maxConcurrentRuns: number;
  /** Of those that have a process of their own; absent: no bound. */
  readonly maxProcessRuns?: number;
  /** Of modules in threads; absent: no bound. */
  readonly maxThreadRuns?: number;
  /** When the host booted: the slot of `startup: boot`. */
  readonly bootedAt: Instant;
  /**
   * Since when somebody has been deciding without a gap: the slot of `startup`, be it of the daemon or of a boot, where an engine takes over
   * from that of another node; absent: its own start.
   */
  readonly upSince?: Instant;
}

/** What a new set of jobs changed. */
export interface ApplySummary {
  readonly added: readonly JobId[];
  readonly changed: readonly JobId[];
  readonly removed: readonly JobId[];
  readonly unchanged: number;
}
