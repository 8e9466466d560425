/** Whether a job can be run by hand, with what somebody wants to give the run. */
import type { JobStatus } from '../engine/engine.ts';
import type { Refusal } from '../engine/ports-operator.ts';
import type { Arguments } from '../model.ts';
import { checkArguments, mismatch, textsToMatch } from '../schedule/params.ts';

/** Runs of one job; a run by hand passes by overlap and limits, but is no way to start a thousand processes. */
const MOST_AT_ONCE = 25;

/** Whether a regular expression is found in a text; undefined when that takes too long. Holds up nothing. */
export type Match = (pattern: string, text: string) => Promise<boolean | undefined>;

/** Threads that try patterns at once: whoever may run jobs cannot fill the machine with them. */
const MOST_MATCHED = 8;
let matching = 0;

/** Why not, as far as patterns go. */
export async function whyNoMatch(
  job: JobStatus | undefined,
  given: Arguments | undefined,
  match: Match,
): Promise<Refusal | undefined> {
  for (const each of textsToMatch(job?.definition.params, given)) {
    if (matching >= MOST_MATCHED)
      return {
        refused: 'too_many',
        message: 'too many arguments are being checked',
        hint: 'try again later',
      };
    matching += 1;
    const found = await match(each.pattern, each.text).finally(() => (matching -= 1));
    if (found === true) continue;
    const { message } = mismatch(each);
    const late = { name: each.name, message: `"${each.name}" took too long to match ${each.pattern}` };
    const problem = found === undefined ? late : { name: each.name, message };
    return { refused: 'bad_arguments', message: problem.message, arguments: [problem] };
  }
  return undefined;
}

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
