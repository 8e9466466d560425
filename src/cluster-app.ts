/**
 * The composition root of a node of a cluster, beside app.ts: it works, and conducts when it is its turn. It reads top to bottom as a
 * node's life: made, started, a conductor now and then, stopped.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { AppOptions, ClusterSettings, DaemonApp, OperatingSettings } from './app-options.ts';
import { Calls } from './cluster/calls.ts';
import { JobFiles } from './cluster/files.ts';
import { createMembership, type Membership } from './cluster/membership.ts';
import { ClusterOffice } from './cluster/office.ts';
import { ClusterOutputs } from './cluster/outputs.ts';
import { createQueue, type Queue } from './cluster/queue.ts';
import { Work } from './cluster/work.ts';
import { Conducting } from './conducting.ts';
import { daemonExecutor } from './daemon-executor.ts';
import { daemonInfo } from './daemon-info.ts';
import { systemClock } from './engine/clock.ts';
import type { OutputFiles } from './engine/ports-output.ts';
import type { EngineEvent } from './engine/ports.ts';
import { shrinkSoon } from './heap.ts';
import { reclaim, type Holding } from './keeping.ts';
import type { Duration } from './model.ts';
import { NodeFile } from './node-file.ts';
import { NodeServing } from './node-serving.ts';
import { createLog, type Log } from './observe/log.ts';
import { serviceManager, type ServiceManager } from './observe/service-manager.ts';
import type { ReloadResult } from './operator/reload-result.ts';
import { openDatabase, type Database } from './postgres/database.ts';
import { partsOfId } from './shard.ts';
import { DaemonFile } from './store/daemon-file.ts';
import { ownersOf } from './store/postgres/reader.ts';
import { statePaths, takeStateDirectory } from './store/state-directory.ts';
import type { ProcessExecutor } from './tasks/executor.ts';
import { lastOutputOf } from './tasks/last-output.ts';
import { followOutput, outputFiles } from './tasks/output-files.ts';
import { RunDirectories } from './tasks/run-directories.ts';

/** Between two turns of a node that does not conduct. */
const TURN: Duration = 5000;
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
    const executor = daemonExecutor(options, () => log);
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
  readonly #file: NodeFile;
  readonly #office: ClusterOffice;
  readonly #conducting: Conducting;
  readonly #serving: NodeServing;
  readonly #serviceManager: ServiceManager | undefined;
  readonly #finish: (exitCode: number) => void;
  #stopping: Promise<void> | undefined;
  #callOffTurn: (() => void) | undefined;
  #callOffSweep: (() => void) | undefined;
  #callOffShrinking: (() => void) | undefined;

  constructor(options: NodeOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    const { database, log } = parts;
    const { runs } = statePaths(options.stateDirectory);
    this.#runs = new RunDirectories(runs, systemClock);
    this.#serviceManager = this.#supervised();
    this.#membership = this.#join();
    this.#membership.onTerm((term) => this.#conducting.change(term));
    const membership = this.#membership;
    this.#work = this.#makeWork();
    this.#calls = new Calls({
      database,
      clock: systemClock,
      node: membership.node.id,
      onBug: (error) => this.#bug(error),
    });
    const files = new JobFiles(database, systemClock);
    this.#file = new NodeFile({
      options,
      files,
      membership,
      log,
      term: () => this.#conducting.term,
      elsewhere: (request) => this.#serving.publish(request),
    });
    this.#office = new ClusterOffice({
      database,
      clock: systemClock,
      membership,
      file: this.#file,
      say: (message) => log.write('notice', message),
    });
    const local = outputFiles(runs, systemClock);
    this.#conducting = this.#conduct({ files, local });
    this.#serving = this.#serve(local);
    const { promise, resolve } = Promise.withResolvers<number>();
    this.done = promise;
    this.#finish = resolve;
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
    const text = `node ${node.name} of the cluster at ${database.url} ${what}: ${slots} slots${able}`;
    log.write('notice', text, { event: 'node_started' });
    const jobs = this.#conducting.term?.deciding?.loading.jobs.length ?? 0;
    this.#serviceManager?.observe({ kind: 'engine_started', jobs });
    this.#turn();
    this.#sweep();
    this.#shrink();
    await this.#serving.open();
    if (schedules) await this.#file.follow();
  }

  /** Reads this node's copy of the job file again. A HUP, which comes each night from whoever rotates logs, publishes none that nobody edited. */
  async reload(cause: string): Promise<ReloadResult> {
    this.#serviceManager?.reloading();
    const result = await this.#file.reload(cause);
    this.#serviceManager?.reloaded(result.kind === 'kept' ? result.reason : undefined);
    return result;
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
    this.#ends({ kind: 'engine_stopping', active: this.#work.busy });
    this.#membership.drain(true);
    await this.#conducting.handOver();
    await this.#membership.resign();
    await this.#file.close();
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
    this.#ends({ kind: 'engine_stopped' });
    await this.#serviceManager?.close();
    await log.close();
    daemonFile.close();
    holding.lock.release();
    this.#finish(0);
  }

  /** A node that never took part has said why already. */
  #ends(event: EngineEvent): void {
    this.#serviceManager?.observe(event);
    if (this.#callOffTurn !== undefined) this.#parts.log.observer.observe(event);
  }

  /** While it conducts the engine's alarm does this; else nothing that matters turns but the beats. */
  #turn(): void {
    if (this.#conducting.term?.deciding === undefined) this.#rung();
    const every = Math.min(this.#serviceManager?.every ?? TURN, TURN);
    this.#callOffTurn = systemClock.after(every, () => this.#turn());
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

  #join(): Membership {
    const { database, log, daemonFile } = this.#parts;
    const { store, stateDirectory, version } = this.#options;
    return createMembership({
      ...store,
      database,
      clock: systemClock,
      nodeIdFile: join(stateDirectory, 'node-id'),
      name: store.nodeName,
      host: hostname(),
      pid: process.pid,
      version,
      startedAt: systemClock.now(),
      busy: () => this.#work.busy,
      document: () => ({ lacks: [...this.#work.lacks] }),
      onReady: (queues) => this.#work.ready(queues),
      onWish: (drain) => this.#work.drain(drain),
      onAway: (away) => daemonFile.update({ away }),
      log,
    });
  }

  #makeWork(): Work {
    const { database, queue, executor, log } = this.#parts;
    const { slots, labels } = this.#options.store;
    return new Work({
      database,
      queue,
      clock: systemClock,
      executor,
      node: this.#membership.node,
      slots,
      labels,
      contactFor: () => this.#membership.contactFor,
      onTrouble: (message) => log.write('warning', message),
      onRefused: ({ jobId, runId }, message) => log.write('warning', message, { job: jobId, run: runId }),
      onEnded: ({ jobId, runId, output }) =>
        this.#runs.finished({ id: partsOfId(runId).run, jobId }, output.keep),
    });
  }

  #conduct({ files, local }: { readonly files: JobFiles; readonly local: OutputFiles }): Conducting {
    const { executor } = this.#parts;
    const membership = this.#membership;
    const outputs = new ClusterOutputs({
      local,
      follow: followOutput,
      calls: this.#calls,
      node: membership.node.name,
      find: async (id) => {
        const run = await this.#conducting.term?.operator?.run(id);
        return run?.ok === true ? run.value : undefined;
      },
      nodeNamed: async (name) => membership.nodes().find((each) => each.name === name),
      clock: systemClock,
    });
    return new Conducting({
      ...this.#parts,
      options: this.#options,
      serve: this.#options.serve,
      files,
      membership,
      ownFile: () => this.#file.own,
      runCommand: (command) => executor.runCommand(command),
      outputs,
      lastOutput: (run, bytes) => lastOutputOf(outputs, run, bytes),
      supervisor: { every: this.#serviceManager?.every ?? TURN, rung: () => this.#rung() },
      random: Math.random,
      watchdogPings: () => this.#serviceManager?.pings ?? 0,
      cluster: { operator: this.#office, node: membership.node.name },
      stop: (wish) => this.stop(wish),
      onPruned: (runs) => this.#runs.forget(runs),
      onApplied: () => this.#shrink(),
      onReloading: () => this.#serviceManager?.reloading(),
      onReloaded: (reason) => this.#serviceManager?.reloaded(reason),
      onBegun: (term) => this.#serving.conducting(term),
      onBug: (error) => this.#bug(error),
    });
  }

  #serve(local: OutputFiles): NodeServing {
    const { stateDirectory } = this.#options;
    return new NodeServing({
      ...this.#parts,
      options: this.#options,
      clock: systemClock,
      membership: this.#membership,
      calls: this.#calls,
      office: this.#office,
      local,
      term: () => this.#conducting.term,
      isStopping: () => this.#stopping !== undefined,
      stop: (wish) => this.stop(wish),
      onBug: (error) => this.#bug(error),
      reclaim: () => {
        if (!existsSync(stateDirectory)) reclaim(this.#parts.holding, stateDirectory);
      },
    });
  }

  #supervised(): ServiceManager | undefined {
    const { hostTimezone, environment } = this.#options;
    return serviceManager(
      {
        clock: systemClock,
        timezone: hostTimezone,
        environment,
        microseconds: () => process.hrtime.bigint() / 1000n,
        outlook: () => this.#conducting.outlook(),
      },
      (message) => this.#parts.log.write('error', `the service manager cannot be told anything: ${message}`),
    );
  }

  #bug(error: unknown): void {
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#parts.log.write('error', `a mistake of tsched itself, please report it: ${told}`);
  }
}
