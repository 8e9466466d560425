/**
 * Answers what may be asked of a running daemon, whoever asks: the API, and through it the command line and the page. Part
 * of the composition: it knows the engine, the store and the job file, which know nothing of one another.
 */
import type { LoadedFile, LoadResult } from './config/load.ts';
import type { JobStatus } from './engine/engine.ts';
import type {
  AddedJobs,
  AddJobsRequest,
  Answer,
  BegunRun,
  DaemonEvent,
  DaemonStatus,
  ExplainQuestion,
  Explanation,
  FeedEntry,
  JobView,
  NextTime,
  OpenOutput,
  Operator,
  OutputPiece,
  OutputPlace,
  PauseRequest,
  ReloadPlan,
  RunPage,
  RunQuery,
  RunRequest,
  SlotAnswer,
  Standing,
  StopWish,
  Subscription,
  Validation,
} from './engine/ports-operator.ts';
import type { ClusterOperator } from './engine/ports-cluster.ts';
import type { DaemonFigures, Readiness } from './engine/ports-figures.ts';
import type { JobDays } from './engine/ports-timeline.ts';
import type { SimulationRequest } from './engine/ports-simulate.ts';
import type { Clock, Store } from './engine/ports.ts';
import type { Instant, JobDefinition, JobId, RunId, RunRecord } from './model.ts';
import { addJobs, removeJob, type JobKeeper } from './operator/added-jobs.ts';
import { whyNoMatch, whyNotByHand, type Match } from './operator/by-hand.ts';
import { RecentCensus } from './operator/census.ts';
import { daysOf } from './operator/days.ts';
import { nextTimesOf, standingOf, viewOf } from './operator/jobs.ts';
import { Feed } from './operator/feed.ts';
import { ReplayOffice } from './operator/replays.ts';
import { Runs, type RunsParts } from './operator/runs.ts';
import { badFile, done, PART, refuse, STOPPING, unknownJob, validationOf } from './operator/answers.ts';
import { before, doneOf, NOTHING, planOf } from './operator/reload-plan.ts';
import type { ReloadResult } from './operator/reload-result.ts';
import { once } from './operator/requests.ts';
import { DaemonTimeline } from './operator/timeline.ts';
import { graphAround, repeated, type GraphAnswer, type Repeated } from './operator/links.ts';
import { whyOf } from './operator/why.ts';
import type { Wording } from './operator/wording.ts';
import type { DaemonInfo } from './store/daemon-file.ts';
import { FAILED, type JobHistory } from './store/history.ts';

export interface OperatorParts extends RunsParts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'previousSuccess' | 'request' | 'keepRequest'>;
  readonly wording: Wording;
  readonly match: Match;
  readonly daemon: AskedDaemon;
  /** Absent: it is alone. */
  readonly cluster?: ClusterOperator | undefined;
}

/** What is asked of the daemon as a whole. */
export interface AskedDaemon extends JobKeeper {
  /** Of a cluster: the name of this node. */
  readonly node?: string | undefined;
  readonly info: DaemonInfo;
  /** Of the database and its log, in bytes. */
  readonly storeSize: number | undefined;
  readonly logDropped: number;
  readonly watchdogPings: number;
  /** Reads the job file, or `text` in its place. */
  load(text?: string): Promise<LoadResult>;
  reload(cause: string): Promise<ReloadResult>;
  stop(wish: StopWish): Promise<void>;
  isAdded(jobId: JobId): boolean;
  simulate(request: SimulationRequest): Promise<Answer<string>>;
  /** What would run if these were the jobs of the file. */
  withAdded(file: readonly JobDefinition[]): readonly JobDefinition[];
}

