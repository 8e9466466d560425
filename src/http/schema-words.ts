/** Words that schemas are made of. */
import type { Schema } from './fields.ts';

export const string: Schema = { type: 'string' };
export const whole: Schema = { type: 'integer' };
export const bool: Schema = { type: 'boolean' };
export const none: Schema = { type: 'null' };
export const time: Schema = { type: 'string', format: 'date-time' };

export const KINDS = [
  'succeeded',
  'failed',
  'killed',
  'timed_out',
  'threw',
  'not_started',
  'cancelled',
  'lost',
] as const;

export function orNull(schema: Schema): Schema {
  // An enumeration would have to name it too.
  return 'type' in schema && !('enum' in schema)
    ? { ...schema, type: [schema['type'], 'null'] }
    : { anyOf: [schema, { type: 'null' }] };
}

export function list(items: Schema): Schema {
  return { type: 'array', items };
}

export function one(...words: readonly string[]): Schema {
  return { type: 'string', enum: words };
}

/** Every field is always there. */
export function all(properties: Readonly<Record<string, Schema>>, more: Schema = {}): Schema {
  return { type: 'object', properties, required: Object.keys(properties), ...more };
}
