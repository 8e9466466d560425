/** Holding the schedules of a job set against the `tests` of its files. */
import type { Calendar } from '../calendar.ts';
import type { Duration, Instant, JobDefinition } from '../model.ts';
import { parseInstant } from '../schedule/at.ts';
import { inOrder } from '../schedule/calendar.ts';
import { afterOf } from '../schedule/follow.ts';
import { isProblem, type Problem } from '../schedule/problem.ts';
import { brokenPromises, type ScheduleTest } from '../schedule/schedule-test.ts';
import { suggest } from '../schedule/suggest.ts';
import type { CalendarBook } from './calendars.ts';
import type { Outline } from './outline.ts';
import type { TestValues } from './test-fields.ts';

const YEAR: Duration = 366 * 86_400_000;
const LONGEST: Duration = 10 * YEAR;
/** The keys that promise something. */
const PROMISES = ['fires_at', 'never_at', 'never_on', 'never_within'] as const;

export interface TestSurroundings {
  readonly jobs: readonly JobDefinition[];
  readonly calendars: CalendarBook;
  readonly now: Instant;
}

/** Holds all tests of a file against the jobs, and reports those that fail where they stand. */
export function runTests(outline: Outline, around: TestSurroundings): void {
  const list = (outline.settings['tests'] ?? []) as readonly (TestValues | undefined)[];
  for (const [index, values] of list.entries()) {
    if (values === undefined) continue;
    const complain = (key: string, problem: Problem): void => {
      const path = key === '' ? [index] : [index, key];
      outline.reader.problem(outline.spanAt('tests', ...path), ['tests', ...path].join('.'), problem);
    };
    const test = testOf(values, around, complain);
    for (const { key, problem } of test === undefined ? [] : brokenPromises(test)) complain(key, problem);
  }
}

type Complain = (key: string, problem: Problem) => void;

function testOf(values: TestValues, around: TestSurroundings, complain: Complain): ScheduleTest | undefined {
  const { job: id, never_within: within } = values;
  if (id === undefined) {
    if (!('job' in values)) complain('', { message: 'nothing says which job', hint: 'add job:' });
    return undefined;
  }
  complainOfNothing(values, complain);
  const job = find(id, 'job', { ...around, complain });
  if (job === undefined) return undefined;
  const moments = (key: string, texts: readonly string[] = []): Instant[] =>
    texts.flatMap((text) => {
      const parsed = parseInstant(text, job.schedule.timezone);
      if (!isProblem(parsed)) return [parsed.instant];
      complain(key, parsed);
      return [];
    });
  const [from = around.now] = moments('from', values.from === undefined ? [] : [values.from]);
  const [to = from + YEAR] = moments('to', values.to === undefined ? [] : [values.to]);
  if (to < from || to - from > LONGEST)
    complain('to', { message: 'the window ends before it begins, or is longer than ten years' });
  const of = (within?.of ?? [id]).flatMap(
    (name) => find(name, 'never_within', { ...around, complain }) ?? [],
  );
  const neverOn = daysOf(values.never_on, around.calendars, complain);
  return {
    job,
    from,
    to: Math.min(to, from + LONGEST),
    firesAt: moments('fires_at', values.fires_at),
    neverAt: moments('never_at', values.never_at),
    ...(neverOn === undefined ? {} : { neverOn }),
    ...(within?.gap === undefined ? {} : { neverWithin: { gap: within.gap, of } }),
  };
}

/** A test that can only pass is a mistake. */
function complainOfNothing(values: TestValues, complain: Complain): void {
  const { never_on: on, never_within: within } = values;
  if (!PROMISES.some((key) => key in values))
    complain('', {
      message: 'nothing is held against its slots',
      hint: 'add fires_at:, never_at:, never_on: or never_within:',
    });
  if (on !== undefined && !['calendar', 'weekdays', 'dates'].some((key) => key in on))
    complain('never_on', {
      message: 'nothing says on which days',
      hint: 'write the name of a calendar, or add weekdays: or dates:',
    });
  if (within !== undefined && !('gap' in within))
    complain('never_within', { message: 'nothing says how near', hint: 'add gap:' });
}

/** Why a job has no slots that could be looked at; undefined where it has, or where its triggers were refused. */
function withoutClock({ id, schedule }: JobDefinition): Problem | undefined {
  const { triggers } = schedule;
  if (triggers.length === 0 || triggers.some(({ kind }) => kind !== 'after' && kind !== 'startup'))
    return undefined;
  const followed = afterOf(schedule);
  return followed === undefined
    ? { message: `${id} runs when tsched starts, so it has no slots to look at`, hint: 'remove this test' }
    : {
        message: `${id} runs when others end, so it has no slots of its own to look at`,
        hint: `test what it follows: ${followed.jobs.join(', ')}`,
      };
}

function find(
  id: string,
  key: string,
  { jobs, complain }: TestSurroundings & { readonly complain: Complain },
): JobDefinition | undefined {
  const job = jobs.find((candidate) => candidate.id === id);
  if (job !== undefined) {
    const problem = withoutClock(job);
    if (problem === undefined) return job;
    complain(key, problem);
    return undefined;
  }
  const near = suggest(
    id,
    jobs.map((candidate) => candidate.id),
  );
  complain(key, {
    message: `there is no job "${id}"`,
    ...(near === undefined ? {} : { hint: `did you mean "${near}"?` }),
  });
  return undefined;
}

function daysOf(own: TestValues['never_on'], book: CalendarBook, complain: Complain): Calendar | undefined {
  if (own === undefined) return undefined;
  const { calendar = [], weekdays: days = [], dates: listed = [] } = own;
  const include = calendar.flatMap((name) => {
    const found = book.named(name);
    if (!isProblem(found)) return [found];
    complain('never_on', found);
    return [];
  });
  return {
    name: 'never_on',
    weekdays: days.flat(),
    days: inOrder(listed.filter((date) => 'from' in date)),
    yearly: listed.filter((date) => 'month' in date),
    include,
  };
}
