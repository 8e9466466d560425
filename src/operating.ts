/**
 * What makes a running daemon answer: the operator, where its history and output come from, and the API that asks it. Part of the
 * composition, beside app.ts.
 */
import { statSync } from 'node:fs';
import type { OperatingSettings } from './app-options.ts';
import type { Engine, EngineSettings } from './engine/engine.ts';
import type { StopWish } from './engine/ports-operator.ts';
import type { Clock, Store } from './engine/ports.ts';
import type { JobLoading } from './job-loading.ts';
import type { Log } from './observe/log.ts';
import { DaemonOperator } from './operator.ts';
import type { ReloadResult } from './operator/reload-result.ts';
import { Serving } from './serving.ts';
import { Simulations } from './simulate/simulations.ts';
import type { DaemonFile } from './store/daemon-file.ts';
import type { HistorySource } from './store/history.ts';
import { MemoryHistory } from './store/memory-history.ts';
import { HistoryThread } from './store/sqlite/history-thread.ts';
import type { statePaths } from './store/state-directory.ts';
import { isFound } from './tasks/body-match.ts';
import { outputFiles } from './tasks/output-files.ts';

/** How long a pattern may be tried on an argument. Milliseconds. */
const MATCHING = 1000;

export interface OperatingParts {
  readonly app: {
    reload(cause: string): Promise<ReloadResult>;
    stop(wish: StopWish): Promise<void>;
  };
  readonly paths: ReturnType<typeof statePaths>;
  readonly clock: Clock;
  readonly engine: Engine;
  readonly store: Store;
  readonly daemonFile: DaemonFile;
  readonly log: Log;
  readonly version: string;
  /** History is in memory alone. */
  readonly ephemeral: boolean;
  readonly loading: JobLoading;
  readonly bounds: Omit<EngineSettings, 'bootedAt'>;
  /** How often the watchdog of the service manager was fed. */
  readonly watchdogPings: () => number;
  /** Makes the state directory again, and takes it, should it have been removed. Throws when that cannot be. */
  readonly reclaim: () => void;
}

export class Operating {
  readonly operator: DaemonOperator;
  readonly #settings: OperatingSettings;
  readonly #history: HistorySource;
  readonly #simulations: Simulations;
  readonly #serving: Serving;
  #opening: Promise<void> | undefined;

  constructor(settings: OperatingSettings, parts: OperatingParts) {
    const { paths, clock, engine, store, daemonFile, log, version } = parts;
    this.#settings = settings;
    this.#simulations = new Simulations({
      clock,
      database: parts.ephemeral ? undefined : paths.database,
      bounds: boundsOf(parts.bounds),
      jobs: () => parts.loading.jobs,
      pools: () => parts.loading.pools,
      load: (text) => parts.loading.load(text),
      withAdded: (file) => parts.loading.withAdded(file),
    });
    this.#history = parts.ephemeral ? new MemoryHistory(store) : new HistoryThread(paths.database);
    this.operator = new DaemonOperator({
      clock,
      engine,
      store,
      history: this.#history,
      outputs: outputFiles(paths.runs, clock),
      wording: settings.wording,
      match: (pattern, text) => isFound(pattern, text, { clock, patience: MATCHING }),
      daemon: {
        get info() {
          return daemonFile.info;
        },
        get storeSize() {
          return sizeOf(paths.database) + sizeOf(`${paths.database}-wal`);
        },
        get logDropped() {
          return log.dropped;
        },
        get watchdogPings() {
          return parts.watchdogPings();
        },
        load: (text) => parts.loading.load(text),
        simulate: (request) => this.#simulations.ask(request),
        isAdded: (jobId) => parts.loading.isAdded(jobId),
        withAdded: (file) => parts.loading.withAdded(file),
        add: (request) => parts.loading.add(request),
        remove: (jobId) => parts.loading.remove(jobId),
        reload: (cause) => parts.app.reload(cause),
        stop: (request) => parts.app.stop(request),
        say: (message) => log.write('notice', message),
      },
    });
    this.#serving = new Serving({
      operator: this.operator,
      clock,
      version,
      tokens: paths.tokens,
      log,
      reclaim: parts.reclaim,
      onOpen: (where) => daemonFile.update(where),
    });
  }

  /** Begins to answer. */
  open(): Promise<void> {
    this.#opening ??= this.#serving.open(this.#settings);
    return this.#opening;
  }

  /** The loop has turned. */
  rung(): void {
    this.#serving.look();
  }

  async close(): Promise<void> {
    await this.#opening;
    await this.#serving.close();
    await this.#simulations.close();
    await this.#history.close();
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Without what else the options have: it goes to a thread. */
function boundsOf({
  maxConcurrentRuns,
  maxProcessRuns,
  maxThreadRuns,
}: OperatingParts['bounds']): OperatingParts['bounds'] {
  return {
    maxConcurrentRuns,
    ...(maxProcessRuns === undefined ? {} : { maxProcessRuns }),
    ...(maxThreadRuns === undefined ? {} : { maxThreadRuns }),
  };
}
