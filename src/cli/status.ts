import { statSync } from 'node:fs';
import type { Instant, JobId, Pause, RunRecord } from '../model.ts';
import { printableJson } from '../observe/text.ts';
import type { DaemonInfo } from '../store/daemon-file.ts';
import type { RunFigures } from '../store/history.ts';
import { statePaths } from '../store/state-directory.ts';
import { exit, isFailure } from './exit.ts';
import { runAsJson } from './history-row.ts';
import { newestDaemon, runningDaemon, withHistory } from './past.ts';
import { resultCell } from './results.ts';
import type { Session } from './session.ts';
import { counted, sizeInWords } from './sizes.ts';
import { daemonAsJson, daemonLines, linesAsText, some, type Line } from './status-lines.ts';
import { liveAsJson, liveLines, type LiveStatus } from './status-live.ts';
import { stateDirectory } from './state-directory.ts';
import { pausesInForce } from './pauses.ts';
import { dayTime, rfc3339, roughly } from '../observe/when.ts';

export interface StatusOptions {
  readonly stateDir?: string;
  readonly json?: boolean;
  readonly socket?: string;
  readonly url?: string;
}

interface Contents {
  readonly figures: RunFigures;
  readonly failing: readonly JobId[];
  readonly active: readonly RunRecord[];
  readonly paused: ReadonlyMap<JobId, Pause>;
}

/** How things stand in a state directory. */
interface Standing {
  readonly state: string;
  /** Whether one runs; what is known of it, or of the last that did. */
  readonly isRunning: boolean;
  readonly daemon: DaemonInfo | undefined;
  /** Undefined where there is no history yet; a text where it cannot be read. */
  readonly contents: Contents | string | undefined;
  /** What the daemon says when it is asked; undefined when it does not answer, cannot be asked, or there is none. */
  readonly live: LiveStatus | undefined;
  /** It should answer, and does not: it hangs, or begins, or its socket is gone. */
  readonly isSilent: boolean;
}

/** How the daemon, its store and its jobs are. Gives the exit code: 1 when no daemon runs as it should. */
export async function status(options: StatusOptions, session: Session): Promise<number> {
  const { TSCHED_URL: url = '', TSCHED_SOCKET: socket = '' } = session.environment;
  if ([options.url, options.socket, url, socket].some((name) => (name ?? '') !== ''))
    return (await import('./status-ask.ts')).remoteStatus(options, session);
  const state = stateDirectory(options.stateDir, session.environment);
  const running = runningDaemon(state);
  // Of a node of a cluster: its history is in PostgreSQL, and it alone can tell it.
  if (typeof running === 'object' && running.database !== undefined && running.socket !== undefined) {
    return (await import('./status-ask.ts')).nodeStatus(options, running, session);
  }
  const answer = typeof running === 'object' ? await askDaemon(options, running, session) : undefined;
  const live = answer === 'silent' ? undefined : answer;
  const standing: Standing = {
    state,
    isRunning: running !== undefined,
    daemon: running === 'unknown' ? undefined : (running ?? newestDaemon(state)),
    contents: await contentsOf(state, { now: session.now, live }),
    live,
    isSilent: answer === 'silent',
  };
  session.out(options.json === true ? asJson(standing) : asText(standing, session));
  return isHealthy(standing) ? exit.ok : exit.no;
}

/** What asks is loaded where there is somebody to be asked. */
async function askDaemon(
  options: StatusOptions,
  daemon: DaemonInfo,
  session: Session,
): Promise<LiveStatus | 'silent' | undefined> {
  const { liveStatus } = await import('./status-ask.ts');
  return liveStatus(options, daemon, session);
}

/** Status is asked most when something is wrong: what cannot be read is part of the answer. The daemon knows which jobs fail. */
async function contentsOf(
  state: string,
  { now, live }: { readonly now: Instant; readonly live: LiveStatus | undefined },
): Promise<Contents | string | undefined> {
  try {
    return await withHistory(
      state,
      (history) =>
        history && {
          figures: history.figures(),
          failing: live?.failing ?? history.failing(),
          active: history.unfinished(),
          paused: pausesInForce(history.pauses(), now),
        },
    );
  } catch (error) {
    if (!isFailure(error)) throw error;
    return `${error.message}${error.hint === undefined ? '' : `; ${error.hint}`}`;
  }
}

/** Failing jobs are the jobs' affair, not the daemon's: whoever restarts what is not healthy must not restart for them. */
function isHealthy({ isRunning, isSilent, daemon, contents }: Standing): boolean {
  return (
    isRunning &&
    !isSilent &&
    daemon?.store.kind !== 'degraded' &&
    daemon?.fileProblem === undefined &&
    typeof contents !== 'string'
  );
}

