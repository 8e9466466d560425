/**
 * History and claims in PostgreSQL, for the node of a cluster that conducts. A batch at a time: while one is being written the next
 * one grows, so that each commit takes all that came meanwhile.
 *
 * Other nodes may take over at any moment, so nothing is decided by what is known here. Each batch is a transaction that first
 * makes sure of the term; that of a conductor who was deposed records nothing, and whoever waits for it waits for ever. While the database is away,
 * claims and saves wait, and the batch is written again until it is known to be recorded: so nothing begins that cannot be claimed.
 */
import type { Clock, HistoryQuery, HistoryRow } from '../../engine/ports.ts';
import type { Instant, JobId, Retention, RunId, RunRecord } from '../../model.ts';
import {
  DatabaseAway,
  DatabaseUnfit,
  StatementRefused,
  type Database,
  type Queryable,
} from '../../postgres/database.ts';
import { Deposed, fenced } from '../../postgres/fence.ts';
import { Batch, type BatchData } from '../batch.ts';
import { BatchingStore, type StoreListener } from '../batching.ts';
import type { Contents } from '../contents.ts';
import { recordAll, settle, type Claim, type Flight } from '../flight.ts';
import type { RunOwner } from '../history.ts';
import { Pruner } from '../pruner.ts';
import { contentsOf, historyOf, latestOf, ownersOf } from './reader.ts';
import { Recorder } from './recorder.ts';
import { prune } from './retention.ts';

export interface PostgresStoreOptions extends StoreListener {
  /** Not closed with the store. */
  readonly database: Database;
  readonly clock: Clock;
  /** Of the conductorship that this store writes for. */
  readonly term: number;
  readonly retention: Retention;
  /** Somebody else conducts: from now on nothing is recorded, and what was asked for is never answered. Called once. */
  readonly onDeposed: () => void;
}

/** Times in milliseconds. */
const LIMITS = {
  /** The database may take as long before the store counts as degraded; longer for each job that is placed: a first start places all. */
  patience: 1000,
  patiencePerPlace: 0.05,
  /** Between two tries while it is away; doubled from the first up to the last. */
  firstRetry: 100,
  lastRetry: 2000,
  /** How long the end waits for what is still to be written. */
  lastPatience: 10_000,
} as const;

/** Classes of SQLSTATE that are about tables, not about rows: somebody changed those, and every row would be refused. */
const OF_TABLES: ReadonlySet<string> = new Set(['0A', '42']);

