import type { Placement } from '../engine/ports.ts';
import type { Instant, JobId, Place } from '../model.ts';

/** How far each job has come, in memory: what decides over a claim when the disk cannot be asked. */
export class Places {
  /** The newest slot ever decided. Outlives the job's place: that it left and came back is no reason to run a slot again. */
  readonly #decided = new Map<JobId, Instant>();
  readonly #places: Map<JobId, Place>;

  constructor(known: Iterable<readonly [JobId, Place]> = []) {
    // Read from a disk, equal schedules are texts of their own; 100,000 jobs have a few dozen.
    const texts = new Map<string, string>();
    this.#places = new Map();
    for (const [jobId, { schedule, from }] of known) {
      const text = texts.get(schedule) ?? schedule;
      texts.set(text, text);
      this.#places.set(jobId, { schedule: text, from });
      this.#decided.set(jobId, from);
    }
  }

  /** Whether the slot may have been decided before. False: it certainly was not. */
  isDecided(jobId: JobId, slot: Instant): boolean {
    return slot <= (this.#decided.get(jobId) ?? Number.NEGATIVE_INFINITY);
  }

  advance(jobId: JobId, slot: Instant): void {
    if (!this.isDecided(jobId, slot)) this.#decided.set(jobId, slot);
    const place = this.#places.get(jobId);
    if (place !== undefined && slot > place.from) this.#places.set(jobId, { ...place, from: slot });
  }

  change({ placed, gone }: Placement): void {
    for (const jobId of gone) this.#places.delete(jobId);
    for (const [jobId, place] of placed) this.#places.set(jobId, place);
  }

  /** Those of jobs that are loaded. */
  all(): Map<JobId, Place> {
    return new Map(this.#places);
  }
}
