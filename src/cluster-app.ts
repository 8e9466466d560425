/**
 * The composition root of a node of a cluster, beside app.ts: it works, and conducts when it is its turn. It reads top to bottom as a
 * node's life: made, started, a conductor now and then, stopped.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { AppOptions, ClusterSettings, DaemonApp, OperatingSettings } from './app-options.ts';
import { ClusterTerm, FileUnfit } from './cluster-term.ts';
import { Calls } from './cluster/calls.ts';
import { Deposed } from './cluster/fence.ts';
import { JobFiles } from './cluster/files.ts';
import { createMembership, type Membership, type Term as GivenTerm } from './cluster/membership.ts';
import { ClusterOffice } from './cluster/office.ts';
import { ClusterOutputs } from './cluster/outputs.ts';
import { OwnFile, type OwnCopy } from './cluster/own-file.ts';
import { createQueue, type Queue } from './cluster/queue.ts';
import { Work } from './cluster/work.ts';
import { gather } from './config/gather.ts';
import { watchFiles, type FileWatch } from './config/watch.ts';
import { daemonInfo } from './daemon-info.ts';
import { systemClock } from './engine/clock.ts';
import type { Published, PublishRequest } from './engine/ports-cluster.ts';
import type { Answer } from './engine/ports-operator.ts';
import { shrinkSoon } from './heap.ts';
import { loadJobFile } from './job-loading.ts';
import { reclaim, type Holding } from './keeping.ts';
import type { Duration } from './model.ts';
import { NodeServing } from './node-serving.ts';
import { createLog, type Log } from './observe/log.ts';
import { serviceManager, type ServiceManager } from './observe/service-manager.ts';
import type { ReloadResult } from './operator/reload-result.ts';
import { DatabaseAway, openDatabase, type Database } from './postgres/database.ts';
import { publishFile, undecided } from './publishing.ts';
import { partsOfId } from './shard.ts';
import type { StoreHealth } from './store/batching.ts';
import { DaemonFile } from './store/daemon-file.ts';
import { ownersOf } from './store/postgres/reader.ts';
import { statePaths, takeStateDirectory } from './store/state-directory.ts';
import { createExecutor, type ProcessExecutor } from './tasks/executor.ts';
import { lastOutputOf } from './tasks/last-output.ts';
import { followOutput, outputFiles } from './tasks/output-files.ts';
import { RunDirectories } from './tasks/run-directories.ts';

/** Between two turns of a node that does not conduct, and between two tries to begin a term. */
const TURN: Duration = 5000;
const AGAIN: Duration = 1000;
/** The same where the job file has errors here. */
const UNFIT: Duration = 30_000;
/** Between two looks through the output of runs. */
const SWEEP: Duration = 3_600_000;
/** Runs of a job whose output is kept, as far as nobody here knows better. */
const LEFT = 100;

/** What makes a daemon a node. It answers other nodes, whether or not it listens to anybody else. */
export interface NodeOptions extends AppOptions {
  readonly store: ClusterSettings;
  readonly serve: OperatingSettings;
}

/**
 * Makes a node of the cluster that `options.store` names; nothing runs yet.
 * @throws StateDirectoryRefused when the state is another's; DatabaseAway, DatabaseUnfit; Error with `code` when a directory or file
 * cannot be made
 */
