/** Whether what a run is given fits what its job declares, and what it has in the end. Pure. */
import type { Arguments, Json } from '../model.ts';
import type { Parameter, Parameters, ParameterType } from '../parameter.ts';
import type { Problem } from './problem.ts';
import { suggest } from './suggest.ts';

/** What is wrong with one argument; an empty name stands for all of them. */
export interface ArgumentProblem extends Problem {
  readonly name: string;
}

/** Longest text that a pattern is tried on: a pattern may take very long. */
const LONGEST_MATCHED = 4096;

const TYPES: Readonly<Record<ParameterType, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
};

/** All that is wrong with what a run by hand is given, but for patterns. Jobs that declare nothing take anything. */
export function checkArguments(
  params: Parameters | undefined,
  given: Arguments | undefined = {},
): readonly ArgumentProblem[] {
  if (params === undefined) return [];
  const problems: ArgumentProblem[] = [];
  for (const [name, value] of Object.entries(given)) {
    const parameter = Object.hasOwn(params, name) ? params[name] : undefined;
    const problem = parameter === undefined ? unknown(name, params) : checkPlainly(name, parameter, value);
    if (problem !== undefined) problems.push({ name, ...problem });
  }
  for (const [name, { required, type }] of Object.entries(params)) {
    if (!required || Object.hasOwn(given, name)) continue;
    problems.push({ name, message: `"${name}" is missing`, hint: `it takes ${TYPES[type]}` });
  }
  return problems;
}

/** A text that is to match. */
export interface ToMatch {
  readonly name: string;
  readonly pattern: string;
  readonly text: string;
}

/** What `checkArguments` leaves to be tried: where it is not to hold up the loop, since a pattern may take for ever on a text. */
export function textsToMatch(params: Parameters = {}, given: Arguments = {}): readonly ToMatch[] {
  return Object.entries(given).flatMap(([name, text]) => {
    const pattern = Object.hasOwn(params, name) ? params[name]?.pattern : undefined;
    const isToTry = pattern !== undefined && typeof text === 'string' && text.length <= LONGEST_MATCHED;
    return isToTry ? [{ name, pattern, text }] : [];
  });
}

/** As `checkArguments`, with patterns: for whoever has nothing else to do meanwhile. */
export function checkPatiently(
  params: Parameters | undefined,
  given: Arguments | undefined,
): readonly ArgumentProblem[] {
  const wrong = textsToMatch(params, given).filter((each) => !isMatch(each));
  return [...checkArguments(params, given), ...wrong.map(mismatch)];
}

function isMatch({ pattern, text }: ToMatch): boolean {
  return new RegExp(pattern, 'u').test(text);
}

/** What is wrong with a text that does not match. */
export function mismatch({ name, pattern, text }: ToMatch): ArgumentProblem {
  return { name, message: `"${name}" takes what matches ${pattern}, not ${shown(text)}` };
}

/** What is wrong with a value that the job file has for a parameter; undefined where nothing is. */
export function checkValue(name: string, parameter: Parameter, value: Json): Problem | undefined {
  const wrong = textsToMatch({ [name]: parameter }, { [name]: value }).find((each) => !isMatch(each));
  return checkPlainly(name, parameter, value) ?? (wrong && mismatch(wrong));
}

function checkPlainly(name: string, parameter: Parameter, value: Json): Problem | undefined {
  const { type, minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = parameter;
  if (!isOf(type, value)) return { message: `"${name}" takes ${TYPES[type]}, not ${shown(value)}` };
  if (parameter.enum !== undefined && !parameter.enum.some((one) => one === value)) {
    const near = suggest(typeof value === 'string' ? value : '', parameter.enum.map(String));
    const message = `"${name}" takes one of ${parameter.enum.map(shown).join(', ')}, not ${shown(value)}`;
    return near === undefined ? { message } : { message, hint: `did you mean ${near}?` };
  }
  if (typeof value === 'number' && (value < minimum || value > maximum))
    return { message: `"${name}" takes ${range(parameter)}, not ${value}` };
  if (typeof value === 'string' && parameter.pattern !== undefined && value.length > LONGEST_MATCHED)
    return { message: `"${name}" takes at most ${LONGEST_MATCHED} characters, not ${value.length}` };
  return undefined;
}

/** What a run has: what it was given, over the defaults. Undefined where there is neither. */
export function argumentsOf(
  params: Parameters | undefined,
  given: Arguments | undefined,
): Arguments | undefined {
  if (params === undefined) return given;
  const defaults = Object.entries(params).flatMap(([name, { default: value }]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return { ...Object.fromEntries(defaults), ...given };
}

/** The arguments of a run that its job declares. */
export function declaredOf(params: Parameters, args: Arguments): Arguments {
  return Object.fromEntries(Object.entries(args).filter(([name]) => Object.hasOwn(params, name)));
}

/** As JSON Schema of the object that `with` is. */
export function paramsSchema(params: Parameters): { readonly [keyword: string]: unknown } {
  const properties = Object.entries(params).map(([name, parameter]) => {
    const { required, ...schema } = parameter;
    return [name, schema, required] as const;
  });
  const required = properties.filter(([, , isRequired]) => isRequired).map(([name]) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

/** A name as a part of the name of an environment variable. */
export function variableOf(name: string): string {
  return name.toUpperCase().replaceAll(/\W/gv, '_');
}

function unknown(name: string, params: Parameters): Problem {
  const names = Object.keys(params);
  const near = suggest(name, names);
  const known = names.length === 0 ? 'the job takes none' : `the job takes ${names.join(', ')}`;
  return {
    message: `there is no parameter "${name}"`,
    hint: near === undefined ? known : `did you mean "${near}"?`,
  };
}

function isOf(type: ParameterType, value: Json): boolean {
  if (type === 'integer') return Number.isSafeInteger(value);
  return type === 'number' ? Number.isFinite(value) : typeof value === type;
}

function range({ minimum, maximum }: Parameter): string {
  if (minimum === undefined) return `at most ${maximum}`;
  return maximum === undefined ? `at least ${minimum}` : `${minimum} to ${maximum}`;
}

function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
