/** Limits in words. */
import { BOUNDS } from '../engine/ports.ts';
import type { JobId } from '../model.ts';

const BOUND_WORDS = new Map<string, string>([
  [BOUNDS.runs, 'a place among all runs (--max-concurrent-runs)'],
  [BOUNDS.processes, 'a place among the runs with a process (--max-process-runs)'],
  [BOUNDS.threads, 'a place among the runs in threads (--max-thread-runs)'],
]);

/** What is waited for. */
export function limitInWords(limit: string): string {
  return BOUND_WORDS.get(limit) ?? `the pool ${limit}`;
}

/** Who has it, to stand after what is waited for; empty when nobody is known. */
export function heldInWords(jobs: readonly JobId[] = []): string {
  return jobs.length === 0 ? '' : `, held by ${jobs.join(', ')}`;
}
