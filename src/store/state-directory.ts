/** The directory that a daemon keeps its state in: ours alone, readable by nobody else, and held by one daemon at a time. */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { daemonFileIn, readDaemonFile, type DaemonInfo } from './daemon-file.ts';
import { takeLock, type Lock } from './lock.ts';

/** What is where in it. */
export function statePaths(directory: string): {
  readonly database: string;
  readonly lock: string;
  readonly daemon: string;
  readonly runs: string;
  readonly tokens: string;
} {
  return {
    database: join(directory, 'tsched.db'),
    lock: join(directory, 'lock'),
    daemon: daemonFileIn(directory),
    runs: join(directory, 'runs'),
    tokens: join(directory, 'tokens.json'),
  };
}

/** Why the directory cannot be this daemon's. */
export class StateDirectoryRefused extends Error {
  override readonly name = 'StateDirectoryRefused';
  readonly reason: 'held' | 'foreign';

  constructor(reason: StateDirectoryRefused['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * Makes the directory if need be, and takes it for this process, until the lock is released or the process ends.
 * @throws StateDirectoryRefused; Error with `code` and `path` when it cannot be made
 */
export function takeStateDirectory(directory: string): Lock {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(directory);
  const user = process.geteuid?.();
  if (user !== undefined && uid !== user) {
    throw new StateDirectoryRefused(
      'foreign',
      `the state directory ${directory} belongs to user ${uid}, not to user ${user} that this tsched runs as: who owns it could change what jobs did and will do`,
    );
  }
  // systemd makes it readable to all.
  if ((mode & 0o077) !== 0) chmodSync(directory, 0o700);
  const paths = statePaths(directory);
  const lock = takeLock(paths.lock);
  if (lock === undefined)
    throw new StateDirectoryRefused('held', heldBy(directory, readDaemonFile(paths.daemon)));
  return lock;
}

function heldBy(directory: string, daemon: DaemonInfo | undefined): string {
  if (daemon === undefined) return `a tsched is running on the state directory ${directory} already`;
  const since = new Date(daemon.startedAt).toISOString().replace('.000Z', 'Z');
  return `a tsched is running on the state directory ${directory} already: process ${daemon.pid}, since ${since}, with ${daemon.file}`;
}
