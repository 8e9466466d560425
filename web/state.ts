/** What this page knows of the daemon, and how events change it. */
import { batch, computed, signal } from '@preact/signals';
import { ahead, ask, segment } from './api.ts';
import { isRun, type Job, type Row, type Run, type Skip, type Status } from './model.ts';

const HOUR = 3_600_000;
/** Rows of history the overview asks for at most: as many pages of a thousand. */
const MOST_PAGES = 5;
/** Rows it keeps at most, while events go on adding some. */
const MOST_ROWS = 20_000;

export const jobs = signal<ReadonlyMap<string, Job>>(new Map());
export const status = signal<Status | undefined>(undefined);
/** Of the last day, or since `rowsSince`; by what tells them apart. */
export const rows = signal<ReadonlyMap<string, Row>>(new Map());
/** The history before this was not asked for. Epoch milliseconds; undefined while it is. */
export const rowsSince = signal<number | undefined>(undefined);
export const isLoaded = signal(false);

/** The daemon's time, once a second. */
export const now = signal(Date.now());
export const thisHour = computed(() => Math.floor(now.value / HOUR) * HOUR);

export function keepNow(): void {
  now.value = Date.now() + ahead;
  setTimeout(keepNow, 1000 - (now.value % 1000));
}

/** Newest first. */
export const newest = computed(() =>
  [...rows.value.values()].sort((one, other) => whenOf(other) - whenOf(one)),
);

/** When it was decided. */
export function whenOf(row: Row): number {
  return Date.parse(isRun(row) ? row.claimedAt : row.at);
}

function keyOf(row: Row): string {
  return isRun(row) ? row.id : `${row.jobId} ${row.scheduledAt}`;
}

/** What events told while all was asked for anew: it is newer than the answer. */
let meanwhile: Map<string, Row> | undefined;

/** Everything anew: how things are first, then what was. */
export async function load(): Promise<void> {
  const fresh = new Map<string, Row>();
  meanwhile = fresh;
  const loading = loadRows();
  loading.catch(() => undefined); // told below, when it is its turn
  const [loadedStatus, loadedJobs] = await Promise.all([ask<Status>('status'), loadJobs()]);
  batch(() => {
    status.value = loadedStatus;
    jobs.value = loadedJobs;
    isLoaded.value = true;
    now.value = Date.now() + ahead;
  });
  const loaded = await loading;
  batch(() => {
    rows.value = new Map([...loaded.rows, ...fresh]);
    rowsSince.value = loaded.since;
    if (meanwhile === fresh) meanwhile = undefined;
  });
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

/** Oldest first. */
async function loadRows(): Promise<{ rows: ReadonlyMap<string, Row>; since: number }> {
  const since = thisHour.value - 23 * HOUR;
  const all: Row[] = [];
  const told = (from: number): { rows: ReadonlyMap<string, Row>; since: number } => ({
    rows: new Map(all.reverse().map((row) => [keyOf(row), row])),
    since: from,
  });
  let cursor = '';
  for (let page = 1; page <= MOST_PAGES; page++) {
    const path = `runs?limit=1000&since=${new Date(since).toISOString()}${cursor}`;
    const { runs, next } = await ask<{ runs: Row[]; next: string | null }>(path);
    all.push(...runs);
    if (next === null) return told(since);
    cursor = `&cursor=${segment(next)}`;
  }
  return told(Math.min(...all.map(whenOf)));
}

/** What an event changes at once; the rest of the job is asked for by whoever called. */
export function take(changes: readonly { readonly run?: Run; readonly skip?: Skip }[]): void {
  const nextRows = new Map(rows.value);
  const set = (row: Row): void => {
    nextRows.set(keyOf(row), row);
    meanwhile?.set(keyOf(row), row);
  };
  const nextJobs = new Map(jobs.value);
  for (const { run, skip } of changes) {
    if (skip !== undefined) set(skip);
    if (run === undefined) continue;
    set(run);
    const job = nextJobs.get(run.jobId);
    if (job !== undefined) nextJobs.set(job.id, withRun(job, run));
  }
  for (const key of nextRows.keys()) {
    if (nextRows.size <= MOST_ROWS) break;
    nextRows.delete(key);
  }
  batch(() => {
    rows.value = nextRows;
    jobs.value = nextJobs;
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
