/** What this page knows of the daemon, and how events change it. */
import { batch, computed, signal } from '@preact/signals';
import { ahead, ask, segment } from './api.ts';
import { isBad, type Hours, type Job, type Run, type Status } from './model.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Failures of the last day that are listed; how many there were, the hours tell. */
const MOST_FAILURES = 200;
/** Runs kept of those that events told. */
const MOST_RUNS = 1000;

export const jobs = signal<ReadonlyMap<string, Job>>(new Map());
export const status = signal<Status | undefined>(undefined);
/** Runs that events told, as they are now, by id. */
export const runs = signal<ReadonlyMap<string, Run>>(new Map());
/** Of the last day, newest first; undefined until they are known. */
export const failures = signal<readonly Run[] | undefined>(undefined);
/** The last day, hour by hour. */
export const hours = signal<Hours | undefined>(undefined);
export const isLoaded = signal(false);
/** How often all was asked for anew. What views asked for themselves is old then: no event tells what was missed. */
export const loads = signal(0);

/** The daemon's time, once a second. */
export const now = signal(Date.now());
export const thisHour = computed(() => Math.floor(now.value / HOUR) * HOUR);

export function keepNow(): void {
  now.value = Date.now() + ahead;
  setTimeout(keepNow, 1000 - (now.value % 1000));
}

/** Everything anew: how things are first, then what was. */
export async function load(): Promise<void> {
  // By now the daemon's time is known, which the clock here may be days away from.
  now.value = Date.now() + ahead;
  const [, loadedJobs] = await Promise.all([loadStatus(), loadJobs()]);
  batch(() => {
    jobs.value = loadedJobs;
    runs.value = new Map();
    loads.value += 1;
    isLoaded.value = true;
  });
  const since = new Date(now.value - DAY).toISOString();
  const path = `runs?status=failed&limit=${MOST_FAILURES}&since=${since}`;
  const { runs: failed } = await ask<{ runs: Run[] }>(path);
  addFailures(failed);
}

export async function loadStatus(): Promise<void> {
  status.value = await ask<Status>('status');
}

export async function loadJobs(): Promise<ReadonlyMap<string, Job>> {
  const all = new Map<string, Job>();
  let cursor = '';
  do {
    const page = await ask<{ jobs: Job[]; next: string | null }>(`jobs?limit=1000${cursor}`);
    for (const job of page.jobs) all.set(job.id, job);
    cursor = page.next === null ? '' : `&cursor=${segment(page.next)}`;
  } while (cursor !== '');
  return all;
}

/** As far as it is recorded: a moment behind. */
export async function loadHours(): Promise<void> {
  hours.value = await ask<Hours>(`hours?${windowOf(thisHour.value - 23 * HOUR, thisHour.value + HOUR)}`);
}

/** Of a question. */
export function windowOf(since: number, until: number): string {
  return `since=${new Date(since).toISOString()}&until=${new Date(until).toISOString()}`;
}

function addFailures(some: readonly Run[]): void {
  const known = new Map([...(failures.value ?? []), ...some].map((run) => [run.id, run]));
  failures.value = [...known.values()]
    .filter(({ claimedAt }) => Date.parse(claimedAt) > now.value - DAY)
    .sort((one, other) => ((one.finishedAt ?? '') < (other.finishedAt ?? '') ? 1 : -1))
    .slice(0, MOST_FAILURES);
}

/** What an event changes at once; the rest of the job is asked for by whoever called. */
export function take(told: readonly Run[]): void {
  if (told.length === 0) return;
  const nextRuns = new Map(runs.value);
  const nextJobs = new Map(jobs.value);
  for (const run of told) {
    nextRuns.delete(run.id);
    nextRuns.set(run.id, run);
    const job = nextJobs.get(run.jobId);
    if (job !== undefined) nextJobs.set(job.id, withRun(job, run));
  }
  for (const id of nextRuns.keys()) {
    if (nextRuns.size <= MOST_RUNS) break;
    nextRuns.delete(id);
  }
  batch(() => {
    runs.value = nextRuns;
    jobs.value = nextJobs;
    addFailures(told.filter(({ outcome }) => isBad(outcome?.kind)));
  });
}

function withRun(job: Job, run: Run): Job {
  const others = job.active.filter(({ id }) => id !== run.id);
  const active = run.state === 'finished' ? others : [...others, run];
  const isNewer = job.lastRun === null || Date.parse(run.claimedAt) >= Date.parse(job.lastRun.claimedAt);
  return { ...job, active, lastRun: isNewer ? run : job.lastRun };
}

export function put(job: Job): void {
  jobs.value = new Map(jobs.value).set(job.id, job);
}

export function drop(jobId: string): void {
  const rest = new Map(jobs.value);
  rest.delete(jobId);
  jobs.value = rest;
}