export class DaemonOperator implements Operator {
  readonly feed: Feed;
  readonly timeline: DaemonTimeline;
  readonly replays: ReplayOffice;
  readonly cluster: ClusterOperator | undefined;
  readonly #parts: OperatorParts;
  readonly #runs: Runs;
  readonly #census = new RecentCensus();
  readonly #reloads = { applied: 0, unchanged: 0, refused: 0 };
  /** What the job file held last was not taken over. */
  #isRefused = false;
  #failing: Promise<Set<JobId>> | undefined;
  #ids: readonly JobId[] | undefined;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
    this.cluster = parts.cluster;
    this.#runs = new Runs(parts);
    this.timeline = new DaemonTimeline({ ...parts, runs: this.#runs });
    this.replays = new ReplayOffice(parts, this.#runs, (jobId) => this.#unknownJob(jobId));
    this.feed = new Feed(parts.clock, parts.daemon.info.startedAt);
  }

  /** Hears of everything that happens. */
  observe(event: DaemonEvent): void {
    if (this.#census.observe(event)) this.#ids = undefined;
    if (event.kind === 'run_finished') this.#finished(event.run);
    if (event.kind === 'jobs_applied') {
      void this.#failing?.then((failing) => event.removed.forEach((id) => failing.delete(id)));
    }
    this.feed.observe(event);
  }

  /** A reload has ended, whoever asked for it. */
  reloaded(cause: string, result: ReloadResult): void {
    this.#reloads[result.kind === 'kept' ? 'refused' : result.kind] += 1;
    if (result.kind === 'kept') this.observe({ kind: 'reload_refused', cause, reason: result.reason });
    else if (result.kind === 'unchanged' && this.#isRefused) this.observe({ kind: 'file_mended', cause });
    this.#isRefused = result.kind === 'kept';
  }

  async status(): Promise<DaemonStatus> {
    const { engine, daemon, history, clock } = this.#parts;
    this.#failing ??= history.failing().then((ids) => new Set(ids));
    const failing = await this.#failing.catch(() => {
      this.#failing = undefined;
      return undefined;
    });
    const { version, pid, startedAt, file, loadedAt, fileProblem, store } = daemon.info;
    const { jobs, waiting, next } = this.#census.of(engine, clock);
    return {
      node: daemon.node,
      version,
      pid,
      startedAt,
      stopping: engine.stopping,
      file,
      loadedAt,
      fileProblem,
      store,
      jobs,
      failing: failing === undefined ? undefined : [...failing].sort(),
      active: engine.active,
      waiting,
      next: next && { jobId: next.jobId, at: next.slot },
    };
  }

  readiness(): Readiness {
    const { engine, daemon } = this.#parts;
    const problems = [
      ...(engine.stopping ? ['tsched is stopping'] : []),
      ...(daemon.info.store.kind === 'degraded' ? ['history cannot be recorded'] : []),
    ];
    return { ready: problems.length === 0, problems };
  }

  pools: Operator['pools'] = () => [...this.#parts.engine.limits()];
  async jobs({ after, limit }: { after?: JobId | undefined; limit: number }): Promise<readonly JobView[]> {
    const { engine } = this.#parts;
    const all = this.#sorted();
    const begin = after === undefined ? 0 : all.findIndex((id) => id > after);
    const ids = begin === -1 ? [] : all.slice(begin, begin + limit);
    const known = await this.#runs.of(ids);
    return ids.flatMap((id) => {
      const job = engine.job(id);
      return job === undefined ? [] : [this.#view(job, known)];
    });
  }

  async job(jobId: JobId): Promise<Answer<JobView>> {
    if (this.#parts.engine.job(jobId) === undefined) return this.#unknownJob(jobId);
    const known = await this.#runs.of([jobId]);
    const job = this.#parts.engine.job(jobId);
    return job === undefined ? this.#unknownJob(jobId) : done(this.#view(job, known));
  }

  next(jobId: JobId, count: number): Answer<readonly NextTime[]> {
    const { engine, clock, wording } = this.#parts;
    const job = engine.job(jobId);
    if (job === undefined) return this.#unknownJob(jobId);
    return done(nextTimesOf(job, wording, { after: clock.now(), count }));
  }

  graph(around?: JobId): GraphAnswer {
    return graphAround(this.#parts.engine, around) ?? this.#unknownJob(around ?? '');
  }

  async why(jobId: JobId, at?: Instant, timezone?: string): Promise<Answer<SlotAnswer>> {
    const job = this.#parts.engine.job(jobId);
    const parts = { ...this.#parts, runs: this.#runs };
    return job === undefined ? this.#unknownJob(jobId) : whyOf(job, { at, timezone }, parts);
  }

  async days(jobId: JobId, count: number): Promise<Answer<JobDays>> {
    const job = this.#parts.engine.job(jobId);
    return job ? daysOf(job, count, { ...this.#parts, runs: this.#runs }) : this.#unknownJob(jobId);
  }

  runs(query: RunQuery): Promise<Answer<RunPage>> {
    return this.#runs.page(query);
  }

  run(runId: RunId): Promise<Answer<RunRecord>> {
    return this.#runs.find(runId);
  }

  output(runId: RunId, attempt?: number): Promise<Answer<OpenOutput>> {
    return this.#runs.output(runId, attempt);
  }

  followOutput(
    runId: RunId,
    from: OutputPlace | undefined,
    signal: AbortSignal,
  ): Promise<Answer<AsyncIterable<OutputPiece>>> {
    return this.#runs.follow(runId, from, signal);
  }

  subscribe(listener: (entry: FeedEntry) => void, after?: string): Subscription {
    return this.feed.subscribe(listener, after);
  }

  async runNow(jobId: JobId, request: RunRequest): Promise<Answer<BegunRun>> {
    const what = `run ${jobId} ${JSON.stringify(request.given ?? null)}`;
    const { engine, match } = this.#parts;
    const refusal = await whyNoMatch(engine.job(jobId), request.given, match);
    if (refusal !== undefined) return refuse(refusal);
    return this.#once(what, request, () => this.#begin(jobId, request));
  }

  async retry(runId: RunId, request: RunRequest): Promise<Answer<BegunRun>> {
    const run = await this.run(runId);
    if (!run.ok) return run;
    if (run.value.shard !== undefined) return refuse(PART);
    const { id, state, jobId, with: given } = run.value;
    return this.#once(`retry ${id}`, request, () =>
      state === 'finished'
        ? this.#begin(jobId, { ...request, given }, repeated(run.value))
        : refuse({ refused: 'run_active', message: 'this run is not over', hint: 'cancel it first' }),
    );
  }

  async cancel(runId: RunId, by: string): Promise<Answer<RunRecord>> {
    const { engine } = this.#parts;
    const run = await this.run(runId);
    if (!run.ok) return run;
    if (run.value.shard !== undefined) return refuse(PART);
    const { id } = run.value;
    if (!engine.cancel(id)) return refuse({ refused: 'run_finished', message: 'this run is over' });
    this.#parts.daemon.say(`${by} asks to cancel run ${id}`);
    await engine.cancelled();
    return done(engine.run(id) ?? run.value);
  }

  async pause(jobId: JobId, { until, for: length, reason, by }: PauseRequest): Promise<Answer<JobView>> {
    const { engine, clock, daemon } = this.#parts;
    const since = clock.now();
    const end = length === undefined ? until : since + length;
    if (end !== undefined && end <= since) {
      return refuse({ refused: 'past', message: '"until" is past', hint: 'name a time to come, or none' });
    }
    const pause = {
      since,
      ...(end === undefined ? {} : { until: end }),
      ...(reason === undefined ? {} : { reason }),
    };
    if (!(await engine.pause(jobId, pause))) return this.#unknownJob(jobId);
    daemon.say(`${by} paused ${jobId}`);
    return this.job(jobId);
  }

  async resume(jobId: JobId, by: string): Promise<Answer<JobView>> {
    if (!(await this.#parts.engine.resume(jobId))) return this.#unknownJob(jobId);
    this.#parts.daemon.say(`${by} resumed ${jobId}`);
    return this.job(jobId);
  }

  async addJobs(request: AddJobsRequest): Promise<Answer<AddedJobs>> {
    return this.#parts.engine.stopping ? refuse(STOPPING) : addJobs(this.#parts.daemon, request);
  }

  async removeJob(jobId: JobId, by: string): Promise<Answer<JobId>> {
    const { engine, daemon } = this.#parts;
    const isLoaded = engine.job(jobId) !== undefined;
    return (await removeJob(daemon, { jobId, isLoaded, by })) ?? this.#unknownJob(jobId);
  }

  async reload({ dryRun, by }: { dryRun: boolean; by: string }): Promise<Answer<ReloadPlan>> {
    const { engine, daemon } = this.#parts;
    if (dryRun) {
      const result = await daemon.load();
      return result.ok ? done(await this.plan(result.file)) : refuse(badFile(result));
    }
    const known = before(engine);
    daemon.say(`${by} asks to read the job file again`);
    const result = await daemon.reload(by);
    if (result.kind === 'kept') {
      if (engine.stopping) return refuse(STOPPING);
      return refuse({ refused: 'bad_file', message: result.reason, problems: result.problems ?? [] });
    }
    if (result.kind === 'applied') {
      return done({ ...doneOf(known, engine, result.summary), warnings: result.warnings });
    }
    return done({ ...NOTHING, unchanged: known.size });
  }

  stop({ now, drain, by }: StopWish & { by: string }): void {
    const how = now ? ' now' : drain ? ' when all runs have ended' : '';
    this.#parts.daemon.say(`${by} asks to stop${how}`);
    void this.#parts.daemon.stop({ now, drain });
  }

  async validate(text: string): Promise<Validation> {
    const result = await this.#parts.daemon.load(text);
    return validationOf(result, result.ok ? await this.plan(result.file) : undefined);
  }

  /** What a good file would change. */
  plan({ jobs, warnings }: LoadedFile): Promise<ReloadPlan> {
    const { engine, daemon, clock } = this.#parts;
    return planOf(before(engine), { jobs: daemon.withAdded(jobs), warnings }, clock);
  }

  simulate(request: SimulationRequest): Promise<Answer<string>> {
    return this.#parts.daemon.simulate(request);
  }

  explain(question: ExplainQuestion): Answer<Explanation> {
    return this.#parts.wording.explain(question, this.#parts.clock.now());
  }

  standing(): Iterable<Standing> {
    return standingOf(this.#parts.engine.jobs(), this.#parts.store);
  }

  figures(): DaemonFigures {
    const { info, storeSize, logDropped, watchdogPings } = this.#parts.daemon;
    const { version, startedAt, loadedAt, fileProblem, store } = info;
    return {
      version,
      startedAt,
      loadedAt,
      fileIsGood: fileProblem === undefined,
      reloads: { ...this.#reloads },
      storeIsWell: store.kind !== 'degraded',
      storeSize,
      logDropped,
      watchdogPings,
    };
  }

  async #once(what: string, { key }: RunRequest, begin: () => Answer<RunRecord>): Promise<Answer<BegunRun>> {
    const begun = await once({ ...this.#parts, run: (id) => this.run(id) }, { what, key, begin });
    // Who is told of a run may rely on it: also when this process dies now, and another daemon or node takes over.
    if (begun.ok) await this.#parts.engine.recorded();
    return begun;
  }

  #begin(jobId: JobId, { given, by }: RunRequest, again: Repeated = {}): Answer<RunRecord> {
    const { engine, daemon } = this.#parts;
    const refusal = whyNotByHand(engine.job(jobId), given);
    if (refusal !== undefined) return refuse(refusal);
    const run = engine.runNow(jobId, given === undefined ? again : { ...again, with: given });
    if (run !== undefined) daemon.say(`${by} runs ${jobId}: run ${run.id}`);
    else if (engine.stopping) return refuse(STOPPING);
    return run === undefined ? this.#unknownJob(jobId) : done(run);
  }

  #finished(run: RunRecord): void {
    this.#runs.finished(run);
    // What was long ago says nothing of how the job is.
    if (run.replay !== undefined) return;
    const failed = FAILED.has(run.outcome?.kind ?? '') && this.#parts.engine.job(run.jobId) !== undefined;
    void this.#failing?.then((failing) => (failed ? failing.add(run.jobId) : failing.delete(run.jobId)));
  }

  #view(job: JobStatus, known: ReadonlyMap<JobId, JobHistory>): JobView {
    const fresh = (run: RunRecord): RunRecord => this.#runs.fresh(run);
    const { id } = job.definition;
    const isAdded = this.#parts.daemon.isAdded(id);
    return viewOf(job, this.#parts.wording, { known: known.get(id), fresh, isAdded });
  }

  #sorted(): readonly JobId[] {
    return (this.#ids ??= Array.from(this.#parts.engine.jobs(), ({ definition }) => definition.id).sort());
  }

  #unknownJob(jobId: JobId): Answer<never> {
    return unknownJob(jobId, this.#sorted());
  }
}
