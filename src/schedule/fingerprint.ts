import type { Schedule } from '../model.ts';

const known = new WeakMap<Schedule, string>();

/**
 * A schedule as text that is equal for equal schedules, whatever the order of their keys. Jobs written alike share one object,
 * for which this is worked out once.
 */
export function fingerprint(schedule: Schedule): string {
  const text = known.get(schedule) ?? JSON.stringify(schedule, sortedKeys);
  known.set(schedule, text);
  return text;
}

function sortedKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
