/** Who is told of a job, and of what, as data. Imports nothing. */

/** Milliseconds. */
type Duration = number;

/**
 * What somebody may be told of a job.
 * failure   a run did not succeed: at the first, or the `after`th in a row, not at each
 * recovery  a run succeeded again, after a failure or a lateness that was told
 * success   a run succeeded: each time
 * late      what `expect` says has not come true
 * missed    slots became no runs (misfire, overlap, limit)
 */
export type Notice = 'failure' | 'recovery' | 'success' | 'late' | 'missed';

/** Who is told of what: names of notifiers. */
export interface NotifyPolicy extends Readonly<Record<Notice, readonly string[]>> {
  /** Failures in a row before the first word. */
  readonly after: number;
}

/** An address of a check as healthchecks.io has them, that hears of each run's start and end. The address is a secret. */
export interface PingPolicy {
  readonly url: string;
  /** Whether it hears of starts too. */
  readonly start: boolean;
  /** Whether it gets the end of the output. */
  readonly output: boolean;
}

/** What is expected of a job, beside success. */
export interface Expectation {
  /** Longest time of a run. */
  readonly duration?: Duration;
  /** Time of day in the job's zone, `HH:MM`, by which what was due since the day before has succeeded. */
  readonly finishedBy?: string;
  /** Longest time from success to success. */
  readonly every?: Duration;
}

/** Who hears of a job. Jobs written alike share one object. */
export interface Telling {
  readonly notify: NotifyPolicy;
  readonly ping?: PingPolicy;
  readonly expect?: Expectation;
}

/** How somebody is told. Holds secrets: never shown. */
export type Notifier = {
  /** More messages than this within a minute come as one; 0: never. Absent: as usual. */
  readonly digest?: number;
} & (
  | {
      readonly kind: 'mail';
      readonly to: readonly string[];
      /** Absent: tsched at this host. */
      readonly from?: string;
      /** `smtp:` or `smtps:`, with user and password if need be. */
      readonly smtp: string;
    }
  | {
      readonly kind: 'webhook';
      readonly url: string;
      readonly format: 'json' | 'slack' | 'discord' | 'teams' | 'ntfy';
      /** Signs the body. */
      readonly secret?: string;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'command'; readonly argv: readonly string[]; readonly cwd: string }
);

/** By name. */
export type Notifiers = Readonly<Record<string, Notifier>>;