export async function createClusterApp(options: NodeOptions): Promise<ClusterApp> {
  const paths = statePaths(options.stateDirectory);
  const undo: (() => unknown)[] = [];
  try {
    const lock = takeStateDirectory(options.stateDirectory);
    undo.push(() => lock.release());
    mkdirSync(paths.runs, { recursive: true, mode: 0o700 });
    let log: Log | undefined;
    const warn = (message: string): void => log?.write('warning', message);
    // The process that starts others is made first: a fork is cheap while the daemon is small.
    const executor = createExecutor({
      runsDirectory: paths.runs,
      clock: systemClock,
      nodePath: process.execPath,
      inheritedEnvironment: options.environment,
      output: 'file',
      onOutput: ({ jobId, runId, lines }) => {
        for (const line of lines) log?.output(line, { job: jobId, run: runId });
      },
    });
    undo.push(() => executor.close());
    const database = await openDatabase({ url: options.store.url, clock: systemClock, onTrouble: warn });
    undo.push(() => database.close());
    const queue = await createQueue({ database, clock: systemClock, onTrouble: warn });
    undo.push(() => queue.close());
    const info = { ...daemonInfo(options, { jobs: [] }), database: database.url };
    const daemonFile = new DaemonFile(paths.daemon, info);
    undo.push(() => daemonFile.close());
    const { hostTimezone: timezone, environment } = options;
    log = createLog({ ...options.log, clock: systemClock, timezone, environment });
    return new ClusterApp(options, {
      executor,
      database,
      queue,
      log,
      daemonFile,
      holding: { lock, daemonFile },
    });
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

interface Parts {
  readonly executor: ProcessExecutor;
  readonly database: Database;
  readonly queue: Queue;
  readonly log: Log;
  readonly daemonFile: DaemonFile;
  readonly holding: Holding;
}

/** A node. `start` once, `reload` at any time, `stop` at any time and twice to hurry. */
export class ClusterApp implements DaemonApp {
  /** Resolves to the exit code when the node has stopped. */
  readonly done: Promise<number>;
  readonly #options: NodeOptions;
  readonly #parts: Parts;
  readonly #runs: RunDirectories;
  readonly #membership: Membership;
  readonly #work: Work;
  readonly #calls: Calls;
  readonly #files: JobFiles;
  readonly #ownFile: OwnFile;
  readonly #office: ClusterOffice;
  readonly #outputs: ClusterOutputs;
  readonly #serving: NodeServing;
  readonly #serviceManager: ServiceManager | undefined;
  readonly #finish: (exitCode: number) => void;
  #term: ClusterTerm | undefined;
  #watch: FileWatch | undefined;
  #stopping: Promise<void> | undefined;
  #callOffTurn: (() => void) | undefined;
  #callOffSweep: (() => void) | undefined;
  #callOffShrinking: (() => void) | undefined;

  constructor(options: NodeOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    const { database, queue, log, executor } = parts;
    const { store, stateDirectory, version } = options;
    this.#runs = new RunDirectories(statePaths(stateDirectory).runs, systemClock);
    this.#serviceManager = this.#supervised();
    this.#membership = createMembership({
      database,
      clock: systemClock,
      nodeIdFile: join(stateDirectory, 'node-id'),
      name: store.nodeName,
      schedules: store.schedules,
      labels: store.labels,
      slots: store.slots,
      host: hostname(),
      pid: process.pid,
      version,
      startedAt: systemClock.now(),
      busy: () => this.#work.busy,
      document: () => ({ lacks: [...this.#work.lacks] }),
      onReady: (queues) => this.#work.ready(queues),
      onWish: (drain) => this.#work.drain(drain),
      log,
    });
    this.#membership.onTerm((term) => this.#conduct(term));
    const { node } = this.#membership;
    this.#work = new Work({
      database,
      queue,
      clock: systemClock,
      executor,
      node,
      slots: store.slots,
      labels: store.labels,
      contactFor: () => this.#membership.contactFor,
      onTrouble: (message) => log.write('warning', message),
      onRefused: ({ jobId, runId }, message) => log.write('warning', message, { job: jobId, run: runId }),
      onEnded: ({ jobId, runId, output }) =>
        this.#runs.finished({ id: partsOfId(runId).run, jobId }, output.keep),
    });
    this.#calls = new Calls({
      database,
      clock: systemClock,
      node: node.id,
      onBug: (error) => this.#bug(error),
    });
    this.#files = new JobFiles(database, systemClock);
    this.#ownFile = new OwnFile({
      files: this.#files,
      node,
      clock: systemClock,
      read: () => this.#readOwn(),
      conducts: () => this.#membership.term !== undefined,
      publish: (request) => this.#publish(request),
      log,
    });
    this.#office = new ClusterOffice({
      database,
      clock: systemClock,
      membership: this.#membership,
      publish: (request) => this.#publish(request),
      say: (message) => log.write('notice', message),
    });
    const local = outputFiles(statePaths(stateDirectory).runs, systemClock);
    this.#outputs = new ClusterOutputs({
      local,
      follow: followOutput,
      calls: this.#calls,
      node: node.name,
      find: async (id) => {
        const run = await this.#term?.operator?.run(id);
        return run?.ok === true ? run.value : undefined;
      },
      nodeNamed: async (name) => this.#membership.nodes().find((each) => each.name === name),
      clock: systemClock,
    });
    this.#serving = new NodeServing({
      ...parts,
      options,
      clock: systemClock,
      membership: this.#membership,
      calls: this.#calls,
      office: this.#office,
      local,
      term: () => this.#term,
      isStopping: () => this.#stopping !== undefined,
      stop: (wish) => this.stop(wish),
      onBug: (error) => this.#bug(error),
      reclaim: () => {
        if (!existsSync(stateDirectory)) reclaim(parts.holding, stateDirectory);
      },
    });
    const { promise, resolve: finish } = Promise.withResolvers<number>();
    this.done = promise;
    this.#finish = finish;
  }

  /**
   * Becomes a node, takes up what it ran when it ended, and takes part from then on.
   * @throws NodeRefused, DatabaseAway; then it has stopped
   */
  async start(): Promise<void> {
    const { log, database } = this.#parts;
    const { node } = this.#membership;
    try {
      await this.#membership.start();
      await this.#work.start();
      await this.#calls.start();
    } catch (error) {
      await this.stop({ now: true });
      throw error;
    }
    const { labels, slots, schedules } = this.#options.store;
    const able = labels.length === 0 ? '' : `, labels ${labels.join(', ')}`;
    const what = schedules ? 'schedules and works' : 'works';
    log.write(
      'notice',
      `node ${node.name} of the cluster at ${database.url} ${what}: ${slots} slots${able}`,
      {
        event: 'node_started',
      },
    );
    this.#serviceManager?.observe({
      kind: 'engine_started',
      jobs: this.#term?.deciding?.loading.jobs.length ?? 0,
    });
    this.#turn();
    this.#sweep();
    this.#shrink();
    await this.#serving.open();
    if (schedules) await this.#followFile();
  }

  /** Reads this node's copy of the job file again; by the rule it becomes the version in force. */
  async reload(cause: string): Promise<ReloadResult> {
    const decision = await this.#ownFile.settle('asked', cause);
    return { kind: 'kept', reason: decision === undefined ? 'not now' : decision.reason };
  }

  /** Opens the log file anew, after a rotation. */
  reopenLog(): void {
    this.#parts.log.reopen();
  }

  /**
   * Stops; `done` follows. Another node conducts from now on; what runs here may end, or is left, as its job says. `drain`: it waits as long as that takes; with
   * `now` for nothing. Called again, the shortest wait counts.
   */
  async stop({ now, drain = false }: { readonly now: boolean; readonly drain?: boolean }): Promise<void> {
    const wait = drain ? Number.POSITIVE_INFINITY : this.#options.drain;
    if (this.#stopping !== undefined) void this.#work.stop({ drain: wait });
    this.#stopping ??= this.#stop(wait);
    if (now) void this.#work.stopNow();
    await this.#stopping;
  }

  async #stop(drain: Duration): Promise<void> {
    const { executor, queue, database, log, daemonFile, holding } = this.#parts;
    this.#callOffShrinking?.();
    this.#serviceManager?.observe({ kind: 'engine_stopping', active: this.#work.busy });
    this.#membership.drain(true);
    const term = this.#term;
    this.#term = undefined;
    await term?.handOver();
    await this.#membership.resign();
    this.#ownFile.close();
    await this.#watch?.close();
    await this.#work.stop({ drain });
    await this.#serving.close();
    await this.#calls.close();
    await this.#work.close();
    this.#callOffTurn?.();
    this.#callOffSweep?.();
    await this.#membership.close();
    await executor.close();
    this.#runs.close();
    await queue.close();
    await database.close();
    this.#serviceManager?.observe({ kind: 'engine_stopped' });
    await this.#serviceManager?.close();
    await log.close();
    daemonFile.close();
    holding.lock.release();
    this.#finish(0);
  }

  /** A term begins, or is over: then at once. */
  #conduct(given: GivenTerm | undefined): void {
    this.#term?.end();
    this.#term = given && this.#termOf(given);
    if (this.#term !== undefined) void this.#begin(this.#term, given);
  }

  async #begin(term: ClusterTerm, given: GivenTerm | undefined): Promise<void> {
    const { log } = this.#parts;
    try {
      // A first version of the job file comes before all else: what is to run at a start does.
      await this.#ownFile.settle('start');
      await term.begin();
      if (term === this.#term) this.#serving.conducting(term);
    } catch (error) {
      term.end();
      if (term !== this.#term || error instanceof Deposed) return;
      if (error instanceof FileUnfit)
        log.write(
          'crit',
          `the job file in force cannot be loaded here, so no job is scheduled by this node: ${error.message}`,
        );
      else if (!(error instanceof DatabaseAway)) this.#bug(error);
      systemClock.after(error instanceof FileUnfit ? UNFIT : AGAIN, () => {
        if (term === this.#term) this.#conduct(given);
      });
    }
  }

  #termOf(term: GivenTerm): ClusterTerm {
    const made: ClusterTerm = new ClusterTerm({
      ...this.#parts,
      options: this.#options,
      serve: this.#options.serve,
      term,
      files: this.#files,
      runCommand: (command) => this.#parts.executor.runCommand(command),
      outputs: this.#outputs,
      lastOutput: (run, bytes) => lastOutputOf(this.#outputs, run, bytes),
      supervisor: { every: this.#serviceManager?.every ?? TURN, rung: () => this.#rung() },
      random: Math.random,
      observers: [],
      contactFor: () => this.#membership.contactFor,
      watchdogPings: () => this.#serviceManager?.pings ?? 0,
      cluster: { operator: this.#office, node: this.#membership.node.name },
      stop: (wish) => this.stop(wish),
      onHealth: (health) => this.#storeHealth(health),
      onPruned: (runs) => this.#runs.forget(runs),
      onApplied: () => this.#shrink(),
      onReloading: () => this.#serviceManager?.reloading(),
      onReloaded: (reason) => this.#serviceManager?.reloaded(reason),
      onDeposed: () => made.end(),
    });
    return made;
  }

  /** Has whoever conducts publish a job file: this node, or another. */
  #publish(request: PublishRequest): Promise<Answer<Published>> {
    const { term, node } = this.#membership;
    if (term === undefined) return this.#serving.publish(request);
    const { deciding, operator } = this.#term ?? {};
    const parts =
      deciding === undefined || operator === undefined
        ? undecided(this.#options)
        : { loading: deciding.loading, operator };
    const current = (): number | undefined => this.#membership.term;
    return publishFile({ ...parts, files: this.#files, node: node.name, term: current }, request);
  }

  async #readOwn(): Promise<OwnCopy | undefined> {
    const { file: path } = this.#options;
    if (!existsSync(path)) return undefined;
    const result = await loadJobFile(this.#options);
    const { sources, watched, stamps } = result.ok ? result.file : result;
    this.#watch?.watch(watched, stamps);
    const given = await gather(resolve(path), sources);
    return given && { given, path, errors: result.ok ? 0 : result.errors.length };
  }

  /** This node's copy, and the version in force. */
  async #followFile(): Promise<void> {
    const { log } = this.#parts;
    if (this.#options.watch) {
      this.#watch = watchFiles({
        clock: systemClock,
        onChange: () => void this.#ownFile.settle('changed'),
        onProblem: (message) => log.write('warning', message),
      });
      this.#watch.watch([resolve(this.#options.file)]);
    }
    await this.#files.watch(undefined, (version) => {
      void this.#term?.deciding?.loading.reload(`version ${version} was published`);
    });
    await this.#ownFile.settle('start');
  }

  #storeHealth(health: StoreHealth): void {
    const { daemonFile } = this.#parts;
    const { deciding } = this.#term ?? {};
    if (health.kind === 'well') {
      const { caughtUp, dropped } = health;
      daemonFile.update({ store: { kind: 'well' } });
      deciding?.observe({ kind: 'store_healed', caughtUp, dropped });
      return;
    }
    daemonFile.update({ store: health });
    deciding?.observe({ ...health, kind: 'store_degraded' });
  }

  /** While it conducts the engine's alarm does this; else nothing that matters turns but the beats. */
  #turn(): void {
    if (this.#term?.deciding === undefined) this.#rung();
    this.#callOffTurn = systemClock.after(Math.min(this.#serviceManager?.every ?? TURN, TURN), () =>
      this.#turn(),
    );
  }

  #rung(): void {
    this.#serviceManager?.rung();
    this.#serving.look();
  }

  /** Of what ran here; now and then, since the rows of runs go on another node. */
  #sweep(): void {
    const { database } = this.#parts;
    void this.#runs.sweep({ owners: (runs) => ownersOf(database, runs), keepOf: () => LEFT });
    this.#callOffSweep = systemClock.after(SWEEP, () => this.#sweep());
  }

  #shrink(): void {
    this.#callOffShrinking?.();
    if (this.#stopping === undefined) this.#callOffShrinking = shrinkSoon(systemClock);
  }

  #supervised(): ServiceManager | undefined {
    const { hostTimezone, environment } = this.#options;
    return serviceManager(
      {
        clock: systemClock,
        timezone: hostTimezone,
        environment,
        microseconds: () => process.hrtime.bigint() / 1000n,
        outlook: () => {
          const { deciding } = this.#term ?? {};
          return { jobs: deciding?.loading.jobs.length ?? 0, next: deciding?.engine.next() };
        },
      },
      (message) => this.#parts.log.write('error', `the service manager cannot be told anything: ${message}`),
    );
  }

  #bug(error: unknown): void {
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#parts.log.write('error', `a mistake of tsched itself, please report it: ${told}`);
  }
}
