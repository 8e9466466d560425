import type { Census } from '../engine/census.ts';
import type { Engine } from '../engine/engine.ts';
import type { DaemonEvent } from '../engine/ports-operator.ts';
import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';

/** A census is taken again after so long, or when jobs change. */
const LIFE: Duration = 1000;

/** What changes the state of a job. */
const EVENTS: ReadonlySet<DaemonEvent['kind']> = new Set([
  'engine_started',
  'jobs_applied',
  'job_disabled',
  'job_paused',
  'job_resumed',
]);

/** How jobs stand, kept for those who ask all the time. */
export class RecentCensus {
  #census: Census | undefined;
  #at: Duration = 0;

  /** True when it may change the set of jobs or the state of one. */
  observe({ kind }: DaemonEvent): boolean {
    if (!EVENTS.has(kind)) return false;
    this.#census = undefined;
    return true;
  }

  of(engine: Engine, clock: Clock): Census {
    const at = clock.monotonic();
    const known = this.#census;
    const nextAt = known?.next?.slot ?? Number.POSITIVE_INFINITY;
    if (known !== undefined && at - this.#at <= LIFE && nextAt > clock.now()) return known;
    this.#census = engine.census();
    this.#at = at;
    return this.#census;
  }
}
