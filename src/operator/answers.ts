import { withFrames } from '../config/diagnostic.ts';
import type { LoadResult } from '../config/load.ts';
import type { Answer, Refusal, ReloadPlan, Validation } from '../engine/ports-operator.ts';
import type { JobId } from '../model.ts';
import { suggest } from '../schedule/suggest.ts';

export function done<T>(value: T): Answer<T> {
  return { ok: true, value };
}

export function refuse(refusal: Refusal): Answer<never> {
  return { ok: false, refusal };
}

export const STOPPING: Refusal = { refused: 'stopping', message: 'tsched is stopping' };

/** Of a part of a run as such. */
export const PART: Refusal = {
  refused: 'unknown_run',
  message: 'a shard is cancelled and repeated with its run',
  hint: 'leave out what follows the "." of its id',
};

export function validationOf(result: LoadResult, plan: ReloadPlan | undefined): Validation {
  const { warnings, texts } = result.ok ? result.file : result;
  return {
    jobs: result.ok ? result.file.jobs.length : 0,
    plan,
    errors: result.ok ? [] : withFrames(result.errors, texts),
    warnings: withFrames(warnings, texts),
  };
}

/** A job file that was read and refused. */
export function badFile(result: LoadResult & { readonly ok: false }): Refusal {
  const message = result.missing ? 'the job file is gone' : 'the job file has errors';
  return {
    refused: 'bad_file',
    message,
    problems: withFrames([...result.errors, ...result.warnings], result.texts),
  };
}

/** Ids that a mistyped one is compared with. */
const MOST_COMPARED = 2000;

/** @param ids those there are, sorted */
export function unknownJob(jobId: JobId, ids: readonly JobId[]): Answer<never> {
  const near = suggest(jobId.slice(0, 128), ids.slice(0, MOST_COMPARED));
  const hint =
    near === undefined ? 'tsched list, or GET /api/v1/jobs, lists them' : `did you mean "${near}"?`;
  return refuse({ refused: 'unknown_job', message: `there is no job "${jobId}"`, hint });
}
