/** Asks a running daemon how it is. Apart from the rest, since what asks takes time to load. */
import type { Duration } from '../model.ts';
import { printableJson } from '../observe/text.ts';
import type { DaemonInfo } from '../store/daemon-file.ts';
import { Client, type ClientOptions } from './client.ts';
import { exit, isFailure } from './exit.ts';
import type { Session } from './session.ts';
import { daemonAsJson, daemonLines, linesAsText, some, type Line } from './status-lines.ts';
import { liveAsJson, liveLines, type LiveStatus } from './status-live.ts';
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

/** Undefined when it does not answer; what it has written down is told then. */
export async function liveStatus(
  options: ClientOptions,
  { socket }: DaemonInfo,
  session: Session,
): Promise<LiveStatus | undefined> {
  if (socket === undefined) return undefined;
  try {
    return await ask(new Client({ ...options, socket }, session), PATIENCE);
  } catch (error) {
    if (isFailure(error)) return undefined;
    throw error;
  }
}

/** Of a daemon that was named by its socket or address: whatever it says, and nothing of the files around it. */
export async function remoteStatus(
  options: ClientOptions & { readonly json?: boolean },
  session: Session,
): Promise<number> {
  const client = new Client(options, session);
  const [status, { runs }] = await Promise.all([
    ask(client),
    client.get<{ readonly runs: readonly ToldRun[] }>('/runs?status=active&limit=1000'),
  ]);
  const isHealthy = status.store.kind !== 'degraded' && status.fileProblem === null;
  session.out(
    options.json === true
      ? `${printableJson(asJson(status, { runs, isHealthy }))}\n`
      : linesAsText(asLines(status, runs, session), session),
  );
  return isHealthy ? exit.ok : exit.no;
}

function asJson(
  status: LiveStatus,
  { runs, isHealthy }: { readonly runs: readonly ToldRun[]; readonly isHealthy: boolean },
): object {
  const { kind, since = null, message = null, hint = null } = status.store;
  return {
    healthy: isHealthy,
    running: true,
    daemon: daemonAsJson(daemonOf(status)),
    store: { state: kind, since, message, hint },
    active: runs,
    failing: status.failing ?? [],
    ...liveAsJson(status),
  };
}

function asLines(status: LiveStatus, runs: readonly ToldRun[], session: Session): Line[] {
  const { kind, message = '' } = status.store;
  const store: Readonly<Record<typeof kind, Line>> = {
    well: { name: 'store', text: 'well' },
    memory: { name: 'store', text: 'in memory (--ephemeral)' },
    degraded: {
      name: 'store',
      text: `degraded: ${message}; jobs go on, history waits in memory`,
      style: 'red',
    },
  };
  const failing = status.failing ?? [];
  const { paused } = status.jobs;
  return [
    ...daemonLines({ isRunning: true, daemon: daemonOf(status), state: '' }, session),
    store[kind],
    { name: 'active', text: some(runs.map((run) => runOf(run).jobId)) },
    { name: 'failing', text: some(failing), ...(failing.length > 0 ? { style: 'red' as const } : {}) },
    { name: 'paused', text: `${paused}`, ...(paused > 0 ? { style: 'yellow' as const } : {}) },
    ...liveLines(status, session),
  ];
}
