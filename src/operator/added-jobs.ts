/** Adding and removing jobs while the daemon runs, and why not. */
import { dirname } from 'node:path';
import type { AddedJobs, AddJobsRequest, Answer } from '../engine/ports-operator.ts';
import type { AddRequest, AddResult, RemoveResult } from '../job-set.ts';
import type { JobId } from '../model.ts';
import { done, refuse } from './answers.ts';

/** Whose jobs they are. */
export interface JobKeeper {
  readonly info: { readonly file: string };
  add(request: AddRequest): Promise<AddResult>;
  remove(jobId: JobId): Promise<RemoveResult>;
  /** A word for the log. */
  say(message: string): void;
}

export async function addJobs(
  keeper: JobKeeper,
  { text, directory = dirname(keeper.info.file), replace, by }: AddJobsRequest,
): Promise<Answer<AddedJobs>> {
  const result = await keeper.add({ text, directory, replace });
  switch (result.kind) {
    case 'invalid': {
      const { errors, warnings } = result.problem;
      const problems = [...errors, ...warnings];
      return refuse({ refused: 'bad_file', message: 'the jobs have errors', problems });
    }
    case 'conflict': {
      const hint = 'ask to replace them, or choose other ids';
      return refuse({ refused: 'job_exists', message: conflictIn(result), hint });
    }
    case 'unchanged':
      return done({ added: [], changed: [] });
    case 'added':
      keeper.say(`${by} added ${[...result.added, ...result.changed].join(', ')}`);
      return done({ added: result.added, changed: result.changed });
  }
}

function conflictIn({ inFile, added }: Extract<AddResult, { kind: 'conflict' }>): string {
  const parts = [
    ...(inFile.length === 0 ? [] : [`the job file defines ${inFile.join(', ')}`]),
    ...(added.length === 0 ? [] : [`another ${added.join(', ')} was added before`]),
  ];
  return parts.join('; ');
}

/** Undefined: there is no such job at all. */
export async function removeJob(
  keeper: JobKeeper,
  { jobId, isLoaded, by }: { readonly jobId: JobId; readonly isLoaded: boolean; readonly by: string },
): Promise<Answer<JobId> | undefined> {
  const result = await keeper.remove(jobId);
  switch (result.kind) {
    case 'removed':
      keeper.say(`${by} removed ${jobId}`);
      return done(jobId);
    case 'needed': {
      const message = `${jobId} is followed or needed by ${result.by.join(', ')}`;
      return refuse({ refused: 'job_needed', message, hint: 'remove those first, or pause this one' });
    }
    case 'circle': {
      const hint = 'remove one of the added ones first';
      return refuse({ refused: 'job_needed', message: `without ${jobId}, ${result.message}`, hint });
    }
    case 'unknown': {
      if (!isLoaded) return undefined;
      const message = `${jobId} is of the job file, not an added job`;
      const hint = `take it out of ${keeper.info.file}, or pause it`;
      return refuse({ refused: 'not_added', message, hint });
    }
  }
}
