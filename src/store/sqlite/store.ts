/**
 * History and claims in an SQLite database. Writing is done by a thread, a batch at a time: while one is being written the
 * next one grows, so that each commit takes all that came meanwhile.
 *
 * When the disk fails, nothing stops. What was to be recorded stays in memory (of each run only its newest state), slots are
 * claimed by what is known there, and all of it is written when the disk can again. Only one daemon can be here (see
 * lock.ts), so memory knows every slot that was claimed.
 */
import type { HistoryQuery, HistoryRow } from '../../engine/ports.ts';
import type { Instant, JobId, Retention, RunId, RunRecord } from '../../model.ts';
import { Batch, type BatchData } from '../batch.ts';
import { BatchingStore } from '../batching.ts';
import type { Contents } from '../contents.ts';
import { recordAll, settle, type Claim, type Flight } from '../flight.ts';
import { Pruner } from '../pruner.ts';
import { Connection, StoreTrouble } from './connection.ts';
import { LIMITS, settleByMemory } from './flight.ts';
import type { RunOwner } from '../history.ts';
import type { SqliteStoreOptions } from './store-options.ts';

export type { StoreHealth } from '../batching.ts';
export type { SqliteStoreOptions } from './store-options.ts';

/**
 * Opens the store, and makes it if need be.
 * @throws StoreTrouble
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const connection = connect(options);
  try {
    return new SqliteStore(options, connection, await connection.ask({ kind: 'contents' }));
  } catch (error) {
    await connection.end();
    throw error;
  }
}

function connect({ path, onLongLog }: SqliteStoreOptions): Connection {
  return new Connection(path, { onNotice: ({ logSize }) => onLongLog?.(logSize) });
}

export class SqliteStore extends BatchingStore {
  readonly #options: SqliteStoreOptions;
  readonly #pruner: Pruner;
  #connection: Connection;
  #claims: Claim[] = [];
  #saved = Promise.withResolvers<void>();
  #flight: Flight | undefined;
  #flushing = false;
  /** From then on the file may be the next daemon's. */
  #closed = false;
  #trouble: { readonly since: Instant; readonly error: StoreTrouble } | undefined;
  #dropped = 0;
  #callOffRetry: (() => void) | undefined;
  #landed: () => void = () => undefined;

  constructor(options: SqliteStoreOptions, connection: Connection, contents: Contents) {
    super(contents);
    this.#options = options;
    this.#connection = connection;
    this.#pruner = new Pruner({
      clock: options.clock,
      retention: options.retention,
      ask: (request) => this.#connection.ask({ kind: 'prune', request }),
      onPruned: options.onPruned,
    });
  }

  protected override claiming(claim: Claim): void {
    for (const { jobId } of [...claim.runs, ...claim.skips]) this.#pruner.touched(jobId);
    if (this.#trouble === undefined) this.#claims.push(claim);
    else settleByMemory([claim], this.batch, this.known.places);
    this.#flushSoon();
  }

  override async history({ jobId, limit = 100 }: HistoryQuery): Promise<readonly HistoryRow[]> {
    await this.#idle();
    const query = jobId === undefined ? { limit } : { limit, jobId };
    return this.#connection.ask({ kind: 'rows', query });
  }

  override async latest(ids: readonly JobId[]): Promise<readonly RunRecord[]> {
    await this.#idle();
    return this.#connection.ask({ kind: 'latest', ids });
  }

  /** Whose these runs are, as far as history knows them. Rejects while the disk fails. */
  owners(runs: readonly RunId[]): Promise<ReadonlyMap<RunId, RunOwner>> {
    return this.#connection.ask({ kind: 'owners', runs });
  }

  /** While the disk fails, what is asked for counts as recorded. */
  async recorded(): Promise<void> {
    if (this.#trouble !== undefined) return;
    await (this.batch.isEmpty ? this.#flight?.saved.promise : this.written());
  }

  /** How much history is kept from now on. */
  override retain(retention: Retention): void {
    this.#pruner.retain(retention);
  }

  override async close(): Promise<void> {
    this.#pruner.close();
    this.#callOffRetry?.();
    const late = Promise.withResolvers<void>();
    const callOff = this.#options.clock.after(LIMITS.lastPatience, late.resolve);
    this.#flush();
    await Promise.race([
      this.#emptied().then(() => this.#connection.ask({ kind: 'close' })),
      late.promise,
    ]).catch(() => null);
    callOff();
    this.#closed = true;
    this.#callOffRetry?.();
    await this.#connection.end();
  }

  /** While the disk fails, what is asked for counts as done: it is kept here, and written when it can be. */
  protected override written(): Promise<void> {
    this.#flushSoon();
    return this.#trouble === undefined ? this.#saved.promise : Promise.resolve();
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
    if (this.#flight !== undefined || this.batch.isEmpty || this.#closed) return;
    const flight = { batch: this.batch, claims: this.#claims, saved: this.#saved };
    this.#flight = flight;
    this.batch = new Batch();
    this.#claims = [];
    this.#saved = Promise.withResolvers<void>();
    const callOff = this.#options.clock.after(LIMITS.patience, () => this.#overdue(flight));
    const ask = (data: BatchData) => this.#connection.ask({ kind: 'record', batch: JSON.stringify(data) });
    recordAll(flight.batch.data, {
      ask,
      isRefusal: (error) => error instanceof StoreTrouble && error.kind === 'bug',
      // Memory knows that nobody else has it.
      wonUnrecorded: true,
      onUnwritable: this.#options.onUnwritable,
    }).then(
      (won) => {
        callOff();
        this.#recorded(flight, won);
      },
      (error: StoreTrouble) => {
        callOff();
        this.#failed(flight, error);
      },
    );
  }

  #recorded({ batch, claims, saved }: Flight, won: readonly boolean[]): void {
    this.#flight = undefined;
    settle(claims, won, this.known.places);
    saved.resolve();
    if (this.#trouble !== undefined) this.#healed(batch.size);
    this.#flush();
    if (this.#flight === undefined) this.#landed();
  }

  #failed(flight: Flight, error: StoreTrouble): void {
    const { batch } = flight;
    this.#flight = undefined;
    this.#goOnWithout(flight, error);
    batch.append(this.batch);
    this.batch = batch;
    this.#dropped += batch.shed(LIMITS.waiting);
    this.#landed();
    if (this.#closed) return;
    this.#callOffRetry?.();
    this.#callOffRetry = this.#options.clock.after(LIMITS.retry, () => this.#retry());
  }

  /** The disk does not even answer. Starts go on; the answer, whenever it comes, is taken as any other. */
  #overdue(flight: Flight): void {
    this.#goOnWithout(flight, new StoreTrouble({ kind: 'disk', message: 'the disk does not answer' }));
  }

  #goOnWithout({ batch, claims, saved }: Flight, error: StoreTrouble): void {
    this.#degrade(error);
    settleByMemory(claims, batch, this.known.places);
    settleByMemory(this.#claims, this.batch, this.known.places);
    this.#claims = [];
    saved.resolve();
    this.#saved.resolve();
    // Who asks once it is well again waits for the disk again.
    this.#saved = Promise.withResolvers<void>();
  }

  #retry(): void {
    try {
      if (this.#trouble?.error.kind === 'gone') this.#reopen();
      else if (this.#connection.isDead) this.#connection = connect(this.#options);
      this.#flush();
    } catch (error) {
      this.#degrade(new StoreTrouble({ kind: 'gone', message: (error as Error).message }));
      this.#callOffRetry = this.#options.clock.after(LIMITS.retry, () => this.#retry());
    }
  }

  /** Begins a new file with all that is known, in place of one that was removed. */
  #reopen(): void {
    this.#options.reclaim();
    void this.#connection.end();
    this.#connection = connect(this.#options);
    this.batch.place({ placed: this.known.places.allDecided(), gone: [] });
    for (const [jobId, pause] of this.known.pauses) this.batch.pause(jobId, pause);
    for (const [jobId, job] of this.known.added) this.batch.setAdded(jobId, job);
    for (const request of this.known.requests.all()) this.batch.keepRequest(request);
    this.batch.join(this.known.joins.all());
    this.batch.post({ messages: this.known.outbox.messages(), told: this.known.outbox.told() });
    for (const { replay, slots } of this.known.replays.values()) this.batch.setReplay(replay, slots);
  }

  #degrade(error: StoreTrouble): void {
    const known = this.#trouble;
    this.#trouble = { since: known?.since ?? this.#options.clock.now(), error };
    if (known?.error.message === error.message || this.#closed) return;
    const { message, hint } = error;
    this.#options.onHealth({
      kind: 'degraded',
      since: this.#trouble.since,
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  #healed(rows: number): void {
    this.#trouble = undefined;
    this.#options.onHealth({ kind: 'well', caughtUp: rows, dropped: this.#dropped });
    this.#dropped = 0;
  }

  /** Resolves when nothing is on its way any more. */
  #idle(): Promise<void> {
    if (this.#flight === undefined && (this.batch.isEmpty || this.#trouble !== undefined))
      return Promise.resolve();
    return this.#landing();
  }

  /** Resolves when all is written, however often that is tried. */
  async #emptied(): Promise<void> {
    while (this.#flight !== undefined || !this.batch.isEmpty) await this.#landing();
  }

  /** Resolves when what is on its way has been written, or could not be. */
  #landing(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#landed;
      this.#landed = () => {
        before();
        this.#landed = () => undefined;
        resolve();
      };
    });
  }
}
