import type { Placement } from '../engine/ports.ts';
import type { Instant, JobId, Place } from '../model.ts';

/** Slots that were decided together: one, or all of a stretch. */
interface Decision {
  readonly from: Instant;
  readonly through: Instant;
  /** The oldest slot of the job that still waits for its turn. */
  readonly undecided?: Instant | undefined;
}

/** Changed in place: 10,000 slots may be claimed at once. */
interface Known {
  /** Undefined: the job is not loaded. */
  schedule: string | undefined;
  from: Instant;
  /** Beyond `from`. */
  decided: Place['decided'];
  /** Not beyond `from`, and yet to be claimed. */
  undecided: Place['undecided'];
  /** The newest slot ever decided. Outlives the job's place: that it left and came back is no reason to run a slot again. */
  newest: Instant;
}

/** How far each job has come, in memory: what decides over a claim when the disk cannot be asked. */
export class Places {
  readonly #known = new Map<JobId, Known>();

  constructor(places: Iterable<readonly [JobId, Place]> = []) {
    // Read from a disk, equal schedules are texts of their own; 100,000 jobs have a few dozen.
    const texts = new Map<string, string>();
    for (const [jobId, place] of places) {
      const schedule = texts.get(place.schedule) ?? place.schedule;
      texts.set(schedule, schedule);
      const { from, decided, undecided } = place;
      this.#known.set(jobId, { schedule, from, decided, undecided, newest: newestOf(place) });
    }
  }

  /** Whether the slot may have been decided before. False: it certainly was not. */
  isDecided(jobId: JobId, slot: Instant): boolean {
    const known = this.#known.get(jobId);
    if (known === undefined || slot > known.newest) return false;
    const { schedule, from, decided, undecided } = known;
    if (undecided?.includes(slot) === true) return false;
    if (schedule === undefined || decided === undefined || slot <= from) return true;
    return decided.some(([first, last]) => first <= slot && slot <= last);
  }

  /** Slots were decided: the place moves on to the newest of them, but not past one that waits. */
  decide(jobId: JobId, { from, through, undecided }: Decision): void {
    const known = this.#known.get(jobId);
    if (known === undefined) {
      const from = through;
      const none = { schedule: undefined, decided: undefined, undecided: undefined };
      this.#known.set(jobId, { ...none, from, newest: through });
      return;
    }
    known.undecided = known.undecided?.filter((slot) => slot < from || slot > through);
    if (through > known.newest) known.newest = through;
    if (undecided === undefined && known.decided === undefined) {
      if (through > known.from) known.from = through;
      return;
    }
    const decided = [...(known.decided ?? []), [from, through] as const];
    const reached = Math.min(Math.max(...decided.map(([, last]) => last)), (undecided ?? Infinity) - 1);
    known.from = Math.max(reached, known.from);
    const beyond = decided.filter(([, last]) => last > known.from);
    known.decided = beyond.length > 0 ? beyond : undefined;
  }

  change({ placed, gone }: Placement): void {
    for (const jobId of gone) {
      const known = this.#known.get(jobId);
      if (known !== undefined) known.schedule = undefined;
    }
    for (const [jobId, place] of placed) {
      const { schedule, from, decided } = place;
      // One that had run by another schedule is no new one.
      const undecided = place.undecided?.filter((slot) => !this.isDecided(jobId, slot));
      const newest = Math.max(this.#known.get(jobId)?.newest ?? Number.NEGATIVE_INFINITY, newestOf(place));
      this.#known.set(jobId, { schedule, from, decided, undecided, newest });
    }
  }

  /** Those of jobs that are loaded. */
  all(): Map<JobId, Place> {
    return this.#loaded(({ from, decided }) => (decided === undefined ? { from } : { from, decided }));
  }

  /** As `all`, for a history that begins anew, and so cannot tell what is decided beyond a slot that waits. */
  allDecided(): Map<JobId, Place> {
    return this.#loaded(({ from, decided }) => ({ from: newestOf({ from, decided }) }));
  }

  #loaded(placeOf: (known: Known) => Omit<Place, 'schedule'>): Map<JobId, Place> {
    const places = new Map<JobId, Place>();
    for (const [jobId, known] of this.#known) {
      const { schedule } = known;
      if (schedule !== undefined) places.set(jobId, { schedule, ...placeOf(known) });
    }
    return places;
  }
}

function newestOf({ from, decided = [] }: { from: Instant; decided?: Place['decided'] }): Instant {
  return Math.max(from, ...decided.map(([, last]) => last));
}
