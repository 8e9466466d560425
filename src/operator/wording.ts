import type { Answer, Explanation, ExplainQuestion } from '../engine/ports-operator.ts';
import type { Instant, JobId, Schedule } from '../model.ts';

/** How schedules and times are told: the words of the command line, so that all who ask read the same. */
export interface Wording {
  asWritten(schedule: Schedule): string;
  inWords(schedule: Schedule, jobId: JobId): string;
  /** As the clock on the wall has it then, with the offset. */
  local(at: Instant, timezone: string): string;
  explain(question: ExplainQuestion, now: Instant): Answer<Explanation>;
}
