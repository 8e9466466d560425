/** What happens, in figures for Prometheus. The only file that knows prom-client. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';
import type { DaemonEvent, Operator } from '../engine/ports-operator.ts';
import type { Clock } from '../engine/ports.ts';
import type { Cause, Duration, JobId, Outcome, RunRecord, SkipReason, SkipRecord } from '../model.ts';
import { begunAt } from '../schedule/run-length.ts';
import { NodeMetrics } from './node-metrics.ts';

export interface Metrics {
  observe(event: DaemonEvent): void;
  /** All of it, in Prometheus' text format. */
  text(): Promise<string>;
  close(): void;
}

export interface MetricsOptions {
  readonly operator: Pick<Operator, 'standing' | 'figures' | 'pools' | 'cluster'>;
  readonly clock: Clock;
}

export function createMetrics(options: MetricsOptions): Metrics {
  return new Figures(options);
}

/** Jobs with series of their own; the others share those of `job="_other"`, which no job can be called. */
const MOST_JOBS = 10_000;
/** Of the histogram, which has thirteen lines a job. */
const MOST_HISTOGRAMS = 1000;
const OTHER = '_other';

const OUTCOMES = [
  'succeeded',
  'failed',
  'killed',
  'timed_out',
  'threw',
  'not_started',
  'cancelled',
  'lost',
] as const satisfies readonly Outcome['kind'][];
const CAUSES = [
  'schedule',
  'catch_up',
  'manual',
  'retry',
  'dependency',
  'replay',
] as const satisfies readonly Cause[];
const REASONS = [
  'misfire',
  'overlap',
  'limit',
  'paused',
  'shutdown',
  'excluded',
  'removed',
  'claimed_elsewhere',
  'dependency',
] as const satisfies readonly SkipReason[];

/** A part of a scrape, in characters, after which the loop has its turn. */
const LONG = 20_000;
/** The loop's delay is measured while somebody asks for it: measuring wakes the process twenty times a second. */
const UNASKED: Duration = 5 * 60_000;
const RESOLUTION = 50;

class Figures implements Metrics {
  readonly #options: MetricsOptions;
  readonly #registry = new Registry();
  readonly #cluster: NodeMetrics | undefined;
  readonly #labelled = new Set<JobId>();
  readonly #lastRun = new Map<JobId, number>();
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  #callOff: (() => void) | undefined;
  /** One after another: a slow reader must not make many. */
  #rendering: Promise<string> | undefined;

