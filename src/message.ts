/** What others are told of jobs, and what follows from that: words like those of model.ts. */
import type { Expectation, Instant, JobId, Notice, RunRecord, SkipRecord } from './model.ts';

/** Which part of `expect` did not come true. */
export type Lateness = keyof Expectation;

/** What others were told of a job, and what that follows from. Outlives the daemon. */
export interface Told {
  /** What is expected of it counts from here. */
  readonly since: Instant;
  /** Runs in a row that did not succeed. */
  readonly failures: number;
  /** When the first of them ended. */
  readonly failingSince?: Instant;
  /** The failure was told, so its end will be. */
  readonly failureTold?: boolean;
  /** The lateness that was told and is not over. */
  readonly late?: Lateness;
  /** When slots were skipped last; gone after a run without any. */
  readonly missedAt?: Instant;
  /** End and scheduled time of the newest success. */
  readonly succeededAt?: Instant;
  readonly succeededSlot?: Instant;
}

interface MessageBase {
  /** A UUIDv7, by which a receiver can tell a repetition. */
  readonly id: string;
  readonly jobId: JobId;
  /** The moment of the decision. */
  readonly at: Instant;
}

/** Something on its way to somebody. Names who, never how: addresses and secrets are looked up when it is delivered. */
export type Message =
  | (MessageBase & {
      readonly kind: 'notice';
      /** Name of a notifier. */
      readonly to: string;
      readonly notice: Notice | 'test';
      readonly description?: string;
      /** Zone of the job. */
      readonly timezone: string;
      readonly run?: RunRecord;
      readonly skip?: SkipRecord;
      /** `since`: the run's start, the time of day that has passed, or the last success. */
      readonly late?: { readonly what: Lateness; readonly expect: Expectation; readonly since: Instant };
      /** Failures in a row: until now, or until this success. */
      readonly failures?: number;
      readonly failingSince?: Instant;
    })
  | (MessageBase & {
      readonly kind: 'ping';
      /** With the attempts as far as they have come. */
      readonly run: RunRecord;
    });

/** Something that somebody is told of a job. */
export type NoticeMessage = Extract<Message, { readonly kind: 'notice' }>;
