import type { Duration, JobId } from '../model.ts';
import type { Desk } from './desk.ts';
import type { ArmedJob } from './job.ts';
import type { ActiveRun } from './run.ts';

/** How an engine stops for good: what waits is recorded as skipped, what runs ends as its job's `on_shutdown` says. */
export class Shutdown {
  readonly #desk: Desk;
  readonly #jobs: ReadonlyMap<JobId, ArmedJob>;
  readonly #takingUp: Promise<unknown> | undefined;
  readonly #over: Promise<void>;

  /** Begins it. `takingUp`: while it is being found out what became of the runs of an earlier daemon. */
  constructor(desk: Desk, jobs: ReadonlyMap<JobId, ArmedJob>, takingUp: Promise<unknown> | undefined) {
    this.#desk = desk;
    this.#jobs = jobs;
    this.#takingUp = takingUp;
    this.#over = desk.abandonment.orElse(this.#close(), () => undefined);
  }

  /** Resolves when no run is active but those to be left, or when the engine is abandoned. */
  get over(): Promise<void> {
    return this.#over;
  }

  /** Ends those that are waited for, after `drain`. */
  async endWithin(drain: Duration): Promise<void> {
    const { alarm, runs } = this.#desk;
    if (this.#takingUp !== undefined) await this.#takingUp;
    const wake = (): void => {
      for (const run of runs.values())
        if (run.definition.policy.onShutdown === 'wait') run.cancel('shutdown');
    };
    alarm.after(drain, { wake });
  }

  /** Ends every active run by KILL, but those to be left. */
  kill(): void {
    for (const run of this.#desk.runs.values())
      if (run.definition.policy.onShutdown !== 'leave' && !this.#isLeft(run)) run.cancel('shutdown', 'kill');
  }

  async #close(): Promise<void> {
    const desk = this.#desk;
    if (desk.abandonment.isOver) return;
    desk.closing = true;
    desk.emit({ kind: 'engine_stopping', active: desk.runs.size });
    for (const job of this.#jobs.values()) {
      job.disarm();
      desk.forget(job, 'shutdown');
    }
    // Until then nobody knows what there is to stop, or to leave.
    if (this.#takingUp !== undefined) await this.#takingUp;
    const { promise: idle, resolve } = Promise.withResolvers<void>();
    desk.onReleased = () => {
      if (desk.runs.values().every((run) => this.#isLeft(run))) resolve();
    };
    for (const run of desk.runs.values()) {
      if (this.#isLeft(run)) continue;
      if (run.state !== 'running' || run.definition.policy.onShutdown === 'terminate') run.cancel('shutdown');
    }
    desk.onReleased();
    await idle;
    desk.alarm.stop();
    desk.emit({ kind: 'engine_stopped' });
  }

  /** Whether a daemon that stops goes without it: the next one takes it up. */
  #isLeft({ state, definition }: Pick<ActiveRun, 'state' | 'definition'>): boolean {
    if (state === 'retrying' || state === 'waiting') return this.#desk.store.durable;
    return state === 'running' && definition.policy.onShutdown === 'leave';
  }
}
