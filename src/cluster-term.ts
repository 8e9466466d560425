/**
 * What a node of a cluster is while it conducts: the engine, over the store that all nodes share, with an executor that hands
 * attempts to whoever has room. A term may end at any moment, and then all at once: another node may have the next one. Part of the
 * composition, beside cluster-app.ts.
 */
import type { AppOptions, OperatingSettings } from './app-options.ts';
import { Dispatch } from './cluster/dispatch.ts';
import type { JobFiles } from './cluster/files.ts';
import type { Term as GivenTerm } from './cluster/membership.ts';
import type { Queue } from './cluster/queue.ts';
import { formatDiagnostics } from './config/diagnostic.ts';
import type { LoadedFile } from './config/load.ts';
import { Deciding, type DecidingParts } from './deciding.ts';
import { systemClock } from './engine/clock.ts';
import type { OutputFiles } from './engine/ports-output.ts';
import type { Supervisor } from './engine/ports.ts';
import { inSmallNursery } from './heap.ts';
import { loadJobFile } from './job-loading.ts';
import type { Keeping } from './keeping.ts';
import type { Duration, Retention, RunId } from './model.ts';
import type { Log } from './observe/log.ts';
import { Operating, type OperatingParts } from './operating.ts';
import type { DaemonOperator } from './operator.ts';
import type { Database } from './postgres/database.ts';
import { NO_JOBS, publishedFile } from './publishing.ts';
import type { DaemonFile } from './store/daemon-file.ts';
import { openPostgresHistory } from './store/postgres/history.ts';
import type { StoreHealth } from './store/batching.ts';
import { openPostgresStore, type PostgresStore } from './store/postgres/store.ts';
import type { ProcessExecutor } from './tasks/executor.ts';

export interface TermParts {
  readonly options: AppOptions;
  readonly serve: OperatingSettings;
  readonly term: GivenTerm;
  readonly database: Database;
  readonly queue: Queue;
  readonly files: JobFiles;
  readonly log: Log;
  readonly daemonFile: DaemonFile;
  readonly runCommand: ProcessExecutor['runCommand'];
  readonly outputs: OutputFiles;
  readonly lastOutput: DecidingParts['lastOutput'];
  readonly supervisor: Supervisor;
  /** Draws from [0, 1). */
  readonly random: () => number;
  /** How long this node has had the database without a gap. */
  readonly contactFor: () => Duration;
  readonly watchdogPings: () => number;
  readonly cluster: OperatingParts['cluster'];
  readonly stop: OperatingParts['app']['stop'];
  readonly onHealth: (health: StoreHealth) => void;
  readonly onPruned: (runs: readonly RunId[]) => void;
  readonly onApplied: () => void;
  readonly onReloading: () => void;
  readonly onReloaded: (reason: string | undefined) => void;
  /** Another node has the next term: nothing of this one counts any more. */
  readonly onDeposed: () => void;
}

/** What there is once it has begun. */
interface Made {
  readonly store: PostgresStore;
  readonly dispatch: Dispatch;
  readonly deciding: Deciding;
  readonly operating: Operating;
}

/** The job file that is in force has errors as this node reads it. */
export class FileUnfit extends Error {
  override readonly name = 'FileUnfit';
}

export class ClusterTerm {
  readonly number: number;
  readonly #parts: TermParts;
  readonly #aborter = new AbortController();
  #made: Made | undefined;
  #hasBegun = false;

  constructor(parts: TermParts) {
    this.#parts = parts;
    this.number = parts.term.number;
  }

  /** Undefined until it has begun, and once it is over. */
  get deciding(): Deciding | undefined {
    return this.#isOver ? undefined : this.#made?.deciding;
  }

  get operator(): DaemonOperator | undefined {
    return this.#isOver ? undefined : this.#made?.operating.operator;
  }

  /** Aborted when the term is over; undefined until it has begun. */
  get tenure(): AbortSignal | undefined {
    return this.#hasBegun ? this.#aborter.signal : undefined;
  }

