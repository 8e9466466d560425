import type { Duration, Instant, JobDefinition, JobId, Place } from '../model.ts';
import { fingerprint } from '../schedule/fingerprint.ts';
import type { Placement } from './ports.ts';

/** A wall clock set back further than this was wrong before: slots are sought anew from what it says now. */
export const REANCHOR: Duration = 3 * 3_600_000;

/** Jobs told to the store at once: some milliseconds of its time, and of ours to put it into words. */
const SLICE = 2000;

const NONE: readonly never[] = [];

/** What a change of the loaded set means for the places of its jobs. */
export class Placing {
  readonly placed = new Map<JobId, Place>();
  readonly gone = new Set<JobId>();

  /** `undecided`: slots not after `from` that are about to be claimed. */
  add({ id, schedule }: JobDefinition, from: Instant, undecided: readonly Instant[] = NONE): void {
    const place = { schedule: fingerprint(schedule), from };
    this.placed.set(id, undecided.length === 0 ? place : { ...place, undecided });
  }

  *slices(): Generator<Placement> {
    const gone = [...this.gone];
    for (let at = 0; at < gone.length; at += SLICE)
      yield { placed: new Map(), gone: gone.slice(at, at + SLICE) };
    const placed = [...this.placed];
    for (let at = 0; at < placed.length; at += SLICE)
      yield { placed: new Map(placed.slice(at, at + SLICE)), gone: [] };
  }
}

/** A place far ahead of now was taken under a clock that was wrong: it would keep the job mute until then. */
export function believed(from: Instant, now: Instant): Instant | undefined {
  return from - now > REANCHOR ? undefined : from;
}

/** What a clock that was far ahead leapt over comes after all: of such a stretch only what has come by now is decided. */
export function cameBy(decided: Place['decided'], now: Instant): Place['decided'] {
  return decided
    ?.map(([from, through]) => [from, through - now > REANCHOR ? Math.min(through, now) : through] as const)
    .filter(([from, through]) => from <= through);
}
