/** The one stream of a page: every event of the daemon, resumed after a break. */
import { effect, signal } from '@preact/signals';
import { ApiProblem, ask, lookForSession, segment, session } from './api.ts';
import type { Job, Run, Skip } from './model.ts';
import { drop, isLoaded, jobs, load, loadJobs, loadStatus, put, status, take } from './state.ts';

/** Whether what is shown is what is. `since`: when the stream was lost. */
export const link = signal<
  { readonly kind: 'opening' | 'live' } | { readonly kind: 'lost'; readonly since: number }
>({
  kind: 'opening',
});

const KINDS_OF_RUNS = [
  'run_claimed',
  'attempt_started',
  'attempt_ended',
  'run_recovered',
  'retry_begun',
  'retry_scheduled',
  'run_finished',
];
const KINDS_OF_JOBS = ['slots_skipped', 'run_waiting', 'job_disabled', 'job_paused', 'job_resumed'];
const KINDS_OF_ALL = [
  'jobs_applied',
  'reload_refused',
  'store_failed',
  'store_degraded',
  'store_healed',
  'engine_stopping',
];

/** Events are taken in bunches: a storm of them must not keep the page from being drawn. Milliseconds. */
const BUNCH = 100;
/** Above so many jobs that changed, all are asked for at once, and seldom. */
const FEW = 8;
const SELDOM = 3000;

interface Change {
  readonly jobId?: string;
  readonly run?: Run;
  readonly skip?: Skip;
}

let source: EventSource | undefined;
let waiting: Change[] = [];
const changed = new Set<string>();
let isAll = false;

/** Follows the session: nobody's page has no stream. */
export function keepLive(): void {
  effect(() => {
    const isIn = session.value !== null && session.value !== undefined;
    if (isIn && source === undefined) open();
    if (!isIn) close();
  });
  setInterval(lookAtFile, 2000);
}

/** That a broken file is again what runs already changes nothing, so no event tells it. */
function lookAtFile(): void {
  if (link.value.kind !== 'live' || !status.value?.fileProblem) return;
  loadStatus().catch(lost);
}

function close(): void {
  source?.close();
  source = undefined;
}

function open(): void {
  const stream = new EventSource('/api/v1/events');
  source = stream;
  // Also after a break: what happened meanwhile may no longer be known there.
  stream.addEventListener('open', () => void refresh());
  stream.addEventListener('reset', () => void refresh());
  for (const kind of [...KINDS_OF_RUNS, ...KINDS_OF_JOBS, ...KINDS_OF_ALL]) {
    stream.addEventListener(kind, (event) => {
      if (KINDS_OF_ALL.includes(kind)) isAll = true;
      gather(JSON.parse(event.data as string) as Change);
    });
  }
  stream.addEventListener('error', () => {
    lost();
    // A browser gives up when it was answered anything but a stream.
    if (stream.readyState === EventSource.CLOSED && source === stream) setTimeout(again, 2000);
  });
}

function lost(): void {
  if (link.value.kind !== 'lost') link.value = { kind: 'lost', since: Date.now() };
}

async function again(): Promise<void> {
  try {
    await lookForSession();
    close();
    open();
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 401) return; // the page shows the login
    setTimeout(again, 2000);
  }
}

async function refresh(): Promise<void> {
  try {
    await load();
    link.value = { kind: 'live' };
  } catch {
    lost();
    setTimeout(() => {
      if (source?.readyState === EventSource.OPEN) void refresh();
    }, 2000);
  }
}

let isDue = false;

function gather(change: Change): void {
  waiting.push(change);
  if (isDue) return;
  isDue = true;
  setTimeout(settle, BUNCH);
}

function settle(): void {
  isDue = false;
  const bunch = waiting;
  waiting = [];
  take(bunch);
  for (const { jobId, run, skip } of bunch) {
    const id = jobId ?? run?.jobId ?? skip?.jobId;
    if (id !== undefined) changed.add(id);
  }
  void catchUp();
}

let isAsking = false;

/** Asks for what events do not tell: when a job is next due, its state, its recent runs. */
async function catchUp(): Promise<void> {
  if (isAsking || !isLoaded.value) return;
  isAsking = true;
  try {
    while (changed.size > 0 || isAll) await askOnce();
  } catch {
    // The stream says when the daemon is gone; all is asked for anew when it is back.
  } finally {
    isAsking = false;
  }
}

async function askOnce(): Promise<void> {
  const ids = [...changed];
  changed.clear();
  if (isAll || ids.length > FEW) {
    isAll = false;
    await loadStatus();
    jobs.value = await loadJobs();
    await new Promise((resolve) => setTimeout(resolve, SELDOM));
    return;
  }
  for (const id of ids) await askJob(id);
}

async function askJob(id: string): Promise<void> {
  try {
    put(await ask<Job>(`jobs/${segment(id)}`));
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
    drop(id);
  }
}
