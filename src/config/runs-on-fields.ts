/** The key that says which nodes of a cluster may run a job: a part of the field table. */
import type { Problem } from '../schedule/problem.ts';
import { textual } from './scalars.ts';
import { oneOrMany, type Field } from './shape.ts';

/** Stands for no label, where `defaults` has some. No node can have it as a label. */
export const ANY_NODE = 'any';

const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const MOST_LABELS = 16;

const label = textual('a label', { pattern: LABEL.source }, (value, input) =>
  LABEL.test(value)
    ? value
    : input.error({
        message: `"${value}" cannot be a label`,
        hint: 'a label has letters, digits, ".", "_" and "-", at most 63 of them, and begins with a letter or digit; it is a name, such as gpu, and no expression',
      }),
);

export const runsOn = {
  group: 'policy',
  shape: oneOrMany(label),
  about: `On which nodes of a cluster it may run: those that have all of these labels (\`--label\`); \`${ANY_NODE}\` for every node, where \`defaults\` names some. Without \`--store\` there is one node, and it means nothing.`,
  examples: ['gpu', ['gpu', 'eu']],
} as const satisfies Field;

/** The labels that a node needs, of the values of `runs_on`: sorted, each once; undefined: none. */
export function labelsOf(
  values: readonly string[] | undefined,
  complain: (problem: Problem) => void,
): readonly string[] | undefined {
  if (values === undefined) return undefined;
  const labels = [...new Set(values)].sort();
  if (labels.includes(ANY_NODE)) {
    if (labels.length > 1)
      complain({
        message: `"${ANY_NODE}" is every node, whatever its labels`,
        hint: `write ${ANY_NODE} alone, or leave it out`,
      });
    return undefined;
  }
  if (labels.length > MOST_LABELS)
    complain({
      message: `it names ${labels.length} labels, where ${MOST_LABELS} are the most`,
      hint: 'give the nodes that have them all one label more, and name that',
    });
  return labels;
}
