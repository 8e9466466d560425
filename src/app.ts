/**
 * The composition root: the only file that puts the parts together. It reads top to bottom as a daemon's life: made,
 * started, reloaded when a file changes, stopped.
 */
import { existsSync, mkdirSync } from 'node:fs';
import type { AppOptions, DaemonApp, OperatingSettings } from './app-options.ts';
import { bootedAt } from './boot-time.ts';
import type { LoadedFile, LoadResult } from './config/load.ts';
import { watchFiles, type FileWatch } from './config/watch.ts';
import { zoneDataWarning, ZONEINFO } from './config/zone-data.ts';
import { daemonExecutor } from './daemon-executor.ts';
import { daemonInfo } from './daemon-info.ts';
import { Deciding } from './deciding.ts';
import { systemClock } from './engine/clock.ts';
import type { EngineEvent, Executor, Store, Supervisor } from './engine/ports.ts';
import { inSmallNursery, shrinkSoon } from './heap.ts';
import { loadJobFile } from './job-loading.ts';
import { openKeeping, reclaim, type Holding, type Keeping, type Late } from './keeping.ts';
import type { Duration, JobId } from './model.ts';
import { createLog, type Log } from './observe/log.ts';
import { serviceManager, type ServiceManager } from './observe/service-manager.ts';
import { Operating } from './operating.ts';
import type { DaemonOperator } from './operator.ts';
import type { ReloadResult } from './operator/reload-result.ts';
import { Serving } from './serving.ts';
import { DaemonFile } from './store/daemon-file.ts';
import { MemoryHistory } from './store/memory-history.ts';
import { HistoryThread } from './store/sqlite/history-thread.ts';
import type { StoreHealth } from './store/sqlite/store.ts';
import { statePaths, takeStateDirectory } from './store/state-directory.ts';
import type { ProcessExecutor } from './tasks/executor.ts';
import { lastOutput } from './tasks/last-output.ts';
import { outputFiles } from './tasks/output-files.ts';
import { RunDirectories } from './tasks/run-directories.ts';

export type { AppOptions } from './app-options.ts';
export type { ReloadResult } from './operator/reload-result.ts';

/** The job file was refused when the daemon was to start. */
export class JobFileRefused extends Error {
  override readonly name = 'JobFileRefused';
  readonly result: LoadResult & { readonly ok: false };

  constructor(result: LoadResult & { readonly ok: false }) {
    super('the job file was refused');
    this.result = result;
  }
}

/** The loop turns at least this often. */
const REST: Duration = 30_000;

