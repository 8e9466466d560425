/** Asks a running daemon how it is. Apart from the rest, since what asks takes time to load. */
import type { Duration } from '../model.ts';
import { printableJson } from '../observe/text.ts';
import type { DaemonInfo } from '../store/daemon-file.ts';
import { Client, Refused, type ClientOptions } from './client.ts';
import { exit, isFailure, type Failure } from './exit.ts';
import type { Session } from './session.ts';
import { daemonAsJson, daemonLines, linesAsText, some, type Line } from './status-lines.ts';
import { liveAsJson, liveLines, type LiveStatus } from './status-live.ts';
import { dayTime, rfc3339 } from '../observe/when.ts';
import { daemonOf, runOf, type ToldPool, type ToldRun, type ToldStatus } from './told.ts';

/** Whoever asks wants an answer now: what the daemon has written down is one too. */
const PATIENCE: Duration = 5000;

async function ask(client: Client, patience?: Duration): Promise<LiveStatus> {
  const [status, { pools }] = await Promise.all([
    client.get<ToldStatus>('/status', patience),
    client.get<{ readonly pools: readonly ToldPool[] }>('/pools', patience),
  ]);
  return { ...status, pools };
}

/** `silent` when it does not answer, undefined where it cannot be asked; what it has written down is told then. */
export async function liveStatus(
  options: ClientOptions,
  { socket }: DaemonInfo,
  session: Session,
): Promise<LiveStatus | 'silent' | undefined> {
  if (socket === undefined) return undefined;
  try {
    return await ask(new Client({ ...options, socket }, session), PATIENCE);
  } catch (error) {
    if (!isFailure(error)) throw error;
    return error instanceof Refused || error.code === exit.notAllowed ? undefined : 'silent';
  }
}

/** Of a daemon that was named by its socket or address: whatever it says, and nothing of the files around it. */
export async function remoteStatus(
  options: ClientOptions & { readonly json?: boolean },
  session: Session,
): Promise<number> {
  const client = new Client(options, session);
  const status = await ask(client);
  return tell({ daemon: daemonOf(status), status, active: await activeRuns(client) }, options, session);
}

/**
 * Of the node of this state directory, whose history is in PostgreSQL: what it says, or the node that conducts. Where nobody can, since the
 * database is away, what it has written down.
 */
export async function nodeStatus(
  options: ClientOptions & { readonly json?: boolean },
  daemon: DaemonInfo,
  session: Session,
): Promise<number> {
  const client = new Client({ ...options, socket: daemon.socket ?? '', url: '' }, session);
  const status = await orWhy(ask(client, PATIENCE));
  if (isFailure(status)) return tell({ daemon, status, active: status }, options, session);
  return tell({ daemon, status, active: await activeRuns(client, PATIENCE) }, options, session);
}

interface Told {
  /** The one that was asked. */
  readonly daemon: DaemonInfo;
  /** What could not be told: why not. */
  readonly status: LiveStatus | Failure;
  readonly active: readonly ToldRun[] | Failure;
}

async function activeRuns(client: Client, patience?: Duration): Promise<Told['active']> {
  const path = '/runs?status=active&limit=1000';
  const answer = await orWhy(client.get<{ readonly runs: readonly ToldRun[] }>(path, patience));
  return isFailure(answer) ? answer : answer.runs;
}

async function orWhy<T>(asked: Promise<T>): Promise<T | Failure> {
  try {
    return await asked;
  } catch (error) {
    if (isFailure(error) && error.code === exit.unavailable) return error;
    throw error;
  }
}

function tell(told: Told, { json }: { readonly json?: boolean }, session: Session): number {
  session.out(
    json === true ? `${printableJson(asJson(told))}\n` : linesAsText(asLines(told, session), session),
  );
  return isHealthy(told) ? exit.ok : exit.no;
}

