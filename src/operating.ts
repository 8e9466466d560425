/**
 * What makes a running daemon answer: the operator, and where its history and output come from. Part of the composition, beside
 * app.ts.
 */
import { statSync } from 'node:fs';
import type { Engine, EngineSettings } from './engine/engine.ts';
import type { ClusterOperator } from './engine/ports-cluster.ts';
import type { StopWish } from './engine/ports-operator.ts';
import type { Clock, Store } from './engine/ports.ts';
import type { JobLoading } from './job-loading.ts';
import type { Log } from './observe/log.ts';
import { DaemonOperator } from './operator.ts';
import type { ReloadResult } from './operator/reload-result.ts';
import { Simulations } from './simulate/simulations.ts';
import type { DaemonFile } from './store/daemon-file.ts';
import type { HistorySource } from './store/history.ts';
import type { Wording } from './operator/wording.ts';
import { isFound } from './tasks/body-match.ts';
import type { OutputFiles } from './engine/ports-output.ts';

/** How long a pattern may be tried on an argument. Milliseconds. */
const MATCHING = 1000;

export interface OperatingParts {
  readonly app: {
    reload(cause: string): Promise<ReloadResult>;
    stop(wish: StopWish): Promise<void>;
  };
  /** How schedules and times are told. */
  readonly wording: Wording;
  readonly history: HistorySource;
  readonly outputs: OutputFiles;
  /** Path of an SQLite database that the history is in, if it is in one. */
  readonly database: string | undefined;
  readonly clock: Clock;
  readonly engine: Engine;
  readonly store: Store;
  readonly daemonFile: DaemonFile;
  readonly log: Log;
  readonly loading: JobLoading;
  readonly bounds: Omit<EngineSettings, 'bootedAt'>;
  /** The cluster, and the name of this node of it. */
  readonly cluster?: { readonly operator: ClusterOperator; readonly node: string } | undefined;
  /** How often the watchdog of the service manager was fed. */
  readonly watchdogPings: () => number;
}

export class Operating {
  readonly operator: DaemonOperator;
  readonly #history: HistorySource;
  readonly #simulations: Simulations;

  constructor(parts: OperatingParts) {
    const { database, clock, engine, store, daemonFile, log, history } = parts;
    this.#history = history;
    this.#simulations = new Simulations({
      clock,
      database,
      bounds: boundsOf(parts.bounds),
      jobs: () => parts.loading.jobs,
      pools: () => parts.loading.pools,
      load: (text) => parts.loading.load(text),
      withAdded: (file) => parts.loading.withAdded(file),
    });
    this.operator = new DaemonOperator({
      clock,
      engine,
      store,
      history,
      outputs: parts.outputs,
      wording: parts.wording,
      cluster: parts.cluster?.operator,
      match: (pattern, text) => isFound(pattern, text, { clock, patience: MATCHING }),
      daemon: {
        node: parts.cluster?.node,
        get info() {
          return daemonFile.info;
        },
        get storeSize() {
          return database === undefined ? undefined : sizeOf(database) + sizeOf(`${database}-wal`);
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
  }

  async close(): Promise<void> {
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
