import type { Placement } from '../engine/ports.ts';
import type { Instant, JobId, Place } from '../model.ts';

interface Known {
  /** Undefined: the job is not loaded. */
  schedule: string | undefined;
  from: Instant;
  /** The newest slot ever decided. Outlives the job's place: that it left and came back is no reason to run a slot again. */
  decided: Instant;
}

/** How far each job has come, in memory: what decides over a claim when the disk cannot be asked. */
export class Places {
  readonly #known = new Map<JobId, Known>();

  constructor(places: Iterable<readonly [JobId, Place]> = []) {
    // Read from a disk, equal schedules are texts of their own; 100,000 jobs have a few dozen.
    const texts = new Map<string, string>();
    for (const [jobId, { schedule, from }] of places) {
      const text = texts.get(schedule) ?? schedule;
      texts.set(text, text);
      this.#known.set(jobId, { schedule: text, from, decided: from });
    }
  }

  /** Moves the job on to a slot that is decided now. False: the slot may have been decided before; true: it certainly was not. */
  advance(jobId: JobId, slot: Instant): boolean {
    const known = this.#known.get(jobId);
    if (known === undefined) {
      this.#known.set(jobId, { schedule: undefined, from: slot, decided: slot });
      return true;
    }
    if (slot > known.from) known.from = slot;
    if (slot <= known.decided) return false;
    known.decided = slot;
    return true;
  }

  change({ placed, gone }: Placement): void {
    for (const jobId of gone) {
      const known = this.#known.get(jobId);
      if (known !== undefined) known.schedule = undefined;
    }
    for (const [jobId, { schedule, from }] of placed) {
      const decided = this.#known.get(jobId)?.decided ?? from;
      this.#known.set(jobId, { schedule, from, decided: Math.max(decided, from) });
    }
  }

  /** Those of jobs that are loaded. */
  all(): Map<JobId, Place> {
    const places = new Map<JobId, Place>();
    for (const [jobId, { schedule, from }] of this.#known) {
      if (schedule !== undefined) places.set(jobId, { schedule, from });
    }
    return places;
  }
}
