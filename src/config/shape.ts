/**
 * The shapes a value of the job file can have. One table of them (fields.ts) drives validation, defaults, the JSON
 * Schema and the reference page, so that none of the four can say something else than the others.
 */
import type { Json } from '../model.ts';
import type { Problem } from '../schedule/problem.ts';

export type JsonSchema = { readonly [keyword: string]: unknown };

/** One scalar as read, with the way to complain about it. */
export interface ScalarInput {
  /** After interpolation, which makes it a string. */
  readonly value: string | number | boolean;
  /** As written, without quotes: tells 010 from 10. */
  readonly source: string;
  /** True when `${…}` was replaced: then a number or a boolean comes as a string. */
  readonly interpolated: boolean;
  /** Before `${…}` was replaced. */
  readonly written: string | number | boolean;
  /** What `${…}` was replaced by, where it came from the environment. */
  readonly variables: readonly string[];
  /** What follows the value on its line, when it was written without quotes; else empty. */
  readonly after: string;
  /** Directory of the file the value stands in; relative paths start there. */
  readonly directory: string;
  /** The job it belongs to; empty in `defaults`. */
  readonly jobId: string;
  /** Reports; always answers undefined, so that `return input.error(…)` ends a reader. */
  error(problem: Problem): undefined;
  warn(problem: Problem): void;
}

export interface ScalarType {
  readonly kind: 'scalar';
  /** Completes "expected …". */
  readonly expects: string;
  readonly schema: JsonSchema;
  /** False for text in which `${NAME}` belongs to somebody else, e.g. the shell. */
  readonly interpolated: boolean;
  /** Whether the value is kept out of code frames. */
  readonly secret?: boolean;
  /** The value as definitions hold it; undefined after a complaint. */
  read(input: ScalarInput): unknown;
}

export interface ListShape {
  readonly kind: 'list';
  readonly of: ScalarType | MapShape;
  /** Whether one value may stand without the list. */
  readonly orOne: boolean;
  /** What to write, where something else stands in its place. */
  readonly hint?: string;
}

export interface MapShape {
  readonly kind: 'map';
  readonly fields: Fields;
  /** The key that a single value stands for, as in `retry: 3`. */
  readonly short?: string;
}

/** Names of the writer's choosing, each to a value of one shape, e.g. an environment. */
export interface RecordShape {
  readonly kind: 'record';
  readonly key: RegExp;
  /** Completes "… is not a", for keys. */
  readonly keyIs: string;
  readonly of: Shape;
  /** What to write, where an empty one would say nothing; without it one may be empty. */
  readonly hintIfEmpty?: string;
}

/** A value, or a mapping in its place that says where the value is found. */
export interface EitherShape {
  readonly kind: 'either';
  readonly scalar: ScalarType;
  readonly map: MapShape;
}

/** Anything JSON can hold. */
export interface JsonShape {
  readonly kind: 'json';
  /** Whether it is read as a `SecretJson`. */
  readonly tellsSecrets?: boolean;
}

/** A JSON value, with what in it came from variables. */
export interface SecretJson {
  readonly value: Json;
  readonly secrets: readonly string[];
}

export type Shape = ScalarType | ListShape | MapShape | RecordShape | EitherShape | JsonShape;

export interface Field {
  readonly shape: Shape;
  /** One or two sentences, for the schema and the reference page. */
  readonly about: string;
  /** As it would be written in the file. */
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  /** Only for job keys: the group of the reference page. */
  readonly group?: Group;
}

export type Group = 'when' | 'what' | 'policy' | 'seen';

export type Fields = Readonly<Record<string, Field>>;

export function list(of: ScalarType, hint: string): ListShape {
  return { kind: 'list', of, orOne: false, hint };
}

export function oneOrMany(of: ScalarType): ListShape {
  return { kind: 'list', of, orOne: true };
}

export function map(fields: Fields, short?: string): MapShape {
  return short === undefined ? { kind: 'map', fields } : { kind: 'map', fields, short };
}

/** The defaults of a table, as definitions hold them. */
export function defaultsOf(fields: Fields): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [key, { shape, default: written }] of Object.entries(fields)) {
    if (shape.kind === 'map') found[key] = defaultsOf(shape.fields);
    else if (written !== undefined) found[key] = readDefault(shape, written);
  }
  return found;
}

function readDefault(shape: Shape, written: unknown): unknown {
  if (shape.kind === 'list') return [written].flat().map((item) => readDefault(shape.of, item));
  if (shape.kind !== 'scalar') return written;
  return shape.read({
    value: written as ScalarInput['value'],
    source: String(written),
    interpolated: false,
    written: written as ScalarInput['value'],
    variables: [],
    after: '',
    directory: '',
    jobId: '',
    error: () => undefined,
    warn: () => undefined,
  });
}
