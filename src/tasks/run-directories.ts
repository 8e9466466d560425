import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../engine/ports.ts';
import type { Duration, JobId, RunId, RunRecord } from '../model.ts';

/** Output of runs that no daemon remembers is kept this long. */
const UNKNOWN: Duration = 7 * 24 * 3_600_000;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Keeps the number of run directories bounded: per job while the daemon lives, by age for those of earlier daemons. */
export class RunDirectories {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #kept = new Map<JobId, RunId[]>();

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** A run has ended: its output is the newest of its job, and the oldest beyond `keep` go. */
  finished(run: RunRecord, keep: number): void {
    const kept = this.#kept.get(run.jobId) ?? [];
    kept.push(run.id);
    this.#kept.set(run.jobId, kept);
    for (const id of kept.splice(0, Math.max(kept.length - keep, 0))) this.#remove(id);
  }

  /** Their rows in the history are gone. */
  forget(ids: readonly RunId[]): void {
    for (const id of ids) this.#remove(id);
  }

  /** Removes what earlier daemons left long ago. Does not wait for it. */
  sweep(): void {
    void this.#sweep();
  }

  async #sweep(): Promise<void> {
    const names = await readdir(this.#directory).catch(() => []);
    for (const name of names) {
      if (!UUID.test(name)) continue;
      const found = await stat(join(this.#directory, name)).catch(() => undefined);
      if (found !== undefined && this.#clock.now() - found.mtimeMs > UNKNOWN) this.#remove(name);
    }
  }

  #remove(id: RunId): void {
    // A directory that cannot be removed now is found by a later sweep.
    rm(join(this.#directory, id), { recursive: true, force: true }).catch(() => undefined);
  }
}
