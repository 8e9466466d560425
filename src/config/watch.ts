/**
 * Notices that files may have changed. The only importer of chokidar.
 *
 * Events are never trusted to say what happened: symlink swaps, exchanged directories and half-written files all make
 * wrong ones or none (DESIGN section 4, Reload). Any event means "look again", and looking compares what `stat` says
 * of each path, links followed, with what the reader of the files saw. A difference counts once it has stood still for a
 * while. A look every 30 s finds what no event told.
 */
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FSWatcher } from 'chokidar';
import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';
import { MISSING, stampAt } from './source.ts';

export interface WatchOptions {
  readonly clock: Clock;
  /** A file may hold something new. Called once for any number of changes in quick succession. */
  readonly onChange: () => void;
  /** Told once: the system cannot notify, so files are looked at every few seconds instead. */
  readonly onProblem: (message: string) => void;
}

export interface FileWatch {
  /**
   * Watches these paths from now on instead of the former ones. `stamps` says what the reader of the files saw, so
   * that a change between reading and watching is not missed; a path without stamp counts as seen now.
   */
  watch(paths: readonly string[], stamps?: Readonly<Record<string, string>>): void;
  /** Resolves when notification has been set up, or given up, and all was looked at once since. */
  ready(): Promise<void>;
  /** Ends watching; no call follows. */
  close(): Promise<void>;
}

/** How long files must stand still before they count as written (F73). */
const STABLE: Duration = 300;
/** From an event to looking; gathers the events of one change. */
const GATHER: Duration = 20;
const BACKSTOP: Duration = 30_000;
const POLL: Duration = 2000;

export function watchFiles(options: WatchOptions): FileWatch {
  return new Watch(options);
}

class Watch implements FileWatch {
  readonly #options: WatchOptions;
  #paths: readonly string[] = [];
  /** What the reader last saw, or was last told to look at. */
  readonly #known = new Map<string, string>();
  /** A difference seen at the last look, and since when it has stood. */
  #candidate: { readonly stamps: string; readonly since: number } | undefined;
  #watcher: FSWatcher | undefined;
  /** Which directories are watched, and which inodes they were. */
  #directories = '';
  #polling = false;
  readonly #ready = Promise.withResolvers<void>();
  /** Whether the watcher has said that it listens. */
  #listening = false;
  #closed = false;
  #pending: { readonly due: number; readonly cancel: () => void } | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  watch(paths: readonly string[], stamps: Readonly<Record<string, string>> = {}): void {
    const former = new Map(this.#known);
    this.#paths = [...new Set(paths)];
    this.#known.clear();
    for (const path of this.#paths) this.#known.set(path, stamps[path] ?? former.get(path) ?? stampAt(path));
    this.#listen();
    this.#lookWithin(GATHER);
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ready.resolve();
    this.#pending?.cancel();
    await this.#watcher?.close();
  }

  /** Sees to it that the next look is no later than `delay` from now. */
  #lookWithin(delay: Duration): void {
    if (this.#closed) return;
    const { clock } = this.#options;
    const due = clock.monotonic() + delay;
    if (this.#pending !== undefined && this.#pending.due <= due) return;
    this.#pending?.cancel();
    const cancel = clock.after(delay, () => {
      this.#pending = undefined;
      this.#look();
    });
    this.#pending = { due, cancel };
  }

  #look(): void {
    if (this.#closed) return;
    this.#lookWithin(this.#polling ? POLL : BACKSTOP);
    this.#listen();
    if (this.#listening || this.#polling) this.#ready.resolve();
    const stamps = new Map(this.#paths.map((path) => [path, stampAt(path)]));
    if (this.#paths.every((path) => stamps.get(path) === this.#known.get(path))) {
      this.#candidate = undefined;
      return;
    }
    const now = this.#options.clock.monotonic();
    const seen = [...stamps.values()].join('\n');
    if (this.#candidate?.stamps !== seen) this.#candidate = { stamps: seen, since: now };
    const rest = this.#candidate.since + STABLE - now;
    if (rest > 0) {
      this.#lookWithin(rest);
      return;
    }
    this.#candidate = undefined;
    for (const [path, stamp] of stamps) this.#known.set(path, stamp);
    this.#options.onChange();
  }

  /** Listens at the directories that matter as they are now. */
  #listen(): void {
    if (this.#polling || this.#closed) return;
    const { directories, above, isNoise } = directoriesOf(this.#paths);
    const state = [...directories.map((directory) => `${directory} ${identityOf(directory)}`), ...above].join(
      '\n',
    );
    if (state === this.#directories) return;
    this.#directories = state;
    const former = this.#watcher;
    if (former !== undefined) this.#release(former);
    const watcher = new FSWatcher({
      ignoreInitial: true,
      depth: 0,
      followSymlinks: false,
      ignorePermissionErrors: true,
      ignored: isNoise,
    });
    watcher.on('raw', (_event, name, details) => {
      const { watchedPath } = details as { readonly watchedPath?: string };
      if (name !== null && watchedPath !== undefined && isNoise(join(watchedPath, name))) return;
      this.#lookWithin(GATHER);
    });
    watcher.on('all', () => this.#lookWithin(GATHER));
    watcher.on('error', (error) => this.#fall(error));
    // What changed between looking and listening made no event.
    watcher.on('ready', () => {
      this.#listening = true;
      this.#lookWithin(GATHER);
    });
    watcher.add(directories);
    this.#watcher = watcher;
  }

  /** The system has no more to give: from now on look often. */
  #fall(error: unknown): void {
    if (this.#polling || this.#closed) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#polling = true;
    if (this.#watcher !== undefined) this.#release(this.#watcher);
    this.#watcher = undefined;
    this.#options.onProblem(
      `file notification does not work (${reason}); looking at the files every ${POLL / 1000} s instead`,
    );
    this.#lookWithin(POLL);
  }

  #release(watcher: FSWatcher): void {
    watcher
      .close()
      .catch((error: unknown) => this.#options.onProblem(`a file watcher did not close: ${String(error)}`));
  }
}

function identityOf(directory: string): string {
  try {
    const { dev, ino } = statSync(directory, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return MISSING;
  }
}

/**
 * The directories in which a path can come to mean another file: its own, that of each symbolic link on the way, that
 * of the file it leads to, and the one above, where a whole directory is exchanged. That one may be /tmp or /srv: what goes
 * on in it beside the directory is noise.
 */
function directoriesOf(paths: readonly string[]): {
  readonly directories: string[];
  /** Those of them that matter only for the directories in them. */
  readonly above: string[];
  readonly isNoise: (path: string) => boolean;
} {
  const ends = new Set(paths);
  const own = new Set(paths.map((path) => dirname(path)));
  for (const path of paths) {
    const real = realOf(path);
    // This is done every 30 s for as long as the daemon lives, and most paths have no link in them.
    if (real === path) continue;
    if (real !== undefined) {
      ends.add(real);
      own.add(dirname(real));
    }
    for (let part = path; part !== dirname(part); part = dirname(part)) {
      if (isLink(part)) own.add(dirname(part));
    }
  }
  const parents = new Set([...ends].map((end) => dirname(dirname(end))));
  const above = [...parents].filter((parent) => parent !== '/' && !own.has(parent));
  const present = (directory: string): boolean => identityOf(directory) !== MISSING;
  return {
    directories: [...own, ...above].filter(present).toSorted(),
    above,
    isNoise: (path) => above.includes(dirname(path)) && !own.has(path) && !above.includes(path),
  };
}

/** Undefined when nothing is there. */
function realOf(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}
