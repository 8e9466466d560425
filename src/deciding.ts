/**
 * What decides over jobs, put together: the engine, who is told of what happens, and the loaded set. A daemon on its own has one; a
 * node of a cluster one for each of its terms. Part of the composition.
 */
import { randomFillSync } from 'node:crypto';
import type { AppOptions } from './app-options.ts';
import type { LoadedFile } from './config/load.ts';
import { systemClock } from './engine/clock.ts';
import { Engine, type EngineSettings } from './engine/engine.ts';
import type { EngineEvent, Executor, Observer, Supervisor } from './engine/ports.ts';
import { runIds } from './engine/run-id.ts';
import { JobLoading, type JobLoadingParts } from './job-loading.ts';
import type { Keeping } from './keeping.ts';
import type { Log } from './observe/log.ts';
import type { DaemonFile } from './store/daemon-file.ts';
import type { ProcessExecutor } from './tasks/executor.ts';
import { Telling, type TellingOptions } from './telling.ts';

export interface DecidingParts extends Pick<
  JobLoadingParts,
  'signal' | 'source' | 'onApplied' | 'onReloading' | 'onReloaded'
> {
  readonly options: AppOptions;
  readonly settings: EngineSettings;
  readonly executor: Executor;
  readonly runCommand: ProcessExecutor['runCommand'];
  readonly keeping: Keeping;
  readonly log: Log;
  readonly file: LoadedFile;
  readonly daemonFile: DaemonFile;
  readonly supervisor: Supervisor;
  /** See TellingOptions. */
  readonly lastOutput: TellingOptions['lastOutput'];
  /** Draws from [0, 1). */
  readonly random: () => number;
}

export class Deciding implements Observer {
  readonly engine: Engine;
  readonly telling: Telling;
  readonly loading: JobLoading;
  /** Everybody who hears of what happens, in this order. */
  readonly #observers: Observer[];

  constructor(parts: DecidingParts) {
    const { options, keeping, log } = parts;
    const newId = runIds((bytes) => randomFillSync(bytes));
    this.telling = new Telling({
      clock: systemClock,
      store: keeping.store,
      newId: () => newId(systemClock.now()),
      lastOutput: parts.lastOutput,
      runCommand: parts.runCommand,
      publicUrl: options.publicUrl,
      heartbeatUrl: options.heartbeatUrl,
      emit: (event) => this.observe(event),
    });
    this.engine = new Engine(
      {
        clock: systemClock,
        executor: parts.executor,
        store: keeping.store,
        observer: this,
        newRunId: newId,
        random: parts.random,
        supervisor: parts.supervisor,
      },
      parts.settings,
    );
    this.loading = new JobLoading({ ...parts, telling: this.telling, engine: this.engine });
    // First, so that messages are recorded with what they are about.
    this.#observers = [this.telling, log.observer];
  }

  /** Has somebody else hear of what happens, after all others. */
  tell(observer: Observer): void {
    this.#observers.push(observer);
  }

  observe(event: EngineEvent): void {
    for (const observer of this.#observers) observer.observe(event);
  }
}
