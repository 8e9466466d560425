/** What the timeline knows, and when it asks for more. */
import { computed, signal } from '@preact/signals';
import { attempt } from './actions.ts';
import { ask, segment } from './api.ts';
import { select } from './jobs.tsx';
import type { Bar, Lane, Load, Run } from './model.ts';
import { place } from './route.ts';
import { jobs, now, runs, windowOf } from './state.ts';
import { since, until } from './window.ts';

/** Between two looks whether something is to be asked for; events lead to no more questions than one each so long. Milliseconds. */
const LOOK = 250;
const SELDOM = 2000;
const MINUTE = 60_000;
/** Jobs of one question. */
const MOST_JOBS = 100;

/** Rows, by job: those that the search leaves. */
export const ids = computed(() => select([...jobs.value.values()], place.value.query).map(({ id }) => id));
/** Jobs whose rows are in sight, and into how many parts the window is to be cut. */
export const sight = signal<readonly string[]>([]);
export const parts = signal(0);
const lanes = signal<ReadonlyMap<string, Lane>>(new Map());
/** What a simulation says of the time to come, in place of planned times, by job. */
export const simulated = signal<ReadonlyMap<string, Bar[]> | undefined>(undefined);
/** Rows, as far as they were asked for. */
export const known = computed(() => {
  const played = simulated.value;
  if (played === undefined) return lanes.value;
  return new Map(
    Array.from(lanes.value, ([id, lane]) => {
      const ahead = (played.get(id) ?? []).filter(({ scheduledAt }) => Date.parse(scheduledAt) > now.value);
      return [id, { ...lane, bars: [...lane.bars, ...ahead], planned: [] }];
    }),
  );
});
export const load = signal<(Load & { readonly since: number }) | undefined>(undefined);

interface Asked {
  readonly since: number;
  readonly until: number;
  readonly span: number;
  readonly jobs: ReadonlySet<string>;
  /** What was known of runs then. */
  readonly runs: unknown;
  readonly at: number;
}

let asked: Asked | undefined;
let askedLoad = '';
let isAsking = false;
let before = '';

export function keepAsking(): () => void {
  asked = undefined;
  askedLoad = '';
  void look();
  const timer = setInterval(() => void look(), LOOK);
  return () => clearInterval(timer);
}

async function look(): Promise<void> {
  const [from, to] = [since.value, until.value];
  const isSettled = before === `${to - from} ${sight.value.join()}`;
  before = `${to - from} ${sight.value.join()}`;
  if (isAsking || parts.value === 0 || document.hidden) return;
  isAsking = true;
  try {
    if (isWanted(from, to)) await askLanes(from, to);
    if (isSettled) await askLoad(from, to);
  } catch {
    // The stream says when the daemon is gone; it is asked for again when it is back.
  } finally {
    isAsking = false;
  }
}

function isWanted(from: number, to: number): boolean {
  if (asked === undefined || from < asked.since || to > asked.until) return true;
  if (to - from > asked.span || to - from < asked.span / 2) return true;
  if (sight.value.some((id) => asked?.jobs.has(id) !== true)) return true;
  return asked.runs !== runs.value && performance.now() - asked.at > SELDOM;
}

/** With as much again before and after it, so that moving it asks for nothing. */
async function askLanes(from: number, to: number): Promise<void> {
  const span = to - from;
  const wide = { since: from - span / 2, until: to + span / 2 };
  const wanted = sight.value.slice(0, MOST_JOBS);
  asked = { ...wide, span, jobs: new Set(wanted), runs: runs.value, at: performance.now() };
  if (wanted.length === 0) return;
  const path = `timeline?${windowOf(wide.since, wide.until)}&parts=${Math.min(2 * parts.value, 2000)}&jobs=`;
  const answer = await ask<{ lanes: Lane[] }>(path + wanted.map(segment).join());
  const next = new Map(lanes.value);
  for (const lane of answer.lanes) next.set(lane.jobId, lane);
  lanes.value = next;
}

/** Plays what is to come, up to the end of the window or for a day; once more takes it away. */
export function simulate(): Promise<void> {
  return attempt('Simulate', async () => {
    const to = new Date(Math.max(until.value, now.value + 1440 * MINUTE)).toISOString();
    const { runs: played } = await ask<{ runs: Run[] }>('simulate', { method: 'POST', body: { to } });
    const next = new Map<string, Bar[]>();
    for (const { jobId, scheduledAt, startedAt, finishedAt } of played) {
      const bar = {
        runId: '',
        scheduledAt,
        startedAt,
        finishedAt,
        kind: 'simulated',
        runs: 1,
        failed: 0,
      } as const;
      const bars = next.get(jobId);
      if (bars) bars.push(bar);
      else next.set(jobId, [bar]);
    }
    simulated.value = next;
    return { text: `${played.length} runs are to come.` };
  });
}

/** By the minute: a window that follows the clock asks no more often. */
async function askLoad(from: number, to: number): Promise<void> {
  const begin = Math.floor(from / MINUTE) * MINUTE;
  const wanted = windowOf(begin, Math.ceil(to / MINUTE) * MINUTE);
  if (wanted === askedLoad) return;
  load.value = { ...(await ask<Load>(`load?${wanted}`)), since: begin };
  askedLoad = wanted;
}