function isHealthy({ status, active, daemon }: Told): boolean {
  if (isFailure(status) || isFailure(active) || daemon.away !== undefined) return false;
  return status.store.kind !== 'degraded' && status.fileProblem === null;
}

interface Trouble {
  readonly state: 'well' | 'memory' | 'degraded';
  readonly since?: string | undefined;
  readonly message?: string | undefined;
  readonly hint?: string | undefined;
}

/**
 * That the database is away is noticed by the node before its store, which may have nothing to write. Where nobody answers, the store is as the
 * node has written it down.
 */
function storeOf({ daemon, status, active }: Told): Trouble {
  const { away } = daemon;
  if (away !== undefined) return { state: 'degraded', since: rfc3339(away.since), message: away.message };
  const { store } = isFailure(status) ? { store: writtenOf(daemon) } : status;
  if (store.kind === 'well' && !isFailure(status) && isFailure(active))
    return { state: 'degraded', message: active.message, hint: active.hint };
  const { kind: state, ...trouble } = store;
  return { state, ...trouble };
}

function writtenOf({ store }: DaemonInfo): LiveStatus['store'] {
  return store.kind === 'degraded' ? { ...store, since: rfc3339(store.since) } : store;
}

function asJson(told: Told): object {
  const { status, active, daemon } = told;
  const { state, since = null, message = null, hint = null } = storeOf(told);
  const live = isFailure(status) ? undefined : status;
  return {
    healthy: isHealthy(told),
    running: true,
    answers: !isFailure(status) || status instanceof Refused,
    daemon: daemonAsJson(live === undefined ? daemon : daemonOf(live)),
    store: { state, since, message, hint },
    active: isFailure(active) ? null : active,
    failing: live === undefined ? null : (live.failing ?? []),
    ...liveAsJson(live),
  };
}

function asLines(told: Told, session: Session): Line[] {
  const { daemon, status, active } = told;
  const [itself, ...rest] = daemonLines(
    { isRunning: true, daemon: isFailure(status) ? daemon : daemonOf(status), state: '' },
    session,
  );
  const store = storeLine(told, session);
  // What its file says of jobs is of the last time that it conducted.
  if (isFailure(status)) return [...(itself === undefined ? [] : [itself]), untold(status), store];
  const failing = status.failing ?? [];
  const { paused } = status.jobs;
  return [
    ...(itself === undefined ? [] : [itself]),
    ...rest,
    store,
    isFailure(active)
      ? { name: 'active', text: `${status.active}   which, cannot be told now`, style: 'red' }
      : { name: 'active', text: some(active.map((run) => runOf(run).jobId)) },
    { name: 'failing', text: some(failing), ...(failing.length > 0 ? { style: 'red' as const } : {}) },
    { name: 'paused', text: `${paused}`, ...(paused > 0 ? { style: 'yellow' as const } : {}) },
    ...liveLines(status, session),
  ];
}

/** Why nothing is said of jobs. */
function untold({ message, hint }: Failure): Line {
  return { name: 'jobs', text: hint === undefined ? message : `${message}; ${hint}`, style: 'red' };
}

function storeLine(told: Told, { hostTimezone, now }: Session): Line {
  const { state, since, message = '', hint } = storeOf(told);
  if (state === 'well') return { name: 'store', text: 'well' };
  if (state === 'memory') return { name: 'store', text: 'in memory (--ephemeral)' };
  const { daemon, status } = told;
  const isNode = daemon.database !== undefined || (!isFailure(status) && typeof status.node === 'string');
  const meanwhile = isNode
    ? 'what runs goes on, nothing begins until it is back'
    : 'jobs go on, history waits in memory';
  const from = since === undefined ? '' : ` since ${dayTime(Date.parse(since), hostTimezone, now)}`;
  const what = hint === undefined ? message : `${message} (${hint})`;
  return { name: 'store', text: `degraded${from}: ${what}; ${meanwhile}`, style: 'red' };
}
