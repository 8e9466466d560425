import { watch } from 'node:fs';
import type { JobId, RunId, RunRecord } from '../model.ts';
import { printable } from '../observe/text.ts';
import type { HistoryReader, RowQuery } from '../store/history.ts';
import { rowAsJson } from './history-row.ts';
import { openOutput, type OpenOutput } from './output-file.ts';
import { outputPath, runDirectory, runningDaemon } from './past.ts';
import type { Outputs, PastRow, PastSource } from './past-source.ts';
import { zoneOfJob } from './zones.ts';

/** The past in a state directory, whether or not a daemon runs there. */
export class StoredPast implements PastSource {
  readonly outputs: Outputs;
  readonly #history: HistoryReader;
  readonly #state: string;

  constructor(history: HistoryReader, state: string) {
    this.#history = history;
    this.#state = state;
    this.outputs = new StoredOutputs(state);
  }

  async knows(jobId: JobId): Promise<boolean> {
    return this.#history.jobIds().includes(jobId);
  }

  async jobIds(): Promise<readonly JobId[]> {
    return this.#history.jobIds();
  }

  async isLoaded(jobId: JobId): Promise<boolean> {
    return this.#history.place(jobId) !== undefined;
  }

  async zone(jobId: JobId): Promise<string | undefined> {
    return zoneOfJob(this.#history, jobId);
  }

  async rows(query: RowQuery): Promise<readonly PastRow[]> {
    return this.#history.rows(query).map((row) => ({ row, shape: () => rowAsJson(row, this.#state) }));
  }

  uniqueLength(id: RunId): number {
    return this.#history.uniqueLength(id);
  }

  async run(idOrPrefix: RunId): Promise<RunRecord | 'ambiguous' | undefined> {
    return this.#history.run(idOrPrefix);
  }

  async latestRun(jobId: JobId): Promise<RunRecord | undefined> {
    return this.#history.latestRun(jobId);
  }

  /** What cannot be read has thrown before. */
  async trouble(): Promise<undefined> {
    return undefined;
  }
}

class StoredOutputs implements Outputs {
  readonly #state: string;

  constructor(state: string) {
    this.#state = state;
  }

  async open(run: RunId, attempt: number): Promise<OpenOutput | undefined> {
    return openOutput(outputPath(this.#state, run, attempt));
  }

  watch(run: RunId, grown: () => void): (() => void) | undefined {
    try {
      const watcher = watch(runDirectory(this.#state, run), grown);
      watcher.on('error', () => watcher.close());
      return () => watcher.close();
    } catch {
      return undefined;
    }
  }

  where(run: RunId): string {
    return printable(runDirectory(this.#state, run));
  }

  isAlive(): boolean {
    return runningDaemon(this.#state) !== undefined;
  }
}
