/** The keys by which one slot becomes a run in parts: a part of the field table. */
import type { Shard } from '../model.ts';
import type { Problem } from '../schedule/problem.ts';
import { variableOf } from '../schedule/params.ts';
import { MOST_SHARDS } from '../shard.ts';
import * as is from './scalars.ts';
import { list, type Fields } from './shape.ts';

/** The name of a dimension. */
const DIMENSION = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

export const SHARD_FIELDS = {
  shards: {
    group: 'what',
    shape: is.integer(1, MOST_SHARDS),
    about:
      'Parts of each run, side by side, each with attempts, output and place in its pool of its own; it succeeds when all do. TSCHED_SHARD_INDEX (from 0) and TSCHED_SHARD_TOTAL, and for modules `shard`, say which one it is.',
    examples: [8],
  },
  matrix: {
    group: 'what',
    shape: {
      kind: 'record',
      key: DIMENSION,
      keyIs: 'matrix name',
      of: list(is.withoutNul(is.word), 'write a list of values, such as [eu, us]'),
      hintIfEmpty: 'name what differs, such as region: [eu, us], or remove the key',
    },
    about: `A part of each run for each combination of these values, at most ${MOST_SHARDS}; else as \`shards\`. In TSCHED_MATRIX_NAME, and for modules in \`matrix\`.`,
    examples: [{ region: ['eu', 'us'], kind: ['daily', 'weekly'] }],
  },
} as const satisfies Fields;

/** What the reader makes of these keys. */
export interface ShardValues {
  readonly shards?: number;
  readonly matrix?: Readonly<Record<string, readonly string[]>>;
}

/** The parts of a job's runs; undefined: each is one. Of a matrix the last dimension counts fastest. */
export function shardsOf(
  { shards, matrix }: ShardValues,
  complain: (key: string, problem: Problem) => void,
): readonly Shard[] | undefined {
  if (matrix === undefined)
    return shards === undefined
      ? undefined
      : Array.from({ length: shards }, (_, index) => ({ index, total: shards }));
  if (shards !== undefined)
    complain('shards', { message: 'a job has shards or a matrix, not both', hint: 'remove one of them' });
  const dimensions = Object.entries(matrix);
  if (dimensions.length === 0) return undefined;
  complainOfDimensions(dimensions, (problem) => complain('matrix', problem));
  const total = dimensions.reduce((product, [, values]) => product * values.length, 1);
  if (total > MOST_SHARDS) {
    const message = `it has ${total} combinations, where a run can have ${MOST_SHARDS} parts`;
    complain('matrix', { message, hint: 'leave out values, or make several jobs' });
    return undefined;
  }
  let all: (readonly [name: string, value: string])[][] = [[]];
  for (const [name, values] of dimensions)
    all = all.flatMap((combination) => values.map((value) => combination.concat([[name, value]])));
  return all.map((values, index) => ({ index, total, values: Object.fromEntries(values) }));
}

function complainOfDimensions(
  dimensions: readonly (readonly [string, readonly string[]])[],
  complain: (problem: Problem) => void,
): void {
  const names = new Map<string, string>();
  for (const [name, values] of dimensions) {
    const other = names.get(variableOf(name));
    if (other !== undefined) {
      const message = `"${other}" and "${name}" are both TSCHED_MATRIX_${variableOf(name)}`;
      complain({ message, hint: 'rename one' });
    }
    names.set(variableOf(name), name);
    const twice = values.find((value, index) => values.indexOf(value) !== index);
    if (twice !== undefined)
      complain({ message: `"${name}" has "${twice}" twice`, hint: 'each part is run once: remove one' });
  }
}
