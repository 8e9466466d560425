/** What `tsched why` says of jobs that follow and need others. */
import type { SlotLink } from '../engine/ports-operator.ts';
import type { HistoryRow } from '../engine/ports.ts';
import type { Instant, RunRecord } from '../model.ts';
import { heldInWords, limitInWords } from '../observe/limits.ts';
import { elapsed } from '../observe/text.ts';
import { formatDuration } from '../schedule/duration.ts';
import { afterOf } from '../schedule/follow.ts';
import type { Answer } from './why-answer.ts';
import { standing } from './why-run.ts';
import { afterInWords } from './words.ts';

/** Of a run of a follower. */
export function followedInWords({ known, verdict }: Answer): string {
  const after = known.schedule && afterOf(known.schedule);
  const when = after === undefined ? 'after what it followed then' : lower(afterInWords(after));
  return `it ran ${when}: it started ${elapsed(verdict.late ?? 0)} after the scheduled time`;
}

/** Of a slot that was skipped because of others. */
export function dependencyInWords({ known }: Answer): string {
  const after = known.schedule && afterOf(known.schedule);
  if (after !== undefined)
    return `it did not run: it runs ${lower(afterInWords(after))}, and that cannot be any more`;
  const { needs } = known.job ?? {};
  if (needs === undefined) return 'it did not run: the jobs it followed or needed did not end as it wanted';
  return `it did not run: it waited ${formatDuration(needs.timeout)} in vain for ${needs.jobs.join(', ')} to succeed`;
}

export function dependencyAdvice({ known }: Answer): string {
  return known.job?.needs === undefined
    ? 'when a run that it follows is repeated, with another end, it runs after all: tsched retry'
    : 'to wait longer: needs_timeout; to run it all the same: needs_failed: run';
}

/** Of a slot that waits. */
export function waitingInWords({ known }: Answer): string[] {
  if (known.waitsFor !== undefined)
    return [
      `it is due, and waits for ${limitInWords(known.waitsFor.limit)}${heldInWords(known.waitsFor.heldBy)}`,
    ];
  const after = known.schedule && afterOf(known.schedule);
  if (after !== undefined) return [`it waits: it runs ${lower(afterInWords(after))}`];
  const { needs } = known.job ?? {};
  return [
    'it is due, and waits for its turn',
    ...(needs === undefined
      ? []
      : [
          `it needs ${needs.jobs.join(', ')} to have succeeded, and waits ${formatDuration(needs.timeout)} for that`,
        ]),
    'a run of the job is active (overlap: queue), or its pool is full, or as many runs of all jobs are active as --max-concurrent-runs allows',
  ];
}

/** The story of the slot: a line for each job that it hangs together with. */
export function linksInWords({ links, known }: Answer, now: Instant): string[] {
  return links.map(({ of, via, jobId, depth, row }: SlotLink) => {
    const who = of === known.id ? 'it' : of;
    const verb = via === 'after' ? 'follows' : 'needs';
    return `${'  '.repeat(depth - 1)}${who} ${verb} ${jobId}: ${rowInWords(row, now)}`;
  });
}

function rowInWords(row: HistoryRow | undefined, now: Instant): string {
  if (row === undefined) return 'nothing is recorded of it';
  return 'run' in row ? runInWords(row.run, now) : `it was skipped (${row.skip.reason})`;
}

function runInWords(run: RunRecord, now: Instant): string {
  return `${standing(run, now)}, run ${run.id}`;
}

function lower(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}
