/** What a state directory tells those who ask, whether or not a daemon runs there. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RunId, RunRecord } from '../model.ts';
import { directoryOf, shardId } from '../shard.ts';
import { printable } from '../observe/text.ts';
import { readDaemonFile, type DaemonInfo } from '../store/daemon-file.ts';
import type { HistoryReader } from '../store/history.ts';
import { isLocked } from '../store/lock.ts';
import { DatabaseRefused, explained } from '../store/sqlite/open.ts';
import { readHistory } from '../store/sqlite/reader.ts';
import { statePaths } from '../store/state-directory.ts';
import { exit, Failure } from './exit.ts';

/** The database that has the history, if the newest daemon of the state directory is, or was, a node of a cluster. */
export function clusterDatabase(state: string): string | undefined {
  return newestDaemon(state)?.database;
}

/** Where nobody runs who could tell what is in that database. */
export function elsewhere(database: string): Failure {
  return new Failure(
    exit.unavailable,
    `this host's history is in PostgreSQL: ${printable(database)}`,
    'the daemon of this node tells it: tsched start --store …',
  );
}

/**
 * Does something with the history; with undefined where there is none yet.
 * @throws Failure when it is there but cannot be read, or is in PostgreSQL
 */
export async function withHistory<T>(
  state: string,
  work: (history: HistoryReader | undefined) => T | Promise<T>,
): Promise<T> {
  const database = clusterDatabase(state);
  if (database !== undefined) throw elsewhere(database);
  const path = statePaths(state).database;
  let history: HistoryReader | undefined;
  try {
    history = openHistory(path);
    return await work(history);
  } catch (error) {
    throw databaseTrouble(error, path);
  } finally {
    history?.close();
  }
}

function openHistory(path: string): HistoryReader | undefined {
  try {
    return readHistory(path);
  } catch (error) {
    if (error instanceof DatabaseRefused && error.reason === 'absent') return undefined;
    throw error;
  }
}

/** Of SQLite: BUSY and LOCKED, IOERR, FULL */
const BUSY: ReadonlySet<number> = new Set([5, 6]);
const DISK: ReadonlySet<number> = new Set([10, 13]);

/** What is wrong with the database, as a failure to end with; anything else as it is. */
export function databaseTrouble(error: unknown, path: string): unknown {
  const trouble = explained(path, error);
  if (trouble instanceof DatabaseRefused) {
    const code = trouble.reason === 'unreadable' ? exit.notAllowed : exit.noInput;
    return new Failure(code, printable(trouble.message), printable(trouble.hint));
  }
  const { errcode = 0, errstr } = trouble as { errcode?: number; errstr?: string };
  const shown = printable(path);
  if (BUSY.has(errcode & 0xff)) {
    return new Failure(exit.alreadyRunning, `${shown} is locked by another program`, 'try again in a moment');
  }
  if (DISK.has(errcode & 0xff)) {
    const hint = 'look at the disk: dmesg, df';
    return new Failure(exit.noInput, `${shown} cannot be read or written: ${errstr ?? ''}`, hint);
  }
  return trouble;
}

/** The daemon that holds the state directory: what it says of itself, if that can be read; undefined when none does. */
export function runningDaemon(state: string): DaemonInfo | 'unknown' | undefined {
  const { lock, daemon } = statePaths(state);
  return isLocked(lock) ? (readDaemonFile(daemon) ?? 'unknown') : undefined;
}

/** What the newest daemon said of itself, whether or not it lives. */
export function newestDaemon(state: string): DaemonInfo | undefined {
  return readDaemonFile(statePaths(state).daemon);
}

/** `no history yet in /var/lib/tsched`, and what to do. */
export function noHistory(state: string): string {
  const hint = existsSync(state) ? '' : ' (or name where it is: --state-dir)';
  return `no history yet in ${printable(state)}: a daemon keeps it, tsched start${hint}`;
}

export function runDirectory(state: string, id: RunId): string {
  return join(statePaths(state).runs, directoryOf(id));
}

/** Of the file that holds an attempt's output. */
export function outputPath(state: string, id: RunId, attempt: number): string {
  return join(runDirectory(state, id), `attempt-${attempt}.log`);
}

/** Bytes of an attempt's output, or of all attempts'; undefined when it is not kept any more. */
export function outputSize(state: string, id: RunId, attempt?: number): number | undefined {
  try {
    const names = attempt === undefined ? logsIn(runDirectory(state, id)) : [`attempt-${attempt}.log`];
    const sizes = names.map((name) => statSync(join(runDirectory(state, id), name)).size);
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch {
    return undefined;
  }
}

/** Of a run, with those of its parts. */
export function outputSizeOf(state: string, { id, shards }: RunRecord): number | undefined {
  if (shards === undefined) return outputSize(state, id);
  const sizes = shards.flatMap(({ index }) => outputSize(state, shardId(id, index)) ?? []);
  return sizes.length === 0 ? undefined : sizes.reduce((sum, size) => sum + size, 0);
}

function logsIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => /^attempt-\d+\.log$/.test(name));
}
