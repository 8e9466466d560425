import type { JobStatus } from '../engine/engine.ts';
import type { Answer } from '../engine/ports-operator.ts';
import type { JobDays } from '../engine/ports-timeline.ts';
import type { Clock } from '../engine/ports.ts';
import { lastDays } from '../schedule/days.ts';
import { SpanCounts } from '../store/span-counts.ts';
import { done } from './answers.ts';
import type { Runs } from './runs.ts';

/** What was on each of the last `count` days of the job's calendar. Runs that history has not seen end yet count as what became of them. */
export async function daysOf(
  { definition: { id, schedule } }: JobStatus,
  count: number,
  { runs, clock }: { readonly runs: Runs; readonly clock: Clock },
): Promise<Answer<JobDays>> {
  const { timezone } = schedule;
  const days = lastDays(timezone, { now: clock.now(), count });
  const known = await runs.ask((history) => history.counts(id, days));
  if (!known.ok) return known;
  const { counts, unfinished } = known.value;
  const all = new SpanCounts(days, counts);
  for (const run of unfinished) all.run(runs.fresh(run));
  const told = days.flatMap((day, index) => {
    const counted = all.counts[index];
    return counted === undefined || isNothing(counted) ? [] : [{ ...day, ...counted }];
  });
  return done({ timezone, days: told });
}

function isNothing(counts: Readonly<Record<string, number | undefined>>): boolean {
  return Object.values(counts).every((count) => count === 0);
}
