import type {
  CancelledBy,
  Duration,
  Instant,
  JobDefinition,
  JobId,
  Pause,
  Place,
  Pools,
  RunId,
  RunRecord,
} from '../model.ts';
import { changeOf, type JobChange } from '../schedule/diff.ts';
import { isAllowed } from '../schedule/calendar.ts';
import { fingerprint } from '../schedule/fingerprint.ts';
import { Desk } from './desk.ts';
import type { EnginePorts } from './ports.ts';
import { lineLast } from './claim.ts';
import { censusOf, type Census } from './census.ts';
import { ArmedJob, soonest, type ByHand, type NextSlot } from './job.ts';
import { statusOf, type JobStatus } from './job-status.ts';
import type { ApplySummary, EngineSettings } from './settings.ts';
import { sliced } from './slices.ts';
import { startupSlots } from './startup.ts';
import { orphan } from './orphan.ts';
import type { PoolView } from '../pool.ts';
import { believed, cameBy, Placing, REANCHOR } from './placing.ts';
import type { Replays } from './replays.ts';
import { Shutdown } from './shutdown.ts';

export { EngineAbandoned } from './abandonment.ts';
export type { EnginePorts } from './ports.ts';
export type { JobStatus } from './job-status.ts';
export type { ApplySummary, EngineSettings } from './settings.ts';

const NONE: readonly never[] = [];

/**
 * The part that moves in time. One alarm wakes it; pure functions of schedule/ decide; the desk acts. `start`, `apply`
 * and `stop` may be called at any moment; they take effect one after another.
 */
export class Engine {
  readonly #desk: Desk;
  readonly #settings: EngineSettings;
  readonly #jobs = new Map<JobId, ArmedJob>();
  #last: Promise<unknown> = Promise.resolve();
  /** While it is being found out what became of the runs of an earlier daemon. */
  #takingUp: Promise<unknown> | undefined;
  #shutdown: Shutdown | undefined;

  constructor(ports: EnginePorts, settings: EngineSettings) {
    const { maxConcurrentRuns: runs, maxProcessRuns = Infinity, maxThreadRuns = Infinity } = settings;
    this.#desk = new Desk(ports, { runs, processes: maxProcessRuns, threads: maxThreadRuns });
    this.#settings = settings;
    this.#desk.jobs = this.#jobs;
    this.#desk.onStep = (by) => this.#clockStepped(by);
  }

  /**
   * Loads the first set. Takes up the runs that an earlier daemon left, then each job where it stood; a job that is new, or has
   * another schedule than before, starts at now.
   */
  start(definitions: readonly JobDefinition[]): Promise<void> {
    const nothing = (): void => undefined;
    return this.#inTurn(nothing, async () => {
      const { clock, store } = this.#desk;
      const startedAt = clock.now();
      const [places, pauses, unfinished, joins, replays] = await Promise.all([
        store.places(),
        store.pauses(),
        store.unfinished(),
        store.joins(),
        store.replays(),
      ]);
      this.#desk.followers.load(joins);
      await this.#desk.needs.learn(definitions);
      await sliced(this.#desk, definitions, (definition) => {
        const job = new ArmedJob(definition, this.#desk);
        job.pause = pauses.get(definition.id);
        this.#jobs.set(definition.id, job);
        this.#desk.followers.set(definition);
      });
      if (this.#desk.closing) return;
      this.#desk.turnstile.pools.hold();
      // Before anything is due: whether a job is busy decides what becomes of its slots.
      this.#desk.replays.load(replays, unfinished);
      this.#takingUp = Promise.all(lineLast(unfinished).map((run) => this.#takeUp(run)));
      await this.#takingUp;
      const placement = new Placing();
      for (const id of places.keys()) placement.gone.add(id);
      await sliced(this.#desk, definitions, ({ id }) => {
        const job = this.#jobs.get(id);
        if (job !== undefined) this.#arm(job, { startedAt, known: places.get(id), placement });
      });
      // Not all were looked at: those that were not have gone nowhere.
      if (this.#desk.closing) placement.gone.clear();
      else this.#desk.loaded();
      await this.#place(placement);
      if (!this.#desk.closing) this.#desk.emit({ kind: 'engine_started', jobs: definitions.length });
      this.#desk.replays.open();
    });
  }