  readonly #runs = this.#counter('tsched_runs_total', 'Runs that ended', ['job', 'outcome', 'cause']);
  readonly #missed = this.#counter('tsched_runs_missed_total', 'Slots that did not become runs', [
    'job',
    'reason',
  ]);
  readonly #attempts = this.#counter('tsched_run_attempts_total', 'Attempts that ended', ['job']);
  readonly #retries = this.#counter('tsched_run_retries_total', 'Attempts after the first', ['job']);
  /** Checks of jobs share one name: else there would be a series for each job. */
  readonly #messages = this.#counter('tsched_notifications_total', 'Messages that came to an end', [
    'notifier',
    'result',
  ]);
  readonly #duration = new Histogram({
    name: 'tsched_run_duration_seconds',
    help: 'From the start of the first attempt to the end of the run',
    labelNames: ['job'],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400],
    registers: [this.#registry],
  });
  readonly #late = new Histogram({
    name: 'tsched_run_start_delay_seconds',
    help: 'From when a slot was due to its claim',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60],
    registers: [this.#registry],
  });
  readonly #next = this.#gauge('tsched_job_next_run_timestamp_seconds', 'When the job is next due', ['job']);
  readonly #last = this.#gauge('tsched_job_last_run_timestamp_seconds', 'When its newest run was claimed', [
    'job',
  ]);
  readonly #success = this.#gauge(
    'tsched_job_last_success_timestamp_seconds',
    'Scheduled time of its newest run that succeeded',
    ['job'],
  );
  readonly #running = this.#gauge('tsched_runs_running', 'Runs that are not over', ['job']);
  readonly #queued = this.#gauge('tsched_runs_queued', 'Slots that wait for their turn', ['job']);
  readonly #pools = {
    slots: this.#gauge('tsched_pool_slots', 'Slots of a limit that runs share', ['pool']),
    used: this.#gauge('tsched_pool_used', 'Slots of it that runs have', ['pool']),
    waiting: this.#gauge('tsched_pool_waiting', 'Slots and runs by hand in its line', ['pool']),
  };
  readonly #jobs = this.#gauge('tsched_jobs', 'Jobs by their state', ['state']);
  readonly #reloads = this.#counter('tsched_config_reloads_total', 'Readings of the job file', ['result']);
  readonly #build = this.#gauge('tsched_build_info', 'Always 1', ['version', 'node']);
  readonly #plain = {
    reloadGood: this.#gauge(
      'tsched_config_last_reload_successful',
      'Whether what the job file holds is what runs',
      [],
    ),
    loadedAt: this.#gauge(
      'tsched_config_last_reload_success_timestamp_seconds',
      'When the set of jobs was loaded',
      [],
    ),
    storeDegraded: this.#gauge('tsched_store_degraded', 'Whether history cannot be recorded', []),
    storeSize: this.#gauge('tsched_store_size_bytes', 'Of the database and its log', []),
    dropped: this.#counter(
      'tsched_store_rows_dropped_total',
      'Rows of the history that were lost while it could not be recorded',
      [],
    ),
    logDropped: this.#counter('tsched_log_dropped_total', 'Log lines that could be written nowhere', []),
    watchdogPings: this.#counter(
      'tsched_watchdog_pings_total',
      'How often the watchdog of the service manager was fed',
      [],
    ),
    startedAt: this.#gauge('process_start_time_seconds', 'When the daemon started', []),
    cpu: this.#counter('process_cpu_seconds_total', 'CPU time of the daemon, user and system', []),
    memory: this.#gauge('process_resident_memory_bytes', 'Resident memory of the daemon', []),
    heap: this.#gauge('nodejs_heap_size_used_bytes', "Of the daemon's heap", []),
    delayMean: this.#gauge(
      'tsched_loop_delay_mean_seconds',
      'Delay of the loop since the last scrape, on average',
      [],
    ),
    delayP99: this.#gauge('tsched_loop_delay_p99_seconds', 'The 99th percentile of it', []),
    delayMax: this.#gauge('tsched_loop_delay_max_seconds', 'The worst of it', []),
  };

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#build.set({ version: options.operator.figures().version, node: process.version }, 1);
    const { cluster } = options.operator;
    if (cluster !== undefined) this.#cluster = new NodeMetrics(cluster, (...given) => this.#gauge(...given));
    this.#adopt();
  }

  observe(event: DaemonEvent): void {
    if (event.kind === 'run_claimed') this.#claimed(event.run, event.late);
    else if (event.kind === 'run_finished') this.#finished(event.run, event.outcome);
    else if (event.kind === 'attempt_ended') this.#attempts.inc({ job: this.#label(event.run.jobId) });
    else if (event.kind === 'retry_begun') this.#retries.inc({ job: this.#label(event.run.jobId) });
    else if (event.kind === 'slots_skipped') this.#skipped(event.skip);
    else if (event.kind === 'message_delivered' || event.kind === 'message_dropped') {
      const notifier = event.notice === 'ping' ? '_check' : event.to;
      const result = event.kind === 'message_delivered' ? 'delivered' : 'dropped';
      this.#messages.inc({ notifier, result });
    } else if (event.kind === 'store_healed') this.#plain.dropped.inc(event.dropped);
    else if (event.kind === 'jobs_applied') {
      for (const jobId of event.removed) this.#forget(jobId);
      this.#adopt();
    }
  }

  text(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => (this.#rendering = undefined));
    return this.#rendering;
  }

  close(): void {
    this.#callOff?.();
    this.#delay.disable();
  }

  /** A metric at a time, with what is due started between long ones. */
  async #render(): Promise<string> {
    this.#watchLoop();
    this.#collectDaemon();
    await this.#cluster?.collect();
    await this.#turn();
    this.#collectJobs();
    const parts: string[] = [];
    for (const { name } of this.#registry.getMetricsAsArray()) {
      const part = await this.#registry.getSingleMetricAsString(name);
      parts.push(part);
      if (part.length > LONG) await this.#turn();
    }
    return `${parts.join('\n')}\n`;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after(0, resolve));
  }

  #collectDaemon(): void {
    const { version: _, reloads, ...figures } = this.#options.operator.figures();
    const plain = this.#plain;
    plain.reloadGood.set(figures.fileIsGood ? 1 : 0);
    plain.loadedAt.set(figures.loadedAt / 1000);
    plain.storeDegraded.set(figures.storeIsWell ? 0 : 1);
    if (figures.storeSize !== undefined) plain.storeSize.set(figures.storeSize);
    for (const [counter, count] of [
      [plain.logDropped, figures.logDropped],
      [plain.watchdogPings, figures.watchdogPings],
    ] as const) {
      counter.reset();
      counter.inc(count);
    }
    plain.startedAt.set(figures.startedAt / 1000);
    const { user, system } = process.cpuUsage();
    plain.cpu.reset();
    plain.cpu.inc((user + system) / 1e6);
    const { rss, heapUsed } = process.memoryUsage();
    plain.memory.set(rss);
    plain.heap.set(heapUsed);
    this.#collectPools();
    this.#reloads.reset();
    for (const [result, count] of Object.entries(reloads)) this.#reloads.inc({ result }, count);
  }

  #collectPools(): void {
    const { slots, used, waiting } = this.#pools;
    for (const gauge of [slots, used, waiting]) gauge.reset();
    for (const pool of this.#options.operator.pools()) {
      const label = { pool: pool.name };
      slots.set(label, pool.slots);
      used.set(label, pool.used);
      waiting.set(label, pool.waiting);
    }
  }

  #collectJobs(): void {
    const byJob = [this.#next, this.#last, this.#success, this.#running, this.#queued];
    for (const gauge of [this.#jobs, ...byJob]) gauge.reset();
    const states = { scheduled: 0, paused: 0, disabled: 0, ended: 0, faulted: 0 };
    for (const {
      jobId,
      state,
      nextAt,
      active,
      waiting,
      lastSuccessAt,
    } of this.#options.operator.standing()) {
      states[state] += 1;
      const job = this.#label(jobId);
      this.#running.inc({ job }, active);
      this.#queued.inc({ job }, waiting);
      if (job === OTHER) continue;
      const last = this.#lastRun.get(jobId);
      if (nextAt !== undefined) this.#next.set({ job }, nextAt / 1000);
      if (last !== undefined) this.#last.set({ job }, last / 1000);
      if (lastSuccessAt !== undefined) this.#success.set({ job }, lastSuccessAt / 1000);
    }
    for (const [state, count] of Object.entries(states)) this.#jobs.set({ state }, count);
  }

  #watchLoop(): void {
    const { delayMean, delayP99, delayMax } = this.#plain;
    const measured = this.#callOff !== undefined && this.#delay.count > 0;
    // It measures its own timer too, which is no delay.
    const seconds = (nanoseconds: number): number => Math.max(nanoseconds / 1e9 - RESOLUTION / 1000, 0);
    if (measured) {
      delayMean.set(seconds(this.#delay.mean));
      delayP99.set(seconds(this.#delay.percentile(99)));
      delayMax.set(seconds(this.#delay.max));
    }
    this.#delay.reset();
    this.#delay.enable();
    this.#callOff?.();
    this.#callOff = this.#options.clock.after(UNASKED, () => {
      this.#delay.disable();
      this.#callOff = undefined;
    });
  }

  #claimed({ jobId, claimedAt }: RunRecord, late: Duration): void {
    this.#late.observe(late / 1000);
    if (this.#labelled.has(jobId)) this.#lastRun.set(jobId, claimedAt);
  }

  #skipped({ jobId, reason, count = 1 }: SkipRecord): void {
    this.#missed.inc({ job: this.#label(jobId), reason }, count);
  }

  #finished(run: RunRecord, outcome: Outcome): void {
    const job = this.#label(run.jobId);
    this.#runs.inc({ job, outcome: outcome.kind, cause: run.cause });
    const began = begunAt(run);
    if (began === undefined || run.finishedAt === undefined) return;
    const own = this.#labelled.size <= MOST_HISTOGRAMS ? job : OTHER;
    this.#duration.observe({ job: own }, Math.max(run.finishedAt - began, 0) / 1000);
  }

  #label(jobId: JobId): string {
    return this.#labelled.has(jobId) ? jobId : OTHER;
  }

  #adopt(): void {
    for (const { jobId } of this.#options.operator.standing()) {
      if (this.#labelled.size >= MOST_JOBS) return;
      this.#labelled.add(jobId);
    }
  }

  #forget(job: JobId): void {
    if (!this.#labelled.delete(job)) return;
    this.#lastRun.delete(job);
    for (const outcome of OUTCOMES) for (const cause of CAUSES) this.#runs.remove({ job, outcome, cause });
    for (const reason of REASONS) this.#missed.remove({ job, reason });
    for (const metric of [this.#attempts, this.#retries, this.#duration]) metric.remove({ job });
  }

  #counter<const Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
  ): Counter<Label> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }

  #gauge<const Label extends string>(name: string, help: string, labelNames: readonly Label[]): Gauge<Label> {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }
}
