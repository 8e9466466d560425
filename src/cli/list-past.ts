/** What history and daemon add to `tsched list`. Loaded only where there is a state directory. */
import { resolve } from 'node:path';
import type { Instant, JobId, Pause } from '../model.ts';
import { printable } from '../observe/text.ts';
import type { DaemonInfo } from '../store/daemon-file.ts';
import type { LastRuns } from '../store/history.ts';
import { exit, isFailure } from './exit.ts';
import { shownPath } from './find-file.ts';
import { runningDaemon, withHistory } from './past.ts';
import { pausesInForce } from './pauses.ts';
import { roughly } from '../observe/when.ts';

export interface ListPast {
  readonly jobs: ReadonlyMap<JobId, LastRuns>;
  readonly pauses: ReadonlyMap<JobId, Pause>;
  /** What the footer says of the daemon. */
  readonly daemon: string;
  /** Why the history could not be read. */
  readonly trouble?: string;
}

/** Outcomes that are shown of each job. */
const RECENT = 10;

interface Listed {
  readonly state: string;
  readonly file: string;
  readonly ids: readonly JobId[];
  readonly now: Instant;
}

/** A list of jobs is worth having without their history: what is wrong with it is told beside it. */
export async function pastOf(listed: Listed): Promise<ListPast> {
  const { state, ids, now } = listed;
  const daemon = daemonInWords(listed);
  try {
    return await withHistory(state, (history) => ({
      jobs: history?.jobs(ids, RECENT) ?? new Map<JobId, LastRuns>(),
      pauses: pausesInForce(history?.pauses() ?? new Map<JobId, Pause>(), now),
      daemon,
    }));
  } catch (error) {
    if (!isFailure(error) || error.code === exit.usage) throw error;
    const trouble = `the history is not shown: ${error.message}${error.hint === undefined ? '' : `; ${error.hint}`}`;
    return { jobs: new Map(), pauses: new Map(), daemon, trouble };
  }
}

function daemonInWords({ state, file, now }: Listed): string {
  const daemon = runningDaemon(state);
  if (daemon === undefined) return 'No daemon is running.';
  if (daemon === 'unknown') return 'Daemon: running.';
  return runningInWords(daemon, { file: resolve(file), now });
}

type Told = Pick<DaemonInfo, 'startedAt' | 'pid' | 'file' | 'fileProblem' | 'store'>;

/** @param file the one whose jobs are listed, absolute */
export function runningInWords(
  daemon: Told,
  { file, now }: { readonly file: string; readonly now: Instant },
): string {
  const parts = [`Daemon: running for ${roughly(now - daemon.startedAt)} (pid ${daemon.pid}).`];
  if (daemon.file !== file) parts.push(`It runs another file: ${shownPath(daemon.file)}.`);
  if (daemon.fileProblem !== undefined)
    parts.push(`Its ${printable(daemon.fileProblem.message)}.`.replace('Its the', 'The'));
  if (daemon.store.kind === 'degraded')
    parts.push(`Its history is degraded: ${printable(daemon.store.message)}.`);
  return parts.join('  ');
}
