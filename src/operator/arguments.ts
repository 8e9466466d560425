/** Whether a run can be given what somebody wants to give it. */
import type { Refusal } from '../engine/ports-operator.ts';
import type { Arguments, JobDefinition } from '../model.ts';
import { checkArguments } from '../schedule/params.ts';

/** Why not, with all that is wrong; undefined where nothing is. */
export function refuseArguments(
  definition: JobDefinition | undefined,
  given: Arguments | undefined,
): Refusal | undefined {
  const problems = checkArguments(definition?.params, given);
  const [first] = problems;
  if (first === undefined) return undefined;
  return {
    refused: 'bad_arguments',
    message: problems.map(({ message }) => message).join('; '),
    hint: first.hint,
    arguments: problems,
  };
}
