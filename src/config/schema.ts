/** The JSON Schema of the job file, printed from the field table, and the same table for the reference page. */
import { FILE_FIELDS, JOB_FIELDS } from './fields.ts';
import type { Field, Fields, Group, JsonSchema, MapShape, ScalarType, Shape } from './shape.ts';

/**
 * JSON Schema (draft-07, which editors know best) of a job file. It accepts what validation accepts, as far as a schema
 * can tell; what needs a calendar, the file system or another key's value is left to `tsched validate`.
 */
export function jobFileJsonSchema(): JsonSchema {
  const { jobs, ...settings } = FILE_FIELDS;
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'urn:tsched:job-file:v1',
    title: 'tsched job file',
    description: 'What runs, when, and what becomes of it.',
    type: 'object',
    properties: {
      ...properties({ ...settings, defaults: { ...settings.defaults, shape: { kind: 'json' } } }),
      // draft-07 ignores what stands beside $ref, so that the description needs allOf.
      defaults: { description: settings.defaults.about, allOf: [{ $ref: '#/definitions/jobKeys' }] },
      jobs: {
        description: jobs.about,
        type: 'object',
        propertyNames: { pattern: jobs.shape.key.source },
        additionalProperties: { $ref: '#/definitions/job' },
      },
    },
    additionalProperties: false,
    anyOf: [{ required: ['jobs'] }, { required: ['include'] }],
    definitions: {
      jobKeys: { type: 'object', properties: properties(JOB_FIELDS), additionalProperties: false },
      job: {
        description: 'One job: when it runs, what it runs, and what becomes of it.',
        allOf: [{ $ref: '#/definitions/jobKeys' }],
      },
    },
  };
}

/** One line of the reference page. */
export interface FieldReference {
  /** e.g. "retry.delay"; the keys of a file stand without prefix. */
  readonly key: string;
  readonly group: Group | 'file';
  /** e.g. "a duration such as 30s". */
  readonly accepts: string;
  readonly about: string;
  /** As JSON, absent when there is none. */
  readonly default?: string;
  readonly examples: readonly string[];
}

/** Every key of the job file in the order of the table: first the file's, then a job's. */
export function jobFileReference(): readonly FieldReference[] {
  return [...references(FILE_FIELDS, '', 'file'), ...references(JOB_FIELDS, '', undefined)];
}

function references(fields: Fields, prefix: string, group: Group | 'file' | undefined): FieldReference[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const key = `${prefix}${name}`;
    const own = group ?? field.group ?? 'seen';
    const reference: FieldReference = {
      key,
      group: own,
      accepts: accepts(field.shape),
      about: field.about,
      ...(field.default === undefined ? {} : { default: JSON.stringify(field.default) }),
      examples: (field.examples ?? []).map((example) => JSON.stringify(example)),
    };
    const { shape } = field;
    if (shape.kind === 'record' && shape.of.kind === 'map' && shape.of.fields !== JOB_FIELDS)
      return [reference].concat(references(shape.of.fields, `${key}.NAME.`, own));
    if (shape.kind === 'list' && shape.of.kind === 'map')
      return [reference].concat(references(shape.of.fields, `${key}.N.`, own));
    const nested = shape.kind === 'map' && shape.fields !== JOB_FIELDS;
    return nested ? [reference].concat(references(shape.fields, `${key}.`, own)) : [reference];
  });
}

function accepts(shape: Shape): string {
  switch (shape.kind) {
    case 'scalar':
      return shape.expects;
    case 'list':
      return shape.orOne ? `${accepts(shape.of)}, or a list` : `a list: ${accepts(shape.of)}`;
    case 'map':
      return shape.short === undefined ? 'a mapping' : `a mapping, or just its ${shape.short}`;
    case 'record':
      return 'a mapping from names';
    case 'either':
      return `${shape.scalar.expects}, or a mapping`;
    case 'json':
      return 'any value';
  }
}

function properties(fields: Fields): JsonSchema {
  return Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, property(field)]));
}

function property(field: Field): JsonSchema {
  return {
    description: field.about,
    ...(field.default === undefined ? {} : { default: field.default }),
    ...(field.examples === undefined ? {} : { examples: field.examples }),
    ...shapeSchema(field.shape),
  };
}

function shapeSchema(shape: Shape): JsonSchema {
  switch (shape.kind) {
    case 'scalar':
      return scalarSchema(shape);
    case 'list': {
      const items = { type: 'array', items: shapeSchema(shape.of), minItems: 1 };
      return shape.orOne ? { anyOf: [shapeSchema(shape.of), items] } : items;
    }
    case 'map':
      return mapSchema(shape);
    case 'record':
      return {
        type: 'object',
        propertyNames: { pattern: shape.key.source },
        additionalProperties: shapeSchema(shape.of),
        ...(shape.hintIfEmpty === undefined ? {} : { minProperties: 1 }),
      };
    case 'either':
      return { anyOf: [shapeSchema(shape.scalar), mapSchema(shape.map)] };
    case 'json':
      return {};
  }
}

function mapSchema(shape: MapShape): JsonSchema {
  const object = { type: 'object', properties: properties(shape.fields), additionalProperties: false };
  const short = shape.short === undefined ? undefined : shape.fields[shape.short];
  return short === undefined ? object : { anyOf: [shapeSchema(short.shape), object] };
}

/** A value with a variable in it is text, whatever it becomes. */
const VARIABLE = { type: 'string', pattern: '\\$\\{' };

function scalarSchema(type: ScalarType): JsonSchema {
  const { schema } = type;
  const free = schema['type'] === 'string' && schema['pattern'] === undefined && schema['enum'] === undefined;
  return free || !type.interpolated ? schema : { anyOf: [schema, VARIABLE] };
}