/**
 * Opens the store for a term, with all that the tables hold.
 * @throws Deposed; DatabaseAway, DatabaseUnfit
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
  const contents = await fenced(options.database, options.term, contentsOf);
  return new PostgresStore(options, contents);
}

export class PostgresStore extends BatchingStore {
  readonly #options: PostgresStoreOptions;
  readonly #recorder: Recorder;
  readonly #pruner: Pruner;
  #claims: Claim[] = [];
  #saved = Promise.withResolvers<void>();
  #flight: Flight | undefined;
  #flushing = false;
  /** Nothing is written any more: deposed, abandoned or closed. */
  #over = false;
  /** Since what is on its way should be recorded, and is not. */
  #waitingSince: Instant | undefined;
  /** That was told. */
  #told: string | undefined;
  #trouble: Error | undefined;
  #retry: number = LIMITS.firstRetry;
  #callOffRetry: (() => void) | undefined;
  #callOffPatience: (() => void) | undefined;
  #landed: () => void = () => undefined;

  constructor(options: PostgresStoreOptions, contents: Contents) {
    super(contents);
    this.#options = options;
    this.#recorder = new Recorder(contents.places.keys());
    this.#pruner = new Pruner({
      clock: options.clock,
      retention: options.retention,
      ask: (request) => this.#fenced((tx) => prune(tx, request)),
      onPruned: options.onPruned,
    });
  }

  async history(query: HistoryQuery): Promise<readonly HistoryRow[]> {
    await this.#idle();
    return historyOf(this.#options.database, query);
  }

  async latest(ids: readonly JobId[]): Promise<readonly RunRecord[]> {
    await this.#idle();
    return latestOf(this.#options.database, ids);
  }

  /** Whose these runs are, as far as history knows them. Rejects while the database is away. */
  owners(runs: readonly RunId[]): Promise<ReadonlyMap<RunId, RunOwner>> {
    return ownersOf(this.#options.database, runs);
  }

  async recorded(): Promise<void> {
    await (this.batch.isEmpty ? this.#flight?.saved.promise : this.written());
  }

  retain(retention: Retention): void {
    this.#pruner.retain(retention);
  }

  /** Writes nothing any more, at once: what is not recorded yet is for the next conductor to settle. */
  abandon(): void {
    this.#over = true;
    this.#pruner.close();
    this.#callOffRetry?.();
    this.#callOffPatience?.();
    this.#landed();
  }

  async close(): Promise<void> {
    this.#pruner.close();
    if (!this.#over) {
      const late = Promise.withResolvers<void>();
      const callOff = this.#options.clock.after(LIMITS.lastPatience, late.resolve);
      this.#flush();
      await Promise.race([this.#allRecorded(), late.promise]);
      callOff();
    }
    this.abandon();
  }

  protected override claiming(claim: Claim): void {
    for (const { jobId } of [...claim.runs, ...claim.skips]) this.#pruner.touched(jobId);
    this.#claims.push(claim);
    this.#flushSoon();
  }

  protected override written(): Promise<void> {
    this.#flushSoon();
    return this.#saved.promise;
  }

  #flushSoon(): void {
    if (this.#flushing || this.#flight !== undefined || this.#trouble !== undefined) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#flight !== undefined || this.#over || this.batch.isEmpty) return;
    const flight = { batch: this.batch, claims: this.#claims, saved: this.#saved };
    this.#flight = flight;
    this.batch = new Batch();
    this.#claims = [];
    this.#saved = Promise.withResolvers<void>();
    const { data } = flight.batch;
    if (this.#waitingSince === undefined) {
      this.#waitingSince = this.#options.clock.now();
      const patience = LIMITS.patience + data.placed.length * LIMITS.patiencePerPlace;
      this.#callOffPatience = this.#options.clock.after(patience, () => this.#impatient());
    }
    this.#record(data).then(
      (won) => this.#recorded(flight, won),
      (error: unknown) => this.#failed(flight, error as Error),
    );
  }

  #record(batch: BatchData): Promise<readonly boolean[]> {
    return recordAll(batch, {
      ask: (data) => this.#recorder.record(data, (work) => this.#fenced(work)),
      isRefusal: (error) => error instanceof StatementRefused && !OF_TABLES.has(error.code.slice(0, 2)),
      // What is not recorded, another node would begin again.
      wonUnrecorded: false,
      onUnwritable: this.#options.onUnwritable,
    });
  }

  #fenced<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    const { database, term } = this.#options;
    return fenced(database, term, work);
  }

  #recorded({ batch, claims, saved }: Flight, won: readonly boolean[]): void {
    this.#flight = undefined;
    if (this.#over) return;
    this.#callOffPatience?.();
    this.#waitingSince = undefined;
    this.#trouble = undefined;
    this.#retry = LIMITS.firstRetry;
    settle(claims, won, this.known.places);
    saved.resolve();
    if (this.#told !== undefined) {
      this.#told = undefined;
      this.#options.onHealth({ kind: 'well', caughtUp: batch.size, dropped: 0 });
    }
    this.#flush();
    if (this.#flight === undefined) this.#landed();
  }

  /** It may or may not be recorded: it goes again, with what came meanwhile. */
  #failed({ batch, claims, saved }: Flight, error: Error): void {
    this.#flight = undefined;
    if (this.#over) return;
    if (error instanceof Deposed) {
      this.abandon();
      this.#options.onDeposed();
      return;
    }
    batch.append(this.batch);
    this.batch = batch;
    this.#claims = [...claims, ...this.#claims];
    // Who waited for the younger batch waits for both.
    const { resolve } = this.#saved;
    void saved.promise.then(resolve);
    this.#saved = saved;
    this.#trouble = error;
    if (this.#told !== undefined) this.#degrade(error);
    this.#landed();
    this.#callOffRetry = this.#options.clock.after(this.#retry, () => this.#flush());
    this.#retry = Math.min(this.#retry * 2, LIMITS.lastRetry);
  }

  #impatient(): void {
    const { url } = this.#options.database;
    this.#degrade(this.#trouble ?? new DatabaseAway(`PostgreSQL at ${url} does not answer`));
  }

  #degrade(error: Error): void {
    const since = this.#waitingSince;
    if (this.#told === error.message || since === undefined) return;
    this.#told = error.message;
    const hint = error instanceof DatabaseUnfit ? { hint: error.hint } : {};
    this.#options.onHealth({ kind: 'degraded', since, message: error.message, ...hint, blocks: true });
  }

  async #allRecorded(): Promise<void> {
    while (!this.#over && (this.#flight !== undefined || !this.batch.isEmpty)) await this.#landing();
  }

  /** Resolves when nothing is on its way, or nothing can be. */
  async #idle(): Promise<void> {
    while (!this.#over && this.#trouble === undefined && (this.#flight !== undefined || !this.batch.isEmpty))
      await this.#landing();
  }

  #landing(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#landed;
      this.#landed = () => {
        this.#landed = () => undefined;
        before();
        resolve();
      };
    });
  }
}
