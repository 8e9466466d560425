/** Puts triggers beside the oracle (cron-oracle.ts) and says where they disagree. */
import { readCron } from '../../src/schedule/cron.ts';
import { clockChangeRule, CronTrigger } from '../../src/schedule/cron-trigger.ts';
import { Zone } from '../../src/schedule/zone.ts';
import type { Random, Rule, Window } from './cron-oracle.ts';
import { firings } from './cron-oracle.ts';

/** Another one each run; a failing one is repeated by setting it. */
export const SEED = Number(process.env.TSCHED_TEST_SEED ?? Date.now() % 2 ** 31);
console.info(`TSCHED_TEST_SEED=${SEED}`);

/** A trigger that remembers nothing, in a zone that remembers nothing. */
export function freshTrigger(expression: string, timezone: string, rule: Rule): CronTrigger {
  const { fields, errors } = readCron(expression, '');
  if (!fields) throw new Error(`${expression}: ${JSON.stringify(errors)}`);
  return new CronTrigger(fields, new Zone(timezone), clockChangeRule(fields, rule));
}

/** All answers in the trusted part of the window, each asked from the one before. */
function enumerate(trigger: CronTrigger, from: number, until: number): number[] {
  const found: number[] = [];
  for (let at = trigger.next(from); at !== undefined && at <= until; at = trigger.next(at)) found.push(at);
  return found;
}

export interface Trial {
  readonly rule: Rule;
  readonly random: Random;
  readonly from: number;
  readonly until: number;
}

/** What the trigger and the oracle disagree on: nothing, one hopes. */
export function disagreements(expression: string, window: Window, trial: Trial): string[] {
  const { rule, random, from, until } = trial;
  const label = `${expression} in ${window.timezone} ${JSON.stringify(rule)} seed ${SEED}`;
  const expected = firings(expression, window, rule).filter((at) => at > from && at <= until);
  const trigger = freshTrigger(expression, window.timezone, rule);
  const found: string[] = [];
  const answers = enumerate(trigger, from, until);
  const different = expected.find((at, i) => answers[i] !== at) ?? answers[expected.length];
  if (different !== undefined) found.push(`${label}: the series differs at ${iso(different)}`);
  for (let i = 0; i < 6; i += 1) {
    const near = random.int(0, 1) === 0 && expected.length > 0;
    const after = near ? random.pick(expected) - random.int(0, 1) : from + random.int(0, until - from);
    const next = expected.find((at) => at > after);
    if (next === undefined) continue;
    // A daemon started at that very moment, knowing nothing, and one that has run for days agree.
    for (const asked of [freshTrigger(expression, window.timezone, rule), trigger]) {
      const answer = asked.next(after);
      if (answer !== next) found.push(`${label}: after ${iso(after)} comes ${iso(next)}, got ${iso(answer)}`);
    }
  }
  return found;
}

export function iso(instant: number | undefined): string {
  return instant === undefined ? 'never' : new Date(instant).toISOString();
}
