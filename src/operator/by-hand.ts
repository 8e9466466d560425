/** Whether a job can be run by hand, with what somebody wants to give the run. */
import type { JobStatus } from '../engine/engine.ts';
import type { Refusal } from '../engine/ports-operator.ts';
import type { Arguments } from '../model.ts';
import { checkArguments } from '../schedule/params.ts';

/** Runs of one job; a run by hand passes by overlap and limits, but is no way to start a thousand processes. */
const MOST_AT_ONCE = 25;

/** Why not, with all that is wrong; undefined where nothing is, or where there is no such job. */
export function whyNotByHand(job: JobStatus | undefined, given: Arguments | undefined): Refusal | undefined {
  const problems = checkArguments(job?.definition.params, given);
  const [first] = problems;
  if (first !== undefined) {
    const message = problems.map((problem) => problem.message).join('; ');
    return { refused: 'bad_arguments', message, hint: first.hint, arguments: problems };
  }
  if ((job?.active.length ?? 0) < MOST_AT_ONCE) return undefined;
  const message = `${MOST_AT_ONCE} runs of ${job?.definition.id} are active`;
  return { refused: 'too_many', message, hint: 'wait for some of them to end' };
}
