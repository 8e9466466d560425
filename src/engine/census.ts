import type { Instant } from '../model.ts';
import { soonest, type ArmedJob, type NextSlot } from './job.ts';

/** What a job's schedule leads to. `scheduled`: it has a next slot, or runs at a start; `ended`: no slot will come. */
export type Standing = 'scheduled' | 'paused' | 'disabled' | 'ended' | 'faulted';

/** How many jobs are in which state, how many slots wait, and what is due next. */
export interface Census {
  readonly jobs: Readonly<Record<Standing, number>>;
  readonly waiting: number;
  readonly next: NextSlot | undefined;
}

/** Makes nothing for a job that it counts: of 10,000 it is asked by whoever wants to know how the daemon is. */
export function censusOf(all: Iterable<ArmedJob>, now: Instant): Census {
  const jobs = { scheduled: 0, paused: 0, disabled: 0, ended: 0, faulted: 0 };
  let waiting = 0;
  const running: ArmedJob[] = [];
  for (const job of all) {
    if (!job.loaded) continue;
    const standing = standingOf(job, now);
    jobs[standing] += 1;
    waiting += job.waiting.length + job.inLine.length;
    if (standing === 'scheduled') running.push(job);
  }
  return { jobs, waiting, next: soonest(running) };
}

function standingOf(job: ArmedJob, now: Instant): Standing {
  const { definition, nextSlot, fault } = job;
  if (fault !== undefined) return 'faulted';
  if (!definition.enabled) return 'disabled';
  if (job.isPaused(now)) return 'paused';
  if (nextSlot !== undefined) return 'scheduled';
  return definition.schedule.triggers.some(({ kind }) => kind === 'startup') ? 'scheduled' : 'ended';
}