function asJson(standing: Standing): string {
  const { state, isRunning, daemon, contents } = standing;
  const known = typeof contents === 'object' ? contents : undefined;
  const shape = {
    healthy: isHealthy(standing),
    running: isRunning,
    answers: isRunning && !standing.isSilent,
    daemon: daemon === undefined ? null : daemonAsJson(daemon),
    store: {
      path: statePaths(state).database,
      state: storeState(standing),
      ...troubleAsJson(standing),
      bytes: databaseSize(state) ?? null,
      runs: known?.figures.runs ?? 0,
      skips: known?.figures.skips ?? 0,
      lastRunAt: known?.figures.lastRunAt === undefined ? null : rfc3339(known.figures.lastRunAt),
    },
    active: known?.active.map((run) => runAsJson(run, state)) ?? [],
    failing: known?.failing ?? [],
    ...liveAsJson(standing.live),
    paused: [...(known?.paused ?? [])].map(([jobId, pause]) => ({
      jobId,
      since: rfc3339(pause.since),
      until: pause.until === undefined ? null : rfc3339(pause.until),
      reason: pause.reason ?? null,
    })),
  };
  return `${printableJson(shape)}\n`;
}

function storeState({ isRunning, daemon, contents }: Standing): string {
  if (typeof contents === 'string') return 'unreadable';
  if (isRunning) return daemon?.store.kind ?? 'well';
  return contents === undefined ? 'absent' : 'well';
}

function troubleAsJson({ isRunning, daemon, contents }: Standing): object {
  if (typeof contents === 'string') return { since: null, message: contents, hint: null };
  if (!isRunning || daemon?.store.kind !== 'degraded') return { since: null, message: null, hint: null };
  const { since, message, hint } = daemon.store;
  return { since: rfc3339(since), message, hint: hint ?? null };
}

/** Bytes of the database with its write-ahead log; undefined when there is none to be seen. */
function databaseSize(state: string): number | undefined {
  const { database } = statePaths(state);
  try {
    return statSync(database).size + (statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0);
  } catch {
    return undefined;
  }
}

function asText(standing: Standing, session: Session): string {
  const daemon = daemonLines(standing, session);
  const lines = [
    ...daemon.slice(0, 1),
    ...silenceLines(standing),
    ...daemon.slice(1),
    ...storeLines(standing, session),
  ];
  if (typeof standing.contents === 'object') lines.push(...jobLines(standing.contents, session));
  return linesAsText([...lines, ...liveLines(standing.live, session)], session);
}

function silenceLines({ isSilent, daemon }: Standing): Line[] {
  if (!isSilent) return [];
  const where = daemon?.socket === undefined ? '' : ` at ${daemon.socket}`;
  const text = `it does not answer${where}: it begins, ends or hangs; if that lasts, restart it`;
  return [{ name: '', text, style: 'red' }];
}

function storeLines({ isRunning, daemon, contents, state }: Standing, session: Session): Line[] {
  const { database } = statePaths(state);
  const size = databaseSize(state);
  const place = `${database}${size === undefined ? '' : `   ${sizeInWords(size)}`}`;
  if (typeof contents === 'string') return [{ name: 'store', text: contents, style: 'red' }];
  const store = isRunning ? daemon?.store : undefined;
  if (store?.kind === 'memory')
    return [{ name: 'store', text: 'in memory (--ephemeral): what follows is of earlier daemons' }];
  const figures = contents?.figures;
  const rows =
    figures === undefined
      ? 'no history yet'
      : `${counted(figures.runs, 'run')}, ${counted(figures.skips, 'skip')}`;
  const lines: Line[] = [{ name: 'store', text: `${place}   ${rows}` }];
  if (store?.kind === 'degraded') {
    const since = dayTime(store.since, session.hostTimezone, session.now);
    const hint = store.hint === undefined ? '' : ` (${store.hint})`;
    const text = `degraded since ${since}: ${store.message}${hint}; jobs go on, history waits in memory`;
    lines.push({ name: '', text, style: 'red' });
  }
  return lines;
}

function jobLines({ failing, active, paused }: Contents, { now }: Session): Line[] {
  const running = active.map((run) => `${run.jobId} (${resultCell(run, now).text})`);
  const resting = [...paused].map(([id, { until, reason }]) => {
    const end = until === undefined ? '' : ` for ${roughly(until - now)} more`;
    return `${id}${end}${reason === undefined ? '' : `: ${reason}`}`;
  });
  return [
    { name: 'active', text: some(running) },
    { name: 'failing', text: some(failing), ...(failing.length > 0 ? { style: 'red' } : {}) },
    { name: 'paused', text: some(resting), ...(resting.length > 0 ? { style: 'yellow' } : {}) },
  ];
}