/** Runs whose output is kept of a job that has left the file. */
const LEFT = 10;

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
    let log: Log | undefined;
    const executor = daemonExecutor(options, () => log);
    undo.push(() => executor.close());
    const file = await firstLoad(options);
    const late: Late = { health: () => undefined, unwritable: () => undefined };
    const runs = new RunDirectories(paths.runs, systemClock);
    const holding: Holding = { lock };
    const keeping = await openKeeping({
      ...options,
      retention: file.history,
      holding,
      onHealth: (health) => late.health(health),
      onUnwritable: (message) => late.unwritable(message),
      onPruned: (ids) => runs.forget(ids),
      onWarning: (message) => log?.write('warning', message),
    });
    const { store } = keeping;
    undo.push(() => store.close());
    const daemonFile = new DaemonFile(paths.daemon, daemonInfo(options, file));
    undo.push(() => daemonFile.close());
    holding.daemonFile = daemonFile;
    log = openLog(options);
    const app = new App(options, {
      executor: surround.executor?.(executor) ?? executor,
      keeping: { ...keeping, store: surround.store?.(store) ?? store },
      log,
      file,
      runs,
      runCommand: (command) => executor.runCommand(command),
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

function openLog({ log, hostTimezone: timezone, environment }: AppOptions): Log {
  return createLog({ ...log, clock: systemClock, timezone, environment });
}

/** @throws JobFileRefused */
async function firstLoad(options: AppOptions): Promise<LoadedFile> {
  const result = await inSmallNursery(() => loadJobFile(options));
  if (result.ok) return result.file;
  throw new JobFileRefused(result);
}

interface Parts {
  readonly executor: Executor;
  readonly keeping: Keeping;
  readonly log: Log;
  readonly file: LoadedFile;
  readonly runs: RunDirectories;
  readonly runCommand: ProcessExecutor['runCommand'];
  readonly daemonFile: DaemonFile;
  readonly holding: Holding;
}

/** A daemon. `start` once, `reload` at any time, `stop` at any time and twice to hurry. */
export class App implements DaemonApp {
  /** Resolves to the exit code when the daemon has stopped. */
  readonly done: Promise<number>;
  readonly #options: AppOptions;
  readonly #log: Log;
  readonly #executor: Executor;
  readonly #runs: RunDirectories;
  readonly #keeping: Keeping;
  readonly #daemonFile: DaemonFile;
  readonly #holding: Holding;
  readonly #serviceManager: ServiceManager | undefined;
  readonly #deciding: Deciding;
  readonly #operating: Operating | undefined;
  readonly #serving: Serving | undefined;
  #opening: Promise<void> | undefined;
  readonly #finish: (exitCode: number) => void;
  readonly #aborter = new AbortController();
  #watch: FileWatch | undefined;
  #stopping: Promise<void> | undefined;
  #callOffShrinking: (() => void) | undefined;

  constructor(options: AppOptions, parts: Parts) {
    const { executor, keeping } = parts;
    this.#options = options;
    this.#executor = executor;
    this.#keeping = keeping;
    this.#log = parts.log;
    this.#runs = parts.runs;
    this.#daemonFile = parts.daemonFile;
    this.#holding = parts.holding;
    this.#serviceManager = this.#supervised();
    this.#deciding = this.#decide(parts);
    this.#operating = options.serve && this.#operate(options.serve);
    this.#serving = this.#operating && this.#serve(this.#operating.operator);
    this.#deciding.tell({ observe: (event) => this.#tidy(event) });
    if (this.#serviceManager !== undefined) this.#deciding.tell(this.#serviceManager);
    if (this.#operating !== undefined) this.#deciding.tell(this.#operating.operator);
    const { promise, resolve } = Promise.withResolvers<number>();
    this.done = promise;
    this.#finish = resolve;
  }

  /** Begins to keep the file's promises. */
  async start(): Promise<void> {
    const { engine, telling, loading } = this.#deciding;
    await loading.start();
    if (this.#stopping === undefined) telling.beat(() => engine.quietFor);
    this.#sweep();
    this.#shrink();
    if (this.#options.watch && this.#stopping === undefined) {
      this.#watch = watchFiles({
        clock: systemClock,
        onChange: () => void this.reload('file changed'),
        onProblem: (message) => this.#log.write('warning', message),
      });
      loading.watch(this.#watch);
    }
    await this.#open();
    await this.#warnOfZoneData();
  }

  /** Reads the job file again and puts it in place of the loaded set if it is good. Requests that come meanwhile share one more reading. */
  reload(cause: string): Promise<ReloadResult> {
    return this.#deciding.loading.reload(cause);
  }

  /** The store fails, or can be written again. */
  storeHealth(health: StoreHealth): void {
    if (health.kind === 'well') {
      const { caughtUp, dropped } = health;
      this.#daemonFile.update({ store: { kind: 'well' } });
      this.#deciding.observe({ kind: 'store_healed', caughtUp, dropped });
      return;
    }
    this.#daemonFile.update({ store: health });
    this.#deciding.observe({ ...health, kind: 'store_degraded' });
  }

  /** A row of history could not be recorded. */
  unwritable(message: string): void {
    this.#deciding.observe({ kind: 'store_failed', message });
  }

  /** Opens the log file anew, after a rotation. */
  reopenLog(): void {
    this.#log.reopen();
  }

  /**
   * Stops; `done` follows. `drain`: it waits for jobs as long as they take; with `now` for none. Called again, the shortest wait counts: a
   * drain that goes on is over within its usual time once somebody asks to stop.
   */
  async stop({ now, drain = false }: { readonly now: boolean; readonly drain?: boolean }): Promise<void> {
    const wait = drain ? Number.POSITIVE_INFINITY : this.#options.drain;
    if (this.#stopping !== undefined) void this.#deciding.engine.stop({ drain: wait });
    this.#stopping ??= this.#stop(wait);
    if (now) void this.#deciding.engine.stopNow();
    await this.#stopping;
  }

  async #stop(drain: Duration): Promise<void> {
    this.#aborter.abort();
    this.#callOffShrinking?.();
    // From this very moment nothing new starts, however long the watch takes to close.
    const stopped = this.#deciding.engine.stop({ drain });
    await this.#watch?.close();
    await stopped;
    await this.#opening;
    await this.#serving?.close();
    await this.#operating?.close();
    await this.#deciding.telling.close();
    await this.#executor.close();
    this.#runs.close();
    await this.#keeping.store.close();
    await this.#serviceManager?.close();
    await this.#log.close();
    this.#daemonFile.close();
    this.#holding.lock.release();
    this.#finish(0);
  }

  /** In the background: there may be very many of them. */
  #sweep(): void {
    const { owners } = this.#keeping;
    if (owners === undefined) return;
    const keepOf = (jobId: JobId): number => this.#deciding.engine.definition(jobId)?.output.keep ?? LEFT;
    void this.#runs.sweep({ owners, keepOf });
  }

  #shrink(): void {
    this.#callOffShrinking?.();
    if (this.#stopping === undefined) this.#callOffShrinking = shrinkSoon(systemClock);
  }

  async #warnOfZoneData(): Promise<void> {
    const { tz: ours } = process.versions;
    if (ours === undefined) return;
    const warning = await zoneDataWarning({
      directory: this.#options.environment.TZDIR || ZONEINFO,
      ours,
      now: systemClock.now(),
      jobs: this.#deciding.loading.jobs,
    });
    if (warning !== undefined && this.#stopping === undefined) this.#log.write('warning', warning);
  }

  #tidy(event: EngineEvent): void {
    if (event.kind === 'run_finished') this.#runs.finished(event.run, event.definition.output.keep);
  }

  #supervised(): ServiceManager | undefined {
    const { hostTimezone, environment } = this.#options;
    return serviceManager(
      {
        clock: systemClock,
        timezone: hostTimezone,
        environment,
        microseconds: () => process.hrtime.bigint() / 1000n,
        outlook: () => ({
          jobs: this.#deciding.loading.jobs.length,
          next: this.#deciding.engine.next(),
        }),
      },
      (message) => this.#log.write('error', `the service manager cannot be told anything: ${message}`),
    );
  }

  /** Those who do something whenever the loop turns. */
  #rung(): Supervisor {
    const rung = (): void => {
      this.#serviceManager?.rung();
      this.#serving?.look();
    };
    return { every: this.#serviceManager?.every ?? REST, rung };
  }

  #decide(parts: Parts): Deciding {
    return new Deciding({
      ...parts,
      options: this.#options,
      settings: { ...this.#options, bootedAt: bootedAt(systemClock.now()) },
      supervisor: this.#rung(),
      lastOutput: (run, bytes) => lastOutput(statePaths(this.#options.stateDirectory).runs, run, bytes),
      random: Math.random,
      signal: this.#aborter.signal,
      onApplied: () => this.#shrink(),
      onReloading: () => this.#serviceManager?.reloading(),
      onReloaded: (cause, result) => {
        this.#serviceManager?.reloaded(result.kind === 'kept' ? result.reason : undefined);
        this.#operating?.operator.reloaded(cause, result);
      },
    });
  }

  #operate({ wording }: OperatingSettings): Operating {
    const { stateDirectory, ephemeral } = this.#options;
    const { database, runs } = statePaths(stateDirectory);
    const { store } = this.#keeping;
    return new Operating({
      app: this,
      wording,
      history: ephemeral ? new MemoryHistory(store) : new HistoryThread(database),
      outputs: outputFiles(runs, systemClock),
      database: ephemeral ? undefined : database,
      clock: systemClock,
      engine: this.#deciding.engine,
      store,
      daemonFile: this.#daemonFile,
      log: this.#log,
      loading: this.#deciding.loading,
      bounds: this.#options,
      watchdogPings: () => this.#serviceManager?.pings ?? 0,
    });
  }

  #serve(operator: DaemonOperator): Serving {
    const { stateDirectory, version } = this.#options;
    return new Serving({
      node: operator,
      operator: () => operator,
      figures: operator,
      hear: (listener) => operator.feed.subscribeFromStart(listener),
      clock: systemClock,
      version,
      tokens: statePaths(stateDirectory).tokens,
      log: this.#log,
      reclaim: () => {
        if (!existsSync(stateDirectory)) reclaim(this.#holding, stateDirectory);
      },
      onOpen: (where) => this.#daemonFile.update(where),
    });
  }

  /** Begins to answer. */
  async #open(): Promise<void> {
    const { serve } = this.#options;
    if (serve === undefined || this.#stopping !== undefined) return;
    this.#opening = this.#serving?.open(serve);
    await this.#opening;
  }
}
