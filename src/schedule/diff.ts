import type { JobDefinition } from '../model.ts';

/** What a new set of definitions means for the set that is loaded. */
export type JobChange =
  | { readonly kind: 'added'; readonly definition: JobDefinition }
  /** Its schedule is another: it re-arms from now. */
  | { readonly kind: 'rescheduled'; readonly definition: JobDefinition }
  /** Anything but its schedule is another: it keeps its place in time. */
  | { readonly kind: 'changed'; readonly definition: JobDefinition }
  | { readonly kind: 'unchanged'; readonly definition: JobDefinition };

/** Decides for one job of the new set. Removal is the absence from the new set. */
export function changeOf(old: JobDefinition | undefined, definition: JobDefinition): JobChange {
  if (old === undefined) return { kind: 'added', definition };
  if (!same(old.schedule, definition.schedule) || old.enabled !== definition.enabled) {
    return { kind: 'rescheduled', definition };
  }
  const untouched = PARTS.every((part) => same(old[part], definition[part]));
  return { kind: untouched ? 'unchanged' : 'changed', definition };
}

const PARTS = [
  'task',
  'params',
  'surroundings',
  'policy',
  'output',
  'description',
  'tags',
  'telling',
  'needs',
  'shards',
  'runsOn',
] as const;

/** Structural equality of plain data. The order of keys and where the text stands in the file do not matter. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && same(field(a, key), field(b, key)));
}

function field(value: object, key: string): unknown {
  return (value as Record<string, unknown>)[key];
}
