import type { Placement } from '../engine/ports.ts';
import type { Instant, JobId, Place } from '../model.ts';

/** Slots that were decided together: one, or all of a stretch. */
interface Decision {
  readonly from: Instant;
  readonly through: Instant;
  /** The oldest slot of the job that still waits for its turn. */
  readonly undecided?: Instant | undefined;
}

/** How far each job has come, in memory: what decides over a claim when the disk cannot be asked. */
export class Places {
  /** The newest slot ever decided. Outlives the job's place: that it left and came back is no reason to run a slot again. */
  readonly #newest = new Map<JobId, Instant>();
  readonly #places: Map<JobId, Place>;

  constructor(known: Iterable<readonly [JobId, Place]> = []) {
    // Read from a disk, equal schedules are texts of their own; 100,000 jobs have a few dozen.
    const texts = new Map<string, string>();
    this.#places = new Map();
    for (const [jobId, place] of known) {
      const text = texts.get(place.schedule) ?? place.schedule;
      texts.set(text, text);
      this.#places.set(jobId, { ...place, schedule: text });
      this.#newest.set(jobId, newestOf(place));
    }
  }

  /** Whether the slot may have been decided before. False: it certainly was not. */
  isDecided(jobId: JobId, slot: Instant): boolean {
    if (slot > (this.#newest.get(jobId) ?? Number.NEGATIVE_INFINITY)) return false;
    const { from, decided } = this.#places.get(jobId) ?? {};
    if (decided === undefined || from === undefined || slot <= from) return true;
    return decided.some(([first, last]) => first <= slot && slot <= last);
  }

  /** Slots were decided: the place moves on to the newest of them, but not past one that waits. */
  decide(jobId: JobId, { from, through, undecided }: Decision): void {
    if (through > (this.#newest.get(jobId) ?? Number.NEGATIVE_INFINITY)) this.#newest.set(jobId, through);
    const place = this.#places.get(jobId);
    if (place === undefined) return;
    if (undecided === undefined && place.decided === undefined) {
      if (through > place.from) this.#places.set(jobId, { ...place, from: through });
      return;
    }
    const decided = [...(place.decided ?? []), [from, through] as const];
    const reached = Math.min(Math.max(...decided.map(([, last]) => last)), (undecided ?? Infinity) - 1);
    this.#places.set(jobId, placeOf(place.schedule, Math.max(reached, place.from), decided));
  }

  change({ placed, gone }: Placement): void {
    for (const jobId of gone) this.#places.delete(jobId);
    for (const [jobId, place] of placed) this.#places.set(jobId, place);
  }

  /** Those of jobs that are loaded. */
  all(): Map<JobId, Place> {
    return new Map(this.#places);
  }

  /** As `all`, for a history that begins anew, and so cannot tell what is decided beyond a slot that waits. */
  allDecided(): Map<JobId, Place> {
    const places = [...this.#places].map(
      ([jobId, place]) => [jobId, { schedule: place.schedule, from: newestOf(place) }] as const,
    );
    return new Map(places);
  }
}

function placeOf(schedule: string, from: Instant, decided: NonNullable<Place['decided']>): Place {
  const beyond = decided.filter(([, last]) => last > from);
  return { schedule, from, ...(beyond.length > 0 && { decided: beyond }) };
}

function newestOf({ from, decided = [] }: Place): Instant {
  return Math.max(from, ...decided.map(([, last]) => last));
}
