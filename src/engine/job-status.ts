import type { Instant, JobDefinition, Pause, RunRecord, Waited } from '../model.ts';
import type { ArmedJob } from './job.ts';

/** A job as it stands now. */
export interface JobStatus {
  readonly definition: JobDefinition;
  readonly nextSlot: Instant | undefined;
  readonly state: 'enabled' | 'disabled' | 'paused' | 'faulted';
  /** Of a job that is paused now. */
  readonly pause: Pause | undefined;
  /** Why its trigger was stopped, if it was. */
  readonly fault: string | undefined;
  readonly active: readonly RunRecord[];
  /** Slots that wait for their turn. */
  readonly waiting: number;
  /** What the oldest of them, or a run by hand, waits for, if that is a limit. */
  readonly waitsFor: Waited | undefined;
}

export function statusOf(job: ArmedJob, now: Instant): JobStatus {
  const { definition, nextSlot, fault } = job;
  return {
    definition,
    nextSlot,
    state: stateOf(job, now),
    pause: job.isPaused(now) ? job.pause : undefined,
    fault,
    active: job.active.map(({ record }) => record),
    waiting: job.waiting.length + job.inLine.length + job.held.length,
    waitsFor: waitsFor(job),
  };
}

function stateOf(job: ArmedJob, now: Instant): JobStatus['state'] {
  if (job.fault !== undefined) return 'faulted';
  if (!job.definition.enabled) return 'disabled';
  return job.isPaused(now) ? 'paused' : 'enabled';
}

function waitsFor({ active, inLine }: ArmedJob): Waited | undefined {
  const [first] = inLine;
  if (first === undefined) return active.find(({ state }) => state === 'waiting')?.claim.waited;
  const { limit, waited } = first.standing;
  return limit === undefined || waited === undefined ? waited : limit.awaited(waited.since);
}
