import type { DstRule } from '../model.ts';
import { parseInstant } from './at.ts';
import { parseDuration } from './duration.ts';
import type { Problem } from './problem.ts';
import { isProblem, ScheduleProblem } from './problem.ts';
import type { Trigger } from './trigger.ts';
import { cronTrigger, defaultAnchor, instantsTrigger, intervalTrigger, mergeTriggers } from './trigger.ts';
import { canonicalZone, checkZone } from './zone.ts';

/** Exactly one of `cron`, `every` and `at`. */
export interface TriggerOptions {
  /** One or several cron expressions of 5 fields, or 6 with seconds first. */
  readonly cron?: string | readonly string[];
  /** A duration such as `30m`, counted from 1970-01-01T00:00 in the zone. */
  readonly every?: string;
  /** RFC 3339, or local time in the zone. */
  readonly at?: string;
  /** An IANA zone name; UTC unless given. */
  readonly timezone?: string;
  /** What clock changes do, where the default for the expression is not wanted. */
  readonly dst?: DstRule;
  /** Seeds H. */
  readonly jobId?: string;
}

/**
 * The rule by which a job would fire, without a job.
 *
 * @returns `next(after)`, in epoch milliseconds: the least instant strictly later than `after`, or undefined
 * @throws ScheduleProblem on a bad definition, in the same words as `tsched validate`
 */
export function compileTrigger(options: TriggerOptions): Trigger {
  const { cron, every, at, timezone = 'UTC', dst = {}, jobId = '' } = options;
  if ([cron, every, at].filter((given) => given !== undefined).length !== 1) {
    throw new ScheduleProblem({ message: 'a trigger needs exactly one of `cron`, `every` and `at`' });
  }
  const zone = canonicalZone(timezone);
  if (zone === undefined)
    throw new ScheduleProblem(checkZone(timezone) ?? { message: `unknown time zone "${timezone}"` });
  if (every !== undefined) return intervalTrigger(orThrow(parseDuration(every)), defaultAnchor(zone));
  if (at !== undefined) return instantsTrigger([orThrow(parseInstant(at, zone)).instant]);
  const expressions = typeof cron === 'string' ? [cron] : (cron ?? []);
  if (expressions.length === 0)
    throw new ScheduleProblem({ message: 'the list of cron expressions is empty' });
  return mergeTriggers(
    expressions.map((expression) => cronTrigger(expression, { timezone: zone, dst }, jobId)),
  );
}

function orThrow<T>(parsed: T): Exclude<T, Problem> {
  if (isProblem(parsed)) throw new ScheduleProblem(parsed);
  return parsed as Exclude<T, Problem>;
}
