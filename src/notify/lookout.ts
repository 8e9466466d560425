import type { Clock } from '../engine/ports.ts';
import type { Lateness, Told } from '../message.ts';
import type { Instant, JobDefinition, JobId, Pause, RunId, RunRecord } from '../model.ts';
import { DueQueue, type Due } from '../schedule/due-queue.ts';
import { judge } from '../schedule/expect.ts';
import { begunAt } from '../schedule/run-length.ts';

export interface Late {
  readonly what: Lateness;
  readonly since: Instant;
  /** The one that takes too long. */
  readonly run: RunRecord | undefined;
}

export interface LookoutOptions {
  readonly clock: Clock;
  readonly toldOf: (jobId: JobId) => Told;
  readonly onLate: (job: JobDefinition, late: Late) => void;
}

/** Never sleep longer: a clock may have been set, or the host have slept. */
const LONGEST_SLEEP = 60_000;

/** Sees when what is expected of a job does not come true. One timer, and none while nothing is expected. */
export class Lookout {
  readonly #options: LookoutOptions;
  readonly #jobs = new Map<JobId, JobDefinition>();
  readonly #running = new Map<JobId, Map<RunId, RunRecord>>();
  readonly #pauses = new Map<JobId, Pause>();
  readonly #queue = new DueQueue<JobDefinition>();
  readonly #places = new Map<JobId, Due<JobDefinition>>();
  #callOff: (() => void) | undefined;
  #closed = false;

  constructor(options: LookoutOptions) {
    this.#options = options;
  }

  /** Jobs of which something is expected, from now on. */
  load(jobs: readonly JobDefinition[]): void {
    for (const id of this.#jobs.keys()) this.#leave(id);
    this.#jobs.clear();
    for (const job of jobs) {
      this.#jobs.set(job.id, job);
      this.look(job.id);
    }
    for (const id of this.#running.keys()) if (!this.#jobs.has(id)) this.#running.delete(id);
  }

  pause(jobId: JobId, pause: Pause | undefined): void {
    if (pause === undefined) this.#pauses.delete(jobId);
    else this.#pauses.set(jobId, pause);
    this.look(jobId);
  }

  began(run: RunRecord): void {
    if (this.#jobs.get(run.jobId)?.telling?.expect?.duration === undefined) return;
    const runs = this.#running.get(run.jobId) ?? new Map<RunId, RunRecord>();
    this.#running.set(run.jobId, runs.set(run.id, run));
    this.look(run.jobId);
  }

  ended({ id, jobId }: RunRecord): void {
    const runs = this.#running.get(jobId);
    runs?.delete(id);
    if (runs?.size === 0) this.#running.delete(jobId);
  }

  /** Something became known of the job: finds out when it may be late. */
  look(jobId: JobId): void {
    this.#leave(jobId);
    const job = this.#jobs.get(jobId);
    const at = job === undefined ? undefined : this.#whenToLook(job);
    if (job !== undefined && at !== undefined) this.#places.set(jobId, this.#queue.push(at, job));
    this.#arm();
  }

  close(): void {
    this.#closed = true;
    this.#callOff?.();
  }

  #whenToLook(job: JobDefinition): Instant | undefined {
    const now = this.#options.clock.now();
    if (!job.enabled) return undefined;
    const pause = this.#pauses.get(job.id);
    if (pause !== undefined && now < (pause.until ?? Number.POSITIVE_INFINITY)) return pause.until;
    const { late, lookAt } = this.#judge(job, now);
    return late.length > 0 && this.#options.toldOf(job.id).late === undefined ? now : lookAt;
  }

  #judge(job: JobDefinition, now: Instant) {
    const told = this.#options.toldOf(job.id);
    // After a pause what is expected counts anew.
    const since = Math.max(told.since, this.#pauses.get(job.id)?.until ?? told.since);
    const running = Array.from(this.#running.get(job.id)?.values() ?? [], startOf);
    return judge(job, job.telling?.expect ?? {}, { told: { ...told, since }, running, now });
  }

  #tellLate(): void {
    const { clock, onLate } = this.#options;
    const now = clock.now();
    for (let job = this.#queue.takeDue(now); job !== undefined; job = this.#queue.takeDue(now)) {
      this.#places.delete(job.id);
      const runs = [...(this.#running.get(job.id)?.values() ?? [])];
      for (const { what, since } of this.#judge(job, now).late) {
        const run = what === 'duration' ? runs.find((each) => startOf(each) === since) : undefined;
        onLate(job, { what, since, run });
      }
      this.look(job.id);
    }
    this.#arm();
  }

  #leave(jobId: JobId): void {
    const place = this.#places.get(jobId);
    if (place !== undefined) this.#queue.remove(place);
    this.#places.delete(jobId);
  }

  #arm(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    const at = this.#queue.nextAt();
    if (at === undefined || this.#closed) return;
    const { clock } = this.#options;
    const delay = Math.min(Math.max(at - clock.now(), 0), LONGEST_SLEEP);
    this.#callOff = clock.after(delay, () => this.#tellLate());
  }
}

function startOf(run: RunRecord): Instant {
  return begunAt(run) ?? run.claimedAt;
}
