/** The other composition root: one run of one job, here and now, through the same engine and executor as the daemon's. */
import { randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from './engine/clock.ts';
import { Engine } from './engine/engine.ts';
import type { EngineEvent } from './engine/ports.ts';
import { runIds } from './engine/run-id.ts';
import type { Arguments, JobDefinition, Outcome } from './model.ts';
import { MemoryStore } from './store/memory.ts';
import { createExecutor } from './tasks/executor.ts';

export interface ForegroundOptions {
  /** As the user set it; `process.env` may differ. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What the run is given along. */
  readonly given: Arguments | undefined;
  readonly onEvent: (event: EngineEvent) => void;
}

/** One run whose task writes to this process's own standard output and error. */
export class ForegroundRun {
  readonly #job: JobDefinition;
  readonly #options: ForegroundOptions;
  #engine: Engine | undefined;
  #runId = '';
  #asked = false;

  constructor(job: JobDefinition, options: ForegroundOptions) {
    // Nothing of it is to be left behind, and no slot of its own is to come in between.
    this.#job = { ...job, enabled: false, policy: { ...job.policy, onShutdown: 'terminate' } };
    this.#options = options;
  }

  /** Runs it, attempts and all. */
  async result(): Promise<Outcome> {
    const directory = mkdtempSync(join(tmpdir(), 'tsched-run-once-'));
    const executor = createExecutor({
      runsDirectory: directory,
      clock: systemClock,
      nodePath: process.execPath,
      inheritedEnvironment: this.#options.environment,
      output: 'inherit',
    });
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const engine = new Engine(
      {
        clock: systemClock,
        executor,
        store: new MemoryStore(),
        observer: {
          observe: (event) => {
            this.#options.onEvent(event);
            if (event.kind === 'run_finished') resolve(event.outcome);
          },
        },
        newRunId: runIds((bytes) => randomFillSync(bytes)),
        random: Math.random,
      },
      { maxConcurrentRuns: 1, bootedAt: 0 },
    );
    try {
      await engine.start([this.#job]);
      this.#engine = engine;
      const { given } = this.#options;
      this.#runId = engine.runNow(this.#job.id, given === undefined ? {} : { with: given })?.id ?? '';
      if (this.#asked) engine.cancel(this.#runId);
      return await promise;
    } finally {
      await engine.stop({ drain: 0 });
      await executor.close();
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** The first time asks the task to end, the second time kills it; while it waits for a retry, either ends the run. */
  interrupt(): void {
    if (this.#asked) void this.#engine?.stopNow();
    else this.#engine?.cancel(this.#runId);
    this.#asked = true;
  }
}
