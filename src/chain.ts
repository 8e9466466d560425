/** How jobs depend on one another, as data. Imports nothing. */

/** The end of other jobs' runs: a slot of the follower has the scheduled time of the runs it follows. */
export interface AfterTrigger {
  readonly kind: 'after';
  /** At least one. */
  readonly jobs: readonly string[];
  /** Which ends count. A cancelled run is neither success nor failure. */
  readonly on: 'success' | 'failure' | 'finish';
  /** Of all of them, joined by equal scheduled time; or of the first one. */
  readonly when: 'all' | 'any';
}

/** The jobs whose newest due run must have succeeded before a slot runs. Jobs written alike share one object. */
export interface NeedsPolicy {
  readonly jobs: readonly string[];
  /** How long a slot waits for that, in milliseconds. */
  readonly timeout: number;
  /** What becomes of one that waited in vain. */
  readonly failed: 'skip' | 'fail' | 'run';
}
