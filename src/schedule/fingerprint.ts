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

/** The schedule that a fingerprint is of; undefined when the text is none. */
export function scheduleOf(text: string): Schedule | undefined {
  try {
    const schedule = JSON.parse(text) as Partial<Schedule> | null;
    return typeof schedule?.timezone === 'string' && Array.isArray(schedule.triggers)
      ? (schedule as Schedule)
      : undefined;
  } catch {
    return undefined; // not written by us
  }
}
