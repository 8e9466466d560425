import type { Duration, Instant, JobId, Schedule, TriggerDefinition } from '../model.ts';
import { CalendarTrigger } from './calendar-trigger.ts';
import { readCron, usesHash } from './cron.ts';
import { clockChangeRule, CronTrigger } from './cron-trigger.ts';
import { isProblem, ScheduleProblem } from './problem.ts';
import { parseInstant } from './at.ts';
import type { SlotDays, Trigger } from './slots.ts';
import { zoneOf } from './zone.ts';

export type { SlotDays, SlotFate, Stretch, Trigger } from './slots.ts';

/** Compiled cron triggers by all they depend on, so that like jobs share one and with it its last answer. */
const shared = new Map<string, CronTrigger>();
/** A bound for a daemon whose file is edited for years; far above the different expressions of any file. */
const MOST_SHARED = 200_000;

/** Jobs written alike share their Schedule, so they share its trigger too, whatever its kind. */
const compiled = new WeakMap<Schedule, Trigger>();

const NEVER: Trigger = { next: () => undefined };

/**
 * All triggers of a schedule that go by the clock, merged, between `start` and `end`; without jitter. The same expressions in the
 * same zone give the same trigger object, whatever the job (its id matters only where H is used).
 *
 * @throws ScheduleProblem on a definition that validation refuses
 */
export function compileSchedule(schedule: Schedule, jobId: JobId): Trigger {
  const known = compiled.get(schedule);
  if (known !== undefined) return known;
  const trigger = compile(schedule, jobId);
  const { triggers } = schedule;
  if (!triggers.some((each) => each.kind === 'cron' && each.expressions.some(usesHash)))
    compiled.set(schedule, trigger);
  return trigger;
}

function compile(schedule: Schedule, jobId: JobId): Trigger {
  const triggers = schedule.triggers.flatMap((definition) => compileDefinition(definition, schedule, jobId));
  const merged = mergeTriggers(triggers);
  const { start, end, days } = schedule;
  const kept = days === undefined ? merged : new CalendarTrigger(merged, days, zoneOf(schedule.timezone));
  return start === undefined && end === undefined
    ? kept
    : boundTrigger(kept, start ?? Number.NEGATIVE_INFINITY, end ?? Number.POSITIVE_INFINITY);
}

function compileDefinition(definition: TriggerDefinition, schedule: Schedule, jobId: JobId): Trigger[] {
  switch (definition.kind) {
    case 'cron':
      return definition.expressions.map((expression) => cronTrigger(expression, schedule, jobId));
    case 'every':
      return [intervalTrigger(definition.period, definition.anchor)];
    case 'at':
      return [instantsTrigger(definition.instants)];
    case 'startup':
    case 'after':
      return [];
  }
}

/**
 * The shared trigger of one expression.
 * @throws ScheduleProblem when the front door refuses the expression
 */
export function cronTrigger(
  expression: string,
  schedule: Pick<Schedule, 'timezone' | 'dst'>,
  jobId: JobId,
): CronTrigger {
  const { timezone, dst } = schedule;
  const seed = usesHash(expression) ? jobId : '';
  const key = `${expression}\n${timezone}\n${dst.gap ?? ''}\n${dst.overlap ?? ''}\n${seed}`;
  const known = shared.get(key);
  if (known !== undefined) return known;
  const { fields, errors } = readCron(expression, jobId);
  if (fields === undefined)
    throw new ScheduleProblem(errors[0] ?? { message: `cannot read "${expression}"` });
  const trigger = new CronTrigger(fields, zoneOf(timezone), clockChangeRule(fields, dst));
  if (shared.size >= MOST_SHARED) shared.clear();
  shared.set(key, trigger);
  return trigger;
}

/** Elapsed time: every `anchor + n * period`, for any whole n. `period` is more than 0. */
export function intervalTrigger(period: Duration, anchor: Instant): Trigger {
  if (!(period > 0)) throw new ScheduleProblem({ message: 'the period of `every` must be longer than 0' });
  return {
    next(after) {
      const slot = anchor + (Math.floor((after - anchor) / period) + 1) * period;
      return Number.isSafeInteger(slot) ? slot : undefined;
    },
  };
}

/**
 * Where `every` starts to count unless the job says otherwise: 1970-01-01T00:00 in the job's zone. So `every: 1d`
 * falls on local midnight while the zone keeps the offset it had in 1970.
 */
export function defaultAnchor(timezone: string): Instant {
  const parsed = parseInstant('1970-01-01', timezone);
  return isProblem(parsed) ? 0 : parsed.instant;
}

export function instantsTrigger(instants: readonly Instant[]): Trigger {
  const sorted = [...instants].sort((a, b) => a - b);
  return { next: (after) => sorted.find((instant) => instant > after) };
}

/** The earliest of several; two that meet fire once. */
export function mergeTriggers(triggers: readonly Trigger[]): Trigger {
  const [first, ...others] = triggers;
  if (first === undefined) return NEVER;
  if (others.length === 0) return first;
  return {
    next(after) {
      let least: Instant | undefined;
      for (const trigger of triggers) {
        const next = trigger.next(after);
        if (next !== undefined && (least === undefined || next < least)) least = next;
      }
      return least;
    },
  };
}

/** Slots before `start` or after `end` do not exist; those on them do. */
function boundTrigger(trigger: Trigger, start: Instant, end: Instant): Trigger {
  return {
    next(after) {
      const next = trigger.next(Math.max(after, start - 1));
      return next !== undefined && next <= end ? next : undefined;
    },
    ...(trigger.days === undefined ? {} : { days: boundDays(trigger.days, start, end) }),
  };
}

function boundDays(days: SlotDays, start: Instant, end: Instant): SlotDays {
  return {
    excluded: (after, through) => days.excluded(Math.max(after, start - 1), Math.min(through, end)),
    fateOf: (at) => (at < start || at > end ? undefined : days.fateOf(at)),
    rolledFrom: (at) => days.rolledFrom(at),
  };
}
