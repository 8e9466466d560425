import type { Calendar } from '../calendar.ts';
import type { Schedule } from '../model.ts';

const known = new WeakMap<Schedule, string>();

/**
 * A schedule as text that is equal for equal schedules, whatever the order of their keys. Jobs written alike share one object,
 * for which this is worked out once. Calendars stand in it by their names: one that has another holiday is still the same, so that a
 * job keeps its place when next year's are added while no daemon runs.
 */
export function fingerprint(schedule: Schedule): string {
  const text = known.get(schedule) ?? JSON.stringify(named(schedule), sortedKeys);
  known.set(schedule, text);
  return text;
}

function named(schedule: Schedule): object {
  const { days } = schedule;
  if (days === undefined) return schedule;
  const names = (list: readonly Calendar[] | undefined) => list?.map(({ name }) => name);
  return { ...schedule, days: { only: names(days.only), exclude: names(days.exclude), roll: days.roll } };
}

function sortedKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The schedule that a fingerprint is of, but for its calendars; undefined when the text is none. */
export function scheduleOf(text: string): Schedule | undefined {
  try {
    const { days: _, ...schedule } = (JSON.parse(text) ?? {}) as Partial<Schedule>;
    return typeof schedule.timezone === 'string' && Array.isArray(schedule.triggers)
      ? (schedule as Schedule)
      : undefined;
  } catch {
    return undefined; // not written by us
  }
}
