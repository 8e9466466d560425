/** The one stream of a page: every event of the daemon, resumed after a break. */
import { effect, signal } from '@preact/signals';
import { ApiProblem, ask, lookForSession, segment, session } from './api.ts';
import type { Job, Run, Skip } from './model.ts';
import { drop, isLoaded, jobs, load, loadJobs, loadStatus, put, take } from './state.ts';

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
  'shard_changed',
];
const KINDS_OF_JOBS = ['slots_skipped', 'run_waiting', 'job_disabled', 'job_paused', 'job_resumed'];
const KINDS_OF_ALL = [
  'jobs_applied',
  'reload_refused',
  'file_mended',
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

/** The output of a run, which the stream tells beside events. */
export interface Following {
  readonly runId: string;
  /** Where it goes on: attempt:offset. */
  place: string;
  take(piece: { readonly attempt: number; readonly offset: number; readonly text: string }): void;
  end(): void;
}

let source: EventSource | undefined;
/** The newest event that came. */
let last = '';
let following: Following | undefined;
let waiting: Change[] = [];
const changed = new Set<string>();
let isAll = false;

/** Follows the session: nobody's page has no stream, nor has one that nobody sees: a browser opens six connections for all its tabs. */
export function keepLive(): void {
  const keep = (): void => {
    const isWanted = session.value !== null && session.value !== undefined && !document.hidden;
    if (!isWanted) close();
    else if (source === undefined) open();
  };
  effect(keep);
  document.addEventListener('visibilitychange', keep);
}

/** Until the one who asked calls what is given back. */
export function follow(wanted: Following): () => void {
  following = wanted;
  if (source !== undefined) open();
  return () => {
    if (following !== wanted) return;
    following = undefined;
    if (source !== undefined) open();
  };
}

function close(): void {
  source?.close();
  source = undefined;
}

function open(): void {
  close();
  const output = following;
  const query = new URLSearchParams({
    ...(last === '' ? {} : { after: last }),
    ...(output === undefined ? {} : { run: output.runId, from: output.place }),
  });
  const stream = new EventSource(`/api/v1/events?${query.toString()}`);
  source = stream;
  const on = (kind: string, take: (data: string) => void): void =>
    stream.addEventListener(kind, ({ data, lastEventId }: MessageEvent<string>) => {
      last = lastEventId || last;
      take(data);
    });
  // Whoever has the newest event misses nothing.
  if (last === '') on('hello', () => void refresh());
  else stream.addEventListener('open', () => (link.value = { kind: 'live' }));
  on('reset', () => void refresh());
  for (const kind of [...KINDS_OF_RUNS, ...KINDS_OF_JOBS, ...KINDS_OF_ALL]) {
    on(kind, (data) => {
      if (KINDS_OF_ALL.includes(kind)) isAll = true;
      gather(JSON.parse(data) as Change);
    });
  }
  on('output', (data) => {
    const piece = JSON.parse(data) as Parameters<Following['take']>[0];
    if (output === undefined) return;
    output.place = `${piece.attempt}:${piece.offset}`;
    output.take(piece);
  });
  on('end', () => output?.end());
  stream.addEventListener('error', () => {
    lost();
    // It would come back to where it began, not to where it was.
    if (source === stream) stream.close();
    setTimeout(again, 2000, stream);
  });
}

function lost(): void {
  if (link.value.kind !== 'lost') link.value = { kind: 'lost', since: Date.now() };
}

async function again(lostOne: EventSource): Promise<void> {
  if (source !== lostOne) return;
  try {
    await lookForSession();
    if (source === lostOne) open();
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 401) return; // the page shows the login
    setTimeout(again, 2000, lostOne);
  }
}

async function refresh(): Promise<void> {
  try {
    await load();
    link.value = { kind: 'live' };
    void catchUp();
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
  take(bunch.flatMap(({ run }) => run ?? []));
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
