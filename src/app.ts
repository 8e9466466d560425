/**
 * The composition root: the only file that puts the parts together. It reads top to bottom as a daemon's life: made,
 * started, reloaded when a file changes, stopped.
 */
import { randomFillSync } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { resolve } from 'node:path';
import { loadJobFileApart } from './config/apart.ts';
import { formatDiagnostics } from './config/diagnostic.ts';
import type { LoadedFile, LoadResult } from './config/load.ts';
import { decideReload } from './config/reload.ts';
import { watchFiles, type FileWatch } from './config/watch.ts';
import { zoneDataWarning, ZONEINFO } from './config/zone-data.ts';
import { systemClock } from './engine/clock.ts';
import { Engine, type ApplySummary } from './engine/engine.ts';
import type { EngineEvent, Executor, Store } from './engine/ports.ts';
import { runIds } from './engine/run-id.ts';
import { inSmallNursery, shrinkForAWhile } from './heap.ts';
import type { Duration, Instant } from './model.ts';
import { createLog, type Log, type LogOptions } from './observe/log.ts';
import { DaemonFile } from './store/daemon-file.ts';
import type { Lock } from './store/lock.ts';
import { MemoryStore } from './store/memory.ts';
import { openSqliteStore, type StoreHealth } from './store/sqlite/store.ts';
import { statePaths, takeStateDirectory } from './store/state-directory.ts';
import { createExecutor } from './tasks/executor.ts';
import { processStartTime } from './tasks/process-group.ts';
import { RunDirectories } from './tasks/run-directories.ts';

export interface AppOptions {
  readonly file: string;
  /** Made, with what is missing above it, if it does not exist. */
  readonly stateDirectory: string;
  /** History is kept in memory, and forgotten at the end. */
  readonly ephemeral: boolean;
  readonly version: string;
  /** Infinity: no bound. */
  readonly maxConcurrentRuns: number;
  /** How long jobs that are waited for may go on after a request to stop. */
  readonly drain: Duration;
  /** Whether changes of the job file take effect by themselves. */
  readonly watch: boolean;
  readonly log: Pick<LogOptions, 'level' | 'format' | 'color' | 'file'>;
  /** As the user set it; `process.env` may differ. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostTimezone: string;
}

/** The job file was refused when the daemon was to start. */
export class JobFileRefused extends Error {
  override readonly name = 'JobFileRefused';
  readonly result: LoadResult & { readonly ok: false };

  constructor(result: LoadResult & { readonly ok: false }) {
    super('the job file was refused');
    this.result = result;
  }
}

/** Most errors and warnings of one reading that are written to the log: of a broken template there are thousands. */
const MOST_SAID = 20;

/** What came of a request to reload. */
export type ReloadResult =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'applied'; readonly summary: ApplySummary }
  | { readonly kind: 'kept'; readonly reason: string };

/** What tests put around the ports, to make something fail at a certain step. */
export interface Surround {
  readonly executor?: (executor: Executor) => Executor;
  readonly store?: (store: Store) => Store;
}

/**
 * Makes a daemon out of a good job file; nothing runs yet.
 * @throws JobFileRefused when the job file has errors; StateDirectoryRefused when the state is another's; StoreTrouble when its
 * database cannot be used; Error with `code` when a directory or file cannot be made
 */
