/** Whether a job is late by what is expected of it, and when to look again. Pure. */
import type { Lateness, Told } from '../message.ts';
import type { Expectation, Instant, JobDefinition } from '../model.ts';
import { compileSchedule, cronTrigger, type Trigger } from './trigger.ts';

const DAY = 86_400_000;
/** No day, whatever clocks do, is longer. */
const LONGEST_DAY = 2 * DAY;

export interface Judgement {
  /** What did not come true; `since` as a message has it. */
  readonly late: readonly { readonly what: Lateness; readonly since: Instant }[];
  /** When the answer may be another by itself; undefined: never. */
  readonly lookAt: Instant | undefined;
}

/** What is known of a job when it is judged. */
export interface Standing {
  readonly told: Told;
  /** Starts of the runs that are active. */
  readonly running: readonly Instant[];
}

/** Judges a job at `now`. It is late from the very moment that a bound has passed. */
export function judge(
  definition: Pick<JobDefinition, 'id' | 'schedule'>,
  expect: Expectation,
  { told, running, now }: Standing & { readonly now: Instant },
): Judgement {
  const late: { what: Lateness; since: Instant }[] = [];
  const bounds: Instant[] = [];
  const bound = (what: Lateness, since: Instant, at: Instant): void => {
    if (now >= at) late.push({ what, since });
    else bounds.push(at);
  };
  if (expect.duration !== undefined)
    for (const start of running) bound('duration', start, start + expect.duration);
  if (expect.every !== undefined) {
    const since = Math.max(told.succeededAt ?? told.since, told.since);
    bound('every', since, since + expect.every);
  }
  if (expect.finishedBy !== undefined) {
    const { timezone } = definition.schedule;
    const deadlines = dailyAt(expect.finishedBy, timezone);
    const { passed, before, next } = around(deadlines, now);
    const unmet = passed !== undefined && before !== undefined && told.since <= before;
    if (unmet && isOwed(definition, { before, passed, told }))
      late.push({ what: 'finishedBy', since: passed });
    if (next !== undefined) bounds.push(next);
  }
  return { late, lookAt: bounds.length === 0 ? undefined : Math.min(...bounds) };
}

/** Whether something fell due between two days' deadlines, and nothing due since the first of them has succeeded. */
function isOwed(
  { id, schedule }: Pick<JobDefinition, 'id' | 'schedule'>,
  { before, passed, told }: { before: Instant; passed: Instant; told: Told },
): boolean {
  if ((told.succeededSlot ?? Number.NEGATIVE_INFINITY) > before) return false;
  const slot = compileSchedule(schedule, id).next(before);
  return slot !== undefined && slot <= passed;
}

function dailyAt(time: string, timezone: string): Trigger {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return cronTrigger(`${minute} ${hour} * * *`, { timezone, dst: {} }, '');
}

/** The newest deadline that has passed, the one before it, and the next. */
function around(
  deadlines: Trigger,
  now: Instant,
): { passed: Instant | undefined; before: Instant | undefined; next: Instant | undefined } {
  let before: Instant | undefined;
  let passed: Instant | undefined;
  let next = deadlines.next(now - 2 * LONGEST_DAY);
  while (next !== undefined && next <= now) {
    before = passed;
    passed = next;
    next = deadlines.next(next);
  }
  return { passed, before, next };
}
