import type { Answer, Explanation, ExplainQuestion, SlotAnswer, SlotLink } from '../engine/ports-operator.ts';
import type { Instant, JobDefinition, JobId, Pause, Place, Schedule, Waited } from '../model.ts';
import type { DaemonInfo } from '../store/daemon-file.ts';
import type { SlotPast } from '../store/history.ts';

/** What is known of a job that somebody asks about. */
export interface KnownJob {
  readonly id: JobId;
  /** Undefined when the job file cannot be read, or has no such job. */
  readonly job: JobDefinition | undefined;
  readonly schedule: Schedule | undefined;
  readonly place: Place | undefined;
  readonly pause: Pause | undefined;
  readonly daemon: DaemonInfo | 'unknown' | undefined;
  /** What a slot of it that waits, waits for. */
  readonly waitsFor?: Waited | undefined;
}

export interface WhyQuestion {
  readonly known: KnownJob;
  /** Undefined: no slot of it has come yet, and nothing is recorded. */
  readonly slot: Instant | undefined;
  readonly past: SlotPast | undefined;
  /** What became of what it follows and needs. */
  readonly links: readonly SlotLink[];
  /** That times are told in; else the job's. */
  readonly timezone?: string | undefined;
}

/** How schedules and times are told: the words of the command line, so that all who ask read the same. */
export interface Wording {
  asWritten(schedule: Schedule): string;
  inWords(schedule: Schedule, jobId: JobId): string;
  /** As the clock on the wall has it then, with the offset. */
  local(at: Instant, timezone: string): string;
  why(question: WhyQuestion, now: Instant): SlotAnswer;
  explain(question: ExplainQuestion, now: Instant): Answer<Explanation>;
}