export async function createApp(options: AppOptions, surround: Surround = {}): Promise<App> {
  const paths = statePaths(options.stateDirectory);
  const undo: (() => unknown)[] = [];
  try {
    const lock = takeStateDirectory(options.stateDirectory);
    undo.push(() => lock.release());
    mkdirSync(paths.runs, { recursive: true, mode: 0o700 });
    // The process that starts others is made first: a fork is cheap while the daemon is small.
    let log: Log | undefined;
    const executor = createExecutor({
      runsDirectory: paths.runs,
      clock: systemClock,
      nodePath: process.execPath,
      inheritedEnvironment: options.environment,
      output: 'file',
      onOutput: ({ jobId, runId, lines }) => {
        for (const line of lines) log?.output(line, { job: jobId, run: runId });
      },
    });
    undo.push(() => executor.close());
    const result = await inSmallNursery(() => load(options));
    if (!result.ok) throw new JobFileRefused(result);
    const late: Late = { health: () => undefined, unwritable: () => undefined };
    const runs = new RunDirectories(paths.runs, systemClock);
    const holding: Holding = { lock };
    const store = await openStore(options, { late, runs, holding });
    undo.push(() => store.close());
    const daemonFile = new DaemonFile(paths.daemon, describe(options, result.file));
    undo.push(() => daemonFile.close());
    holding.daemonFile = daemonFile;
    log = createLog({
      ...options.log,
      clock: systemClock,
      timezone: options.hostTimezone,
      environment: options.environment,
    });
    const app = new App(options, {
      executor: surround.executor?.(executor) ?? executor,
      store: surround.store?.(store) ?? store,
      log,
      file: result.file,
      runs,
      daemonFile,
      holding,
    });
    late.health = (health) => app.storeHealth(health);
    late.unwritable = (message) => app.unwritable(message);
    return app;
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

/** What is there only once the daemon is. */
interface Late {
  health: (health: StoreHealth) => void;
  unwritable: (message: string) => void;
}

/** The lock in force: of the directory as it is now, should it have been removed and made anew. */
interface Holding {
  lock: Lock;
  daemonFile?: DaemonFile;
}

async function openStore(
  { ephemeral, stateDirectory }: AppOptions,
  { late, runs, holding }: { late: Late; runs: RunDirectories; holding: Holding },
): Promise<Store> {
  if (ephemeral) return new MemoryStore();
  return openSqliteStore({
    path: statePaths(stateDirectory).database,
    clock: systemClock,
    retention: { keep: 1000, maxAge: 90 * 24 * 3_600_000 },
    onHealth: (health) => late.health(health),
    onUnwritable: (message) => late.unwritable(message),
    onPruned: (ids) => runs.forget(ids),
    reclaim: () => {
      holding.lock.release();
      holding.lock = takeStateDirectory(stateDirectory);
      holding.daemonFile?.renew();
    },
  });
}

function describe({ file, version, ephemeral }: AppOptions, { jobs }: LoadedFile) {
  const startTime = processStartTime(process.pid);
  const now = systemClock.now();
  return {
    pid: process.pid,
    ...(startTime === undefined ? {} : { startTime }),
    startedAt: now,
    version,
    file: resolve(file),
    jobs: jobs.length,
    loadedAt: now,
    store: { kind: ephemeral ? ('memory' as const) : ('well' as const) },
  };
}

interface Parts {
  readonly executor: Executor;
  readonly store: Store;
  readonly log: Log;
  readonly file: LoadedFile;
  readonly runs: RunDirectories;
  readonly daemonFile: DaemonFile;
  readonly holding: Holding;
}

/** A daemon. `start` once, `reload` at any time, `stop` at any time and twice to hurry. */
export class App {
  /** Resolves to the exit code when the daemon has stopped. */
  readonly done: Promise<number>;
  readonly #options: AppOptions;
  readonly #log: Log;
  readonly #executor: Executor;
  readonly #runs: RunDirectories;
  readonly #store: Store;
  readonly #daemonFile: DaemonFile;
  readonly #holding: Holding;
  readonly #engine: Engine;
  readonly #finish: (exitCode: number) => void;
  readonly #aborter = new AbortController();
  #file: LoadedFile;
  #watch: FileWatch | undefined;
  #reloading: Promise<unknown> = Promise.resolve();
  #queued: Promise<ReloadResult> | undefined;
  #stopping: Promise<void> | undefined;
  #callOffShrinking: (() => void) | undefined;

  constructor(options: AppOptions, parts: Parts) {
    const { executor, store } = parts;
    this.#options = options;
    this.#executor = executor;
    this.#store = store;
    this.#log = parts.log;
    this.#file = parts.file;
    this.#runs = parts.runs;
    this.#daemonFile = parts.daemonFile;
    this.#holding = parts.holding;
    this.#engine = new Engine(
      {
        clock: systemClock,
        executor,
        store,
        observer: { observe: (event) => this.#observe(event) },
        newRunId: runIds(systemClock, (bytes) => randomFillSync(bytes)),
        random: Math.random,
      },
      { maxConcurrentRuns: options.maxConcurrentRuns, bootedAt: bootedAt() },
    );
    const { promise, resolve } = Promise.withResolvers<number>();
    this.done = promise;
    this.#finish = resolve;
  }

  /** Begins to keep the file's promises. */
  async start(): Promise<void> {
    this.#say(this.#file.warnings, this.#file.texts);
    this.#runs.sweep();
    await inSmallNursery(() => this.#engine.start(this.#file.jobs));
    this.#shrink();
    if (this.#options.watch && this.#stopping === undefined) {
      this.#watch = watchFiles({
        clock: systemClock,
        onChange: () => void this.reload('file changed'),
        onProblem: (message) => this.#log.write('warning', message),
      });
      this.#watch.watch(this.#file.watched, this.#file.stamps);
    }
    await this.#warnOfZoneData();
  }

  /** Reads the job file again and puts it in place of the loaded set if it is good. Requests that come meanwhile share one more reading. */
  reload(cause: string): Promise<ReloadResult> {
    this.#queued ??= this.#reloading.then(async () => {
      this.#queued = undefined;
      try {
        return await inSmallNursery(() => this.#reload(cause));
      } catch (error) {
        // A mistake of ours, or our own files exchanged under us. Silence would let people believe that it worked.
        const reason = `the job file could not be loaded again (${String(error)}); the jobs loaded before stay`;
        this.#log.write('crit', `${reason}; if tsched was upgraded, restart it`, { cause });
        return { kind: 'kept', reason };
      }
    });
    this.#reloading = this.#queued;
    return this.#queued;
  }

  /** The store fails, or can be written again. */
  storeHealth(health: StoreHealth): void {
    if (health.kind === 'well') {
      const { caughtUp, dropped } = health;
      this.#daemonFile.update({ store: { kind: 'well' } });
      this.#observe({ kind: 'store_healed', caughtUp, dropped });
      return;
    }
    this.#daemonFile.update({ store: health });
    this.#observe({ ...health, kind: 'store_degraded' });
  }

  /** A row of history could not be recorded. */
  unwritable(message: string): void {
    this.#observe({ kind: 'store_failed', message });
  }

  /** Opens the log file anew, after a rotation. */
  reopenLog(): void {
    this.#log.reopen();
  }

  /** Stops; `done` follows. Called again with `now`, it no longer waits for jobs. */
  async stop({ now }: { readonly now: boolean }): Promise<void> {
    this.#stopping ??= this.#stop();
    if (now) void this.#engine.stopNow();
    await this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#aborter.abort();
    this.#callOffShrinking?.();
    // From this very moment nothing new starts, however long the watch takes to close.
    const stopped = this.#engine.stop({ drain: this.#options.drain });
    await this.#watch?.close();
    await stopped;
    await this.#executor.close();
    await this.#store.close();
    await this.#log.close();
    this.#daemonFile.close();
    this.#holding.lock.release();
    this.#finish(0);
  }

  async #reload(cause: string): Promise<ReloadResult> {
    if (this.#stopping !== undefined) return { kind: 'kept', reason: 'the daemon is stopping' };
    const result = await load(this.#options, this.#aborter.signal);
    if (this.#aborter.signal.aborted) return { kind: 'kept', reason: 'the daemon is stopping' };
    const decision = decideReload(this.#file, result);
    this.#daemonFile.update({
      fileProblem:
        decision.kind === 'keep' ? { since: systemClock.now(), message: decision.reason } : undefined,
    });
    const { watched, stamps, warnings, texts } = result.ok ? result.file : result;
    this.#watch?.watch(result.ok ? watched : [...new Set([...watched, ...this.#file.watched])], stamps);
    if (decision.kind === 'unchanged') return decision;
    this.#say(result.ok ? warnings : [...result.errors, ...warnings], texts);
    if (decision.kind === 'keep') {
      this.#log.write('error', decision.reason, { cause });
      return { kind: 'kept', reason: decision.reason };
    }
    if (decision.alarm !== undefined) this.#log.write('warning', decision.alarm, { cause });
    const summary = await this.#engine.apply(decision.file.jobs);
    this.#file = decision.file;
    this.#daemonFile.update({ jobs: decision.file.jobs.length, loadedAt: systemClock.now() });
    this.#shrink();
    return { kind: 'applied', summary };
  }

  #shrink(): void {
    this.#callOffShrinking?.();
    if (this.#stopping === undefined) this.#callOffShrinking = shrinkForAWhile(systemClock);
  }

  async #warnOfZoneData(): Promise<void> {
    const { tz: ours } = process.versions;
    if (ours === undefined) return;
    const warning = await zoneDataWarning({
      directory: this.#options.environment.TZDIR || ZONEINFO,
      ours,
      now: systemClock.now(),
      jobs: this.#file.jobs,
    });
    if (warning !== undefined && this.#stopping === undefined) this.#log.write('warning', warning);
  }

  #say(list: LoadedFile['warnings'], texts: LoadedFile['texts']): void {
    for (const diagnostic of list.slice(0, MOST_SAID)) {
      const text = formatDiagnostics([diagnostic], texts, { color: false }).trimEnd();
      this.#log.write(diagnostic.severity, text);
    }
    const next = list[MOST_SAID];
    if (next === undefined) return;
    const rest = `${list.length - MOST_SAID} more; "tsched validate ${this.#options.file}" shows them all`;
    this.#log.write(next.severity, rest);
  }

  #observe(event: EngineEvent): void {
    this.#log.observer.observe(event);
    if (event.kind === 'run_finished') this.#runs.finished(event.run, event.definition.output.keep);
  }
}

function load(options: AppOptions, signal?: AbortSignal): Promise<LoadResult> {
  const { environment, hostTimezone } = options;
  const uid = process.geteuid?.();
  return loadJobFileApart(options.file, {
    environment,
    hostTimezone,
    now: systemClock.now(),
    ...(uid === undefined ? {} : { uid }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Linux tells the second; elsewhere it is reckoned back, and rounded so that it stays the same for every daemon. */
function bootedAt(): Instant {
  try {
    const [, seconds] = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? [];
    if (seconds !== undefined) return Number(seconds) * 1000;
  } catch {
    // No /proc: not Linux.
  }
  return Math.round((Date.now() - uptime() * 1000) / 10_000) * 10_000;
}
