/** Whether a result of reading the job file again is taken over, and what is said about it. Pure. */
import type { JobDefinition } from '../model.ts';
import { MOST_DIAGNOSTICS } from './apart.ts';
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
    const errors =
      count === 1 ? 'an error' : `${count} errors${count === MOST_DIAGNOSTICS ? ' or more' : ''}`;
    return { kind: 'keep', reason: `the job file has ${errors}; the jobs loaded before stay` };
  }
  const { file } = result;
  if (file.hash === current.hash) return { kind: 'unchanged' };
  const lost = countLost(current.jobs, file.jobs);
  if (current.jobs.length < MANY || lost * 2 <= current.jobs.length) return { kind: 'apply', file };
  const alarm = `${lost} of ${current.jobs.length} jobs are no longer in the job file; was it cut off?`;
  return { kind: 'apply', file, alarm };
}

/** Jobs whose ids are gone. What begins and ends alike is passed over: 100,000 ids in a set would hold the loop for 30 ms. */
function countLost(before: readonly JobDefinition[], after: readonly JobDefinition[]): number {
  const most = Math.min(before.length, after.length);
  let head = 0;
  while (head < most && before[head]?.id === after[head]?.id) head += 1;
  let tail = 0;
  while (tail < most - head && before.at(-1 - tail)?.id === after.at(-1 - tail)?.id) tail += 1;
  const kept = new Set(after.slice(head, after.length - tail).map(({ id }) => id));
  return before.slice(head, before.length - tail).filter(({ id }) => !kept.has(id)).length;
}
