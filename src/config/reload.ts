/** Whether a result of reading the job file again is taken over, and what is said about it. Pure. */
import type { LoadedFile, LoadResult } from './job-file.ts';

export type ReloadDecision =
  /** Nothing in the files has changed. */
  | { readonly kind: 'unchanged' }
  /** Apply the new set; `alarm` is said loudly. */
  | { readonly kind: 'apply'; readonly file: LoadedFile; readonly alarm?: string }
  /** The old set stays; `reason` says why. */
  | { readonly kind: 'keep'; readonly reason: string };

/** Sets smaller than this may shrink without an alarm. */
const MANY = 10;

/** Decides about a reload, given what is running now. */
export function decideReload(current: Pick<LoadedFile, 'hash' | 'jobs'>, result: LoadResult): ReloadDecision {
  if (!result.ok) {
    if (result.missing) return { kind: 'keep', reason: 'the job file is gone; the jobs loaded before stay' };
    const count = result.errors.length;
    const errors = count === 1 ? 'an error' : `${count} errors`;
    return { kind: 'keep', reason: `the job file has ${errors}; the jobs loaded before stay` };
  }
  const { file } = result;
  if (file.hash === current.hash) return { kind: 'unchanged' };
  const kept = new Set(file.jobs.map((job) => job.id));
  const lost = current.jobs.filter((job) => !kept.has(job.id)).length;
  if (current.jobs.length < MANY || lost * 2 <= current.jobs.length) return { kind: 'apply', file };
  const alarm = `${lost} of ${current.jobs.length} jobs are no longer in the job file; was it cut off?`;
  return { kind: 'apply', file, alarm };
}