  /**
   * Puts a new set in place of the loaded one. Unchanged jobs keep their place, changed ones re-arm from now, active
   * runs finish under the definition they began with.
   */
  apply(definitions: readonly JobDefinition[]): Promise<ApplySummary> {
    const summary = { added: [] as JobId[], changed: [] as JobId[], removed: [] as JobId[], unchanged: 0 };
    const soFar = (): ApplySummary => summary;
    return this.#inTurn(soFar, async () => {
      const stay = new Set<JobId>();
      const placement = new Placing();
      await this.#desk.loading(definitions);
      await sliced(this.#desk, definitions, (definition) => {
        stay.add(definition.id);
        this.#change(definition, summary, placement);
      });
      await sliced(this.#desk, [...this.#jobs.keys()], (id) => {
        if (stay.has(id) || !this.#remove(id)) return;
        summary.removed.push(id);
        placement.gone.add(id);
      });
      if (!this.#desk.closing) this.#desk.loaded();
      await this.#place(placement);
      if (!this.#desk.closing) this.#desk.emit({ kind: 'jobs_applied', ...summary });
      this.#desk.replays.advance();
      return summary;
    });
  }

  /**
   * Lets a job rest: its slots are skipped, until `resume` or the pause's own end. Runs by hand stay possible. False: no such job. Rejects
   * with EngineAbandoned where it cannot be told whether that holds.
   */
  async pause(jobId: JobId, pause: Pause): Promise<boolean> {
    return this.#setPause(jobId, pause);
  }

  /** Ends a pause. False: no such job. Rejects as `pause` does. */
  async resume(jobId: JobId): Promise<boolean> {
    return this.#setPause(jobId, undefined);
  }

  /** Runs a job once, now, beside its schedule. Undefined: no such job, or the engine is stopping. */
  runNow(jobId: JobId, given: ByHand = {}): RunRecord | undefined {
    const job = this.#jobs.get(jobId);
    if (job === undefined || !job.loaded || this.#desk.closing) return undefined;
    return this.#desk.runNow(job, given).record;
  }

  /** Resolves when what was decided so far holds, whoever decides next. Rejects with EngineAbandoned where that cannot be told. */
  async recorded(): Promise<void> {
    const { abandonment, store } = this.#desk;
    if (store.recorded === undefined) return;
    this.#desk.commit();
    await abandonment.orReject(store.recorded());
  }

  /** As `recorded`, of what was cancelled: a run whose claim was under way ends when that is recorded, and its end is recorded after it. */
  async cancelled(): Promise<void> {
    await this.recorded();
    await this.recorded();
  }

  /** Cancels a run that is not finished. False: no such run. */
  cancel(runId: RunId, by: CancelledBy = 'operator'): boolean {
    const run = this.#desk.runs.get(runId);
    run?.cancel(by);
    return run !== undefined;
  }

  /** How many slots each pool has, from now on: what runs keeps what it has. */
  resizePools(sizes: Pools): void {
    this.#desk.turnstile.pools.resize(sizes);
    this.#desk.replays.advance();
  }

  /** Pools and bounds as they stand now. */
  limits(): Iterable<PoolView> {
    return this.#desk.turnstile.pools.standing();
  }

  /** Past slots that become runs, in batches. */
  get replays(): Replays {
    return this.#desk.replays;
  }

  /** Of a loaded job. */
  definition(jobId: JobId): JobDefinition | undefined {
    const job = this.#jobs.get(jobId);
    return job?.loaded === true ? job.definition : undefined;
  }

  /** How long ago the scheduling loop last did its work. */
  get quietFor(): Duration {
    return this.#desk.alarm.quietFor;
  }

  /** Every loaded job as it stands now. */
  *jobs(): Generator<JobStatus> {
    const now = this.#desk.clock.now();
    for (const job of this.#jobs.values()) if (job.loaded) yield statusOf(job, now);
  }

  /** One loaded job as it stands now. */
  job(jobId: JobId): JobStatus | undefined {
    const job = this.#jobs.get(jobId);
    return job?.loaded === true ? statusOf(job, this.#desk.clock.now()) : undefined;
  }

  /** A run that is not finished, as it stands now. */
  run(runId: RunId): RunRecord | undefined {
    return this.#desk.runs.get(runId)?.record;
  }

  /** Runs that are not finished. */
  get active(): number {
    return this.#desk.runs.size;
  }

  /** Nothing starts any more. */
  get stopping(): boolean {
    return this.#desk.closing;
  }

  census(): Census {
    return censusOf(this.#jobs.values(), this.#desk.clock.now());
  }

  /** The slot that comes first, of all jobs that are not paused then. */
  next(): NextSlot | undefined {
    return soonest(this.#jobs.values());
  }

  /**
   * Stops for good: nothing new starts, waiting slots are recorded as skipped, active runs end as their job's
   * `on_shutdown` says: by `wait` within `drain`. Called again, the shortest `drain` counts. Resolves when none is active but those to be left.
   */
  stop({ drain }: { readonly drain: Duration }): Promise<void> {
    this.#shutdown ??= new Shutdown(this.#desk, this.#jobs, this.#takingUp);
    void this.#shutdown.endWithin(drain);
    return this.#shutdown.over;
  }

  /** Ends every active run by KILL, but those to be left; resolves as `stop` does. */
  stopNow(): Promise<void> {
    const stopped = this.stop({ drain: 0 });
    this.#shutdown?.kill();
    return stopped;
  }

  /**
   * Gives up at once, in the middle of whatever it does, since another engine takes over: from now on nothing is decided, recorded or
   * told, no timer lives, and what is reported or was being claimed changes nothing. Attempts are not stopped; they are the other's. `start`,
   * `apply` and `stop` that are under way resolve at once, what was to be recorded before an answer rejects with EngineAbandoned.
   */
  abandon(): void {
    this.#desk.abandon();
  }

  /** Whether it was abandoned. */
  get abandoned(): boolean {
    return this.#desk.abandonment.isOver;
  }

  async #takeUp(run: RunRecord): Promise<void> {
    let job = this.#jobs.get(run.jobId);
    if (job === undefined) {
      job = new ArmedJob(orphan(run.jobId), this.#desk);
      job.loaded = false;
      this.#jobs.set(run.jobId, job);
    }
    await this.#desk.takeUp(job, run);
  }

  #arm(
    job: ArmedJob,
    { startedAt, known, placement }: { startedAt: Instant; known: Place | undefined; placement: Placing },
  ): void {
    const { id, enabled, schedule } = job.definition;
    const isKnown = enabled && known?.schedule === fingerprint(schedule);
    const from = isKnown ? believed(known.from, startedAt) : undefined;
    if (enabled) placement.gone.delete(id);
    const starts = enabled ? startupSlots(schedule, this.#settings, { startedAt, decided: from }) : NONE;
    if (enabled && from === undefined) placement.add(job.definition, startedAt, starts);
    this.#offerStartup(job, starts, startedAt);
    job.arm(from ?? startedAt, from === undefined ? undefined : cameBy(known?.decided, startedAt));
  }

  /** Jobs are armed already: a store that does not take it changes what a later daemon catches up, and no more. */
  async #place(placement: Placing): Promise<void> {
    try {
      for (const slice of placement.slices()) await this.#desk.store.place(slice);
    } catch (error) {
      this.#desk.storeFailed(error);
    }
  }

  async #setPause(jobId: JobId, pause: Pause | undefined): Promise<boolean> {
    const job = this.#jobs.get(jobId);
    if (job === undefined || !job.loaded) return false;
    job.pause = pause;
    this.#desk.replays.advance();
    this.#desk.emit(
      pause === undefined ? { kind: 'job_resumed', jobId } : { kind: 'job_paused', jobId, pause },
    );
    const { abandonment, store } = this.#desk;
    const saved = store.pause(jobId, pause).catch((error: unknown) => this.#desk.storeFailed(error));
    await abandonment.orReject(saved);
    return true;
  }

  #change(
    definition: JobDefinition,
    summary: { added: JobId[]; changed: JobId[]; unchanged: number },
    placement: Placing,
  ): void {
    const { id } = definition;
    const job = this.#jobs.get(id);
    const change = changeOf(job?.loaded === true ? job.definition : undefined, definition);
    if (change.kind === 'added') summary.added.push(id);
    else if (change.kind === 'unchanged') summary.unchanged += 1;
    else summary.changed.push(id);
    const now = this.#desk.clock.now();
    this.#enact(change, job, now);
    if (!definition.enabled) placement.gone.add(id);
    else if (change.kind === 'added' || change.kind === 'rescheduled') placement.add(definition, now);
  }

  #enact({ kind, definition }: JobChange, known: ArmedJob | undefined, now: Instant): void {
    const job = known ?? new ArmedJob(definition, this.#desk);
    if (kind !== 'unchanged' && job.loaded) job.settleDue(now);
    job.definition = definition;
    job.loaded = true;
    this.#jobs.set(definition.id, job);
    this.#desk.followers.set(definition);
    if (kind === 'added' || kind === 'rescheduled') job.arm(now);
    else if (kind === 'changed') job.requeue();
    if (!definition.enabled) this.#desk.forget(job, 'removed');
    else if (kind !== 'unchanged') this.#desk.turnstile.reline(job);
  }

  /** False: it had left before, and only a run of it may still be active. */
  #remove(id: JobId): boolean {
    const job = this.#jobs.get(id);
    if (job === undefined) return false;
    const { loaded } = job;
    if (loaded) {
      job.settleDue(this.#desk.clock.now());
      job.loaded = false;
      job.disarm();
      this.#desk.forget(job, 'removed');
      this.#desk.followers.delete(id);
    }
    if (!job.isBusy) this.#jobs.delete(id);
    return loaded;
  }

  #offerStartup(job: ArmedJob, slots: readonly Instant[], startedAt: Instant): void {
    for (const slot of slots) {
      if (isAllowed(job.definition.schedule, slot))
        this.#desk.offer({ job, slot, dueAt: startedAt, caughtUp: false });
      else this.#desk.passed(job, [{ from: slot, through: slot, count: 1 }], 'excluded');
    }
  }

  #clockStepped(by: Duration): void {
    const { clock, runs } = this.#desk;
    this.#desk.emit({ kind: 'clock_stepped', by, at: clock.now() });
    if (by >= 0) return;
    for (const run of runs.values()) run.clockSetBack(by);
    if (-by <= REANCHOR || this.#desk.closing) return;
    const placement = new Placing();
    for (const job of this.#jobs.values()) {
      if (!job.loaded) continue;
      job.arm(clock.now());
      if (job.definition.enabled) placement.add(job.definition, clock.now());
    }
    void this.#place(placement);
  }

  /** `soFar`: what is answered when the engine is abandoned meanwhile. */
  #inTurn<T>(soFar: () => T, action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => (this.#desk.abandonment.isOver ? soFar() : action()));
    this.#last = result.catch(() => undefined);
    return this.#desk.abandonment.orElse(result, soFar);
  }
}