  get #isOver(): boolean {
    return this.#aborter.signal.aborted;
  }

  /**
   * Resolves when jobs are armed, or the term is over.
   * @throws FileUnfit, DatabaseAway, Deposed; then it is to be ended
   */
  async begin(): Promise<void> {
    const { options, files, term, log } = this.#parts;
    const given = (await files.current()) ?? NO_JOBS;
    const result = await inSmallNursery(() => loadJobFile(options, { signal: this.#aborter.signal, given }));
    if (this.#isOver) return;
    if (!result.ok) throw new FileUnfit(formatDiagnostics(result.errors, result.texts, { color: false }));
    const made = await this.#make(result.file);
    if (this.#isOver) return this.#drop(made);
    this.#made = made;
    const { dispatch, deciding } = made;
    dispatch.declare(result.file.jobs);
    await deciding.loading.start();
    if (this.#isOver) return;
    this.#declare();
    this.#hasBegun = true;
    deciding.telling.beat(() => deciding.engine.quietFor);
    log.write('debug', `term ${term.number} has begun`);
  }

  /** Ends it at once: nothing of it is decided, recorded or told any more; what runs goes on for whoever conducts next. */
  end(): void {
    if (this.#isOver) return;
    this.#aborter.abort();
    const made = this.#made;
    if (made !== undefined) this.#drop(made);
  }

  /** Ends it in good order: what is decided is recorded. */
  async handOver(): Promise<void> {
    const made = this.#made;
    // What is being delivered has a moment to be recorded so, else the next one delivers it again; slots are decided meanwhile.
    await made?.deciding.telling.close();
    made?.deciding.engine.abandon();
    await made?.store.close();
    this.end();
  }

  #drop({ store, dispatch, deciding, operating }: Made): void {
    deciding.engine.abandon();
    store.abandon();
    const ends = [deciding.telling.close(), dispatch.close(), operating.close()];
    for (const end of ends) end.catch((error: unknown) => this.#parts.log.write('error', String(error)));
  }

  async #make(file: LoadedFile): Promise<Made> {
    const { options, serve, database, queue, term, log, daemonFile } = this.#parts;
    const store = await openPostgresStore({
      ...this.#parts,
      clock: systemClock,
      term: term.number,
      retention: file.history,
    });
    const dispatch = new Dispatch({
      database,
      queue,
      clock: systemClock,
      term: term.number,
      contactFor: this.#parts.contactFor,
      onDeposed: this.#parts.onDeposed,
      onTrouble: (message) => log.write('warning', message),
    });
    const keeping = {
      store,
      retain: (retention: Retention) => store.retain(retention),
      owners: undefined,
    };
    const deciding = this.#decide(file, { keeping, dispatch });
    const operating = new Operating({
      app: { stop: this.#parts.stop, reload: (cause) => deciding.loading.reload(cause) },
      cluster: this.#parts.cluster,
      wording: serve.wording,
      history: openPostgresHistory(database),
      outputs: this.#parts.outputs,
      database: undefined,
      clock: systemClock,
      engine: deciding.engine,
      store,
      daemonFile,
      log,
      loading: deciding.loading,
      bounds: options,
      watchdogPings: this.#parts.watchdogPings,
    });
    deciding.tell(operating.operator);
    return { store, dispatch, deciding, operating };
  }

  #decide(
    file: LoadedFile,
    { keeping, dispatch }: { readonly keeping: Keeping; readonly dispatch: Dispatch },
  ): Deciding {
    const { options, term } = this.#parts;
    const { upSince } = term;
    return new Deciding({
      ...this.#parts,
      settings: { ...options, bootedAt: upSince, upSince },
      executor: dispatch,
      keeping,
      file,
      source: publishedFile(this.#parts.files),
      signal: this.#aborter.signal,
      onApplied: () => {
        this.#declare();
        this.#parts.onApplied();
      },
      onReloaded: (cause, result) => {
        this.operator?.reloaded(cause, result);
        this.#parts.onReloaded(result.kind === 'kept' ? result.reason : undefined);
      },
    });
  }

  /** What the loaded jobs need of nodes: those look whether they have it before there is anything to run. */
  #declare(): void {
    const { dispatch, deciding } = this.#made ?? {};
    if (deciding !== undefined) dispatch?.declare(deciding.loading.jobs);
  }
}
