/** Parameters of a job: their keys, a part of the field table, and what is wrong with what stands there. */
import type { Json } from '../model.ts';
import type { Parameter, Parameters, ParameterType, ParameterValue } from '../parameter.ts';
import { checkValue, variableOf } from '../schedule/params.ts';
import type { Problem } from '../schedule/problem.ts';
import * as is from './scalars.ts';
import { map, type Field, type ScalarType } from './shape.ts';

/** As `with` of the API takes names. */
const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;

const number: ScalarType = {
  kind: 'scalar',
  expects: 'a number',
  schema: { type: 'number' },
  interpolated: true,
  read(input) {
    const { value, interpolated } = input;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    if (interpolated && /^-?\d{1,15}(?:\.\d{1,15})?$/.test(String(value))) return Number(value);
    return input.error({ message: `expected a number, got ${input.source}` });
  },
};

const regularExpression: ScalarType = {
  ...is.textual('a regular expression', { minLength: 1 }, (text, input) => {
    try {
      return new RegExp(text, 'u').source === '' ? undefined : text;
    } catch (error) {
      return input.error({ message: error instanceof Error ? error.message : String(error) });
    }
  }),
  interpolated: false,
};

export const params = {
  group: 'what',
  shape: {
    kind: 'record',
    key: NAME,
    keyIs: 'parameter name (letters, digits, _ and -)',
    of: map(
      {
        type: {
          shape: is.choice('string', 'integer', 'number', 'boolean'),
          about: 'What it is.',
          default: 'string',
        },
        description: { shape: is.text, about: 'For people.' },
        default: {
          shape: { kind: 'json' },
          about: 'What runs have that are given none: every scheduled one.',
        },
        required: {
          shape: is.flag,
          about: 'Whether runs by hand have to be given it. Scheduled runs are given nothing.',
          default: false,
        },
        enum: { shape: { kind: 'json' }, about: 'A list of all values it may have.' },
        minimum: { shape: number, about: 'Least number.' },
        maximum: { shape: number, about: 'Greatest number.' },
        pattern: { shape: regularExpression, about: 'A regular expression that the text has to match.' },
      },
      'type',
    ),
  },
  about:
    'What a run by hand may be given (`trigger --with`, the API), by name. Checked; in TSCHED_PARAM_NAME, and for modules in `params`. A text is the type.',
  examples: [
    { day: { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' }, limit: { type: 'integer', default: 10 } },
  ],
} as const satisfies Field;

/** What the reader makes of the keys of one parameter. */
interface ParamValues {
  type?: ParameterType;
  description?: string;
  default?: Json;
  required?: boolean;
  enum?: Json;
  minimum?: number;
  maximum?: number;
  pattern?: string;
}

/** What it takes of a job's values. */
export interface ParamsValues {
  params?: Readonly<Record<string, ParamValues>>;
  enabled?: boolean;
}

type Complain = (problem: Problem) => void;

/** Undefined where the job declares none. */
export function paramsOf(
  { params: values, enabled = true }: ParamsValues,
  complain: Complain,
): Parameters | undefined {
  if (values === undefined) return undefined;
  const variables = new Map<string, string>();
  const entries = Object.entries(values).map(([name, own]) => {
    const variable = variableOf(name);
    const other = variables.get(variable);
    if (other !== undefined)
      complain({ message: `"${other}" and "${name}" are both TSCHED_PARAM_${variable}`, hint: 'rename one' });
    variables.set(variable, name);
    return [name, paramOf(name, own, complain)] as const;
  });
  const params = Object.fromEntries(entries);
  // Whatever is enabled has runs that nobody gives anything to.
  if (enabled) {
    for (const [name, { required, default: value }] of entries) {
      if (!required || value !== undefined) continue;
      const message = `"${name}" is required, and scheduled runs are given nothing`;
      complain({
        message,
        hint: 'give it a default:, or write enabled: false where only people run the job',
      });
    }
  }
  return params;
}

function paramOf(name: string, own: ParamValues, complain: Complain): Parameter {
  const { type = 'string', required = false } = own;
  complainOfBounds(name, { ...own, type }, complain);
  const list = listOf(name, own.enum, complain);
  const parameter: Parameter = {
    type,
    ...(own.description === undefined ? {} : { description: own.description }),
    required,
    ...(list === undefined ? {} : { enum: list }),
    ...(own.minimum === undefined ? {} : { minimum: own.minimum }),
    ...(own.maximum === undefined ? {} : { maximum: own.maximum }),
    ...(own.pattern === undefined ? {} : { pattern: own.pattern }),
  };
  for (const value of list ?? []) {
    const { enum: _, ...rest } = parameter;
    const problem = checkValue(name, rest, value);
    if (problem !== undefined) complain({ message: `a value of enum does not fit: ${problem.message}` });
  }
  if (own.default === undefined) return parameter;
  const problem = checkValue(name, parameter, own.default);
  if (problem !== undefined)
    complain({ ...problem, message: `the default does not fit: ${problem.message}` });
  return { ...parameter, default: own.default as ParameterValue };
}

function complainOfBounds(
  name: string,
  { type, minimum, maximum, pattern }: ParamValues,
  complain: Complain,
): void {
  const isNumber = type === 'integer' || type === 'number';
  if (!isNumber && (minimum !== undefined || maximum !== undefined))
    complain({ message: `"${name}" is no number, so it has neither minimum nor maximum` });
  if (type !== 'string' && pattern !== undefined)
    complain({ message: `"${name}" is no text, so it has no pattern` });
  if (minimum !== undefined && maximum !== undefined && minimum > maximum)
    complain({ message: `the minimum of "${name}" is greater than its maximum` });
}

function listOf(
  name: string,
  values: Json | undefined,
  complain: Complain,
): readonly ParameterValue[] | undefined {
  if (values === undefined) return undefined;
  const isList = Array.isArray(values) && values.length > 0;
  if (isList && values.every((value) => value !== null && typeof value !== 'object'))
    return values as readonly ParameterValue[];
  complain({
    message: `the enum of "${name}" is no list of values`,
    hint: 'write e.g. enum: [small, large]',
  });
  return undefined;
}
