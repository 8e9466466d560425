import { opendir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../engine/ports.ts';
import type { Duration, JobId, RunId, RunRecord } from '../model.ts';

/** Output of runs that history does not know is kept this long: the disk may have failed when they were to be recorded. */
const UNKNOWN: Duration = 24 * 3_600_000;
/** Directories looked at together. */
const SLICE = 500;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whose runs these are, as far as history knows them. */
export type AskOwners = (
  runs: readonly RunId[],
) => Promise<ReadonlyMap<RunId, { readonly jobId: JobId; readonly isFinished: boolean }>>;

export interface Sweep {
  readonly owners: AskOwners;
  /** Runs of the job whose output is kept. */
  readonly keepOf: (jobId: JobId) => number;
}

/** Keeps the number of run directories bounded: so many per job, and none whose run history has forgotten. */
export class RunDirectories {
  readonly #directory: string;
  readonly #clock: Clock;
  /** Of each job the runs whose directories stay, oldest first: ids begin with the time. */
  readonly #kept = new Map<JobId, RunId[]>();
  #doomed: RunId[] = [];
  #removing = false;
  #closed = false;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** A run has ended: its output is kept, and the oldest of its job beyond `keep` goes. */
  finished({ id, jobId }: Pick<RunRecord, 'id' | 'jobId'>, keep: number): void {
    const kept = this.#kept.get(jobId) ?? [];
    insert(kept, id);
    for (const oldest of kept.splice(0, Math.max(kept.length - keep, 0))) this.#remove(oldest);
    if (kept.length > 0) this.#kept.set(jobId, kept);
    else this.#kept.delete(jobId);
  }

  /** Their rows in the history are gone. */
  forget(ids: readonly RunId[]): void {
    for (const id of ids) this.#remove(id);
  }

  /**
   * Looks through what earlier daemons left, a slice at a time: of each job the newest stay, as if their runs had just ended,
   * and of runs that history does not know those of the last day. Resolves when it is through; never rejects.
   */
  async sweep(sweep: Sweep): Promise<void> {
    try {
      let slice: string[] = [];
      for await (const { name } of await opendir(this.#directory, { bufferSize: SLICE })) {
        if (this.#closed) return;
        if (UUID.test(name)) slice.push(name);
        if (slice.length < SLICE) continue;
        await this.#judge(slice, sweep);
        slice = [];
      }
      await this.#judge(slice, sweep);
    } catch {
      return; // the directory is gone, or the history cannot be asked now: the next start looks again
    }
  }

  /** Nothing is removed any more. */
  close(): void {
    this.#closed = true;
  }

  async #judge(ids: readonly RunId[], { owners, keepOf }: Sweep): Promise<void> {
    const known = await owners(ids);
    for (const id of ids) {
      const owner = known.get(id);
      if (owner === undefined) await this.#judgeUnknown(id);
      else if (owner.isFinished) this.finished({ id, jobId: owner.jobId }, keepOf(owner.jobId));
    }
  }

  async #judgeUnknown(id: RunId): Promise<void> {
    const found = await stat(join(this.#directory, id)).catch(() => undefined);
    if (found !== undefined && this.#clock.now() - found.mtimeMs > UNKNOWN) this.#remove(id);
  }

  #remove(id: RunId): void {
    this.#doomed.push(id);
    if (!this.#removing) void this.#removeAll();
  }

  /** One after another: thousands at once would keep all else from the disk. */
  async #removeAll(): Promise<void> {
    this.#removing = true;
    while (this.#doomed.length > 0) {
      const doomed = this.#doomed;
      this.#doomed = [];
      for (const id of doomed) {
        if (this.#closed) break;
        // A directory that cannot be removed now is found by a later sweep.
        await rm(join(this.#directory, id), { recursive: true, force: true }).catch(() => undefined);
      }
    }
    this.#removing = false;
  }
}

/** Mostly at the end. */
function insert(sorted: RunId[], id: RunId): void {
  let at = sorted.length;
  while (at > 0 && id < (sorted[at - 1] ?? '')) at -= 1;
  if (sorted[at - 1] !== id) sorted.splice(at, 0, id);
}
