/**
 * History and claims in an SQLite database. Writing is done by a thread, a batch at a time: while one is being written the
 * next one grows, so that each commit takes all that came meanwhile.
 *
 * When the disk fails, nothing stops. What was to be recorded stays in memory (of each run only its newest state), slots are
 * claimed by what is known there, and all of it is written when the disk can again. Only one daemon can be here (see
 * lock.ts), so memory knows every slot that was claimed.
 */
import type { HistoryQuery, HistoryRow, Placement, Posting, Store } from '../../engine/ports.ts';
import type { Join } from '../../join.ts';
import type { Message, Told } from '../../message.ts';
import type {
  AddedJob,
  Instant,
  JobId,
  KeyedRequest,
  Pause,
  Place,
  Retention,
  RunId,
  RunRecord,
  SkipRecord,
} from '../../model.ts';
import { Batch, type BatchData } from '../batch.ts';
import { Joins } from '../joins.ts';
import type { Replay, ReplayId, ReplayWithSlots } from '../../replay.ts';
import { Outbox } from '../outbox.ts';
import { Places } from '../places.ts';
import { Requests } from '../requests.ts';
import { remember } from '../replays.ts';
import { noteSuccess } from '../successes.ts';
import { Connection, StoreTrouble } from './connection.ts';
import type { RunOwner } from './owners.ts';
import type { Contents } from './protocol.ts';
import { Pruner } from './pruner.ts';
import {
  decide,
  LIMITS,
  recordAll,
  settleByMemory,
  type Claim,
  type Flight,
  type Undecided,
} from './flight.ts';
import type { SqliteStoreOptions } from './store-options.ts';

export type { SqliteStoreOptions, StoreHealth } from './store-options.ts';

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

export class SqliteStore implements Store {
  readonly durable = true;
  readonly #options: SqliteStoreOptions;
  readonly #places: Places;
  readonly #pauses: Map<JobId, Pause>;
  readonly #added: Map<JobId, AddedJob>;
  readonly #successes: Map<JobId, Instant>;
  readonly #joins: Joins;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  #asked: KeyedRequest[] = [];
  readonly #replays: Map<ReplayId, ReplayWithSlots>;
  readonly #unfinished: readonly RunRecord[];
  readonly #pruner: Pruner;
  #connection: Connection;
  #batch = new Batch();
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
    this.#options = options;
    this.#connection = connection;
    this.#places = new Places(contents.places);
    this.#pauses = new Map(contents.pauses);
    this.#added = new Map(contents.added);
    this.#successes = new Map(contents.successes);
    this.#unfinished = contents.unfinished;
    this.#requests = new Requests(contents.requests);
    this.#joins = new Joins(contents.joins);
    this.#outbox = new Outbox(contents.messages, contents.told);
    this.#replays = new Map(contents.replays.map((each) => [each.replay.id, each]));
    this.#pruner = new Pruner({
      clock: options.clock,
      retention: options.retention,
      ask: (request) => this.#connection.ask({ kind: 'prune', request }),
      onPruned: options.onPruned,
    });
  }

  claim(
    runs: readonly RunRecord[],
    skips: readonly SkipRecord[],
    undecided?: Undecided,
  ): Promise<readonly boolean[]> {
    const { promise, resolve } = Promise.withResolvers<readonly boolean[]>();
    const claim: Claim = { runs, skips, undecided, resolve, settled: false };
    for (const { jobId } of [...runs, ...skips]) this.#pruner.touched(jobId);
    this.#batch.claim(runs, skips, undecided);
    for (const request of this.#asked.splice(0)) this.#batch.keepRequest(request);
    if (this.#trouble === undefined) this.#claims.push(claim);
    else settleByMemory([claim], this.#batch, this.#places);
    this.#flushSoon();
    return promise;
  }

  save(run: RunRecord): Promise<void> {
    this.#batch.save(run);
    noteSuccess(this.#successes, run);
    return this.#written();
  }

  async unfinished(): Promise<readonly RunRecord[]> {
    return this.#unfinished;
  }

  async places(): Promise<ReadonlyMap<JobId, Place>> {
    return this.#places.all();
  }

  place(placement: Placement): Promise<void> {
    this.#places.change(placement);
    this.#batch.place(placement);
    return this.#written();
  }

  async pauses(): Promise<ReadonlyMap<JobId, Pause>> {
    return new Map(this.#pauses);
  }

  pause(jobId: JobId, pause: Pause | undefined): Promise<void> {
    if (pause === undefined) this.#pauses.delete(jobId);
    else this.#pauses.set(jobId, pause);
    this.#batch.pause(jobId, pause);
    return this.#written();
  }

  async added(): Promise<ReadonlyMap<JobId, AddedJob>> {
    return new Map(this.#added);
  }

  setAdded(jobId: JobId, job: AddedJob | undefined): Promise<void> {
    if (job === undefined) this.#added.delete(jobId);
    else this.#added.set(jobId, job);
    this.#batch.setAdded(jobId, job);
    return this.#written();
  }

  request(key: string, now: Instant): KeyedRequest | undefined {
    return this.#requests.find(key, now);
  }

  keepRequest(request: KeyedRequest): void {
    this.#requests.remember(request);
    this.#asked.push(request);
  }

  async joins(): Promise<readonly Join[]> {
    return this.#joins.all();
  }

  join(joins: readonly Join[]): Promise<void> {
    this.#joins.change(joins);
    this.#batch.join(joins);
    return this.#written();
  }

  async messages(): Promise<readonly Message[]> {
    return this.#outbox.messages();
  }

  async told(): Promise<ReadonlyMap<JobId, Told>> {
    return this.#outbox.told();
  }

  post(posting: Posting): Promise<void> {
    this.#outbox.post(posting);
    this.#batch.post(posting);
    return this.#written();
  }

  settle(ids: readonly string[]): Promise<void> {
    this.#outbox.settle(ids);
    this.#batch.settle(ids);
    return this.#written();
  }

  async replays(): Promise<readonly ReplayWithSlots[]> {
    return [...this.#replays.values()];
  }

  setReplay(replay: Replay, slots?: readonly Instant[]): Promise<void> {
    remember(this.#replays, replay, slots);
    this.#batch.setReplay(replay, slots);
    return this.#written();
  }

  async history({ jobId, limit = 100 }: HistoryQuery): Promise<readonly HistoryRow[]> {
    await this.#idle();
    const query = jobId === undefined ? { limit } : { limit, jobId };
    return this.#connection.ask({ kind: 'rows', query });
  }

  async latest(ids: readonly JobId[]): Promise<readonly RunRecord[]> {
    await this.#idle();
    return this.#connection.ask({ kind: 'latest', ids });
  }

  previousSuccess(jobId: JobId): Instant | undefined {
    return this.#successes.get(jobId);
  }

  /** Whose these runs are, as far as history knows them. Rejects while the disk fails. */
  owners(runs: readonly RunId[]): Promise<ReadonlyMap<RunId, RunOwner>> {
    return this.#connection.ask({ kind: 'owners', runs });
  }

  /** How much history is kept from now on. */
  retain(retention: Retention): void {
    this.#pruner.retain(retention);
  }

  async close(): Promise<void> {
    this.#pruner.close();
    this.#callOffRetry?.();
    const late = Promise.withResolvers<void>();
    const callOff = this.#options.clock.after(LIMITS.lastPatience, late.resolve);
    this.#flush();
    await Promise.race([
      this.#idle().then(() => this.#connection.ask({ kind: 'close' })),
      late.promise,
    ]).catch(() => null);
    callOff();
    this.#closed = true;
    this.#callOffRetry?.();
    await this.#connection.end();
  }

  /** While the disk fails, what is asked for counts as done: it is kept here, and written when it can be. */
  #written(): Promise<void> {
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
    if (this.#flight !== undefined || this.#batch.isEmpty || this.#closed) return;
    const flight = { batch: this.#batch, claims: this.#claims, saved: this.#saved };
    this.#flight = flight;
    this.#batch = new Batch();
    this.#claims = [];
    this.#saved = Promise.withResolvers<void>();
    const callOff = this.#options.clock.after(LIMITS.patience, () => this.#overdue(flight));
    const ask = (data: BatchData) => this.#connection.ask({ kind: 'record', batch: JSON.stringify(data) });
    recordAll(flight.batch.data, { ask, onUnwritable: this.#options.onUnwritable }).then(
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
    let index = 0;
    for (const claim of claims) {
      const theirs = won.slice(index, index + claim.runs.length);
      index += claim.runs.length;
      if (claim.settled) continue;
      decide(this.#places, claim);
      claim.resolve(theirs);
    }
    saved.resolve();
    if (this.#trouble !== undefined) this.#healed(batch.size);
    this.#flush();
    if (this.#flight === undefined) this.#landed();
  }

  #failed(flight: Flight, error: StoreTrouble): void {
    const { batch } = flight;
    this.#flight = undefined;
    this.#goOnWithout(flight, error);
    batch.append(this.#batch);
    this.#batch = batch;
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
    settleByMemory(claims, batch, this.#places);
    settleByMemory(this.#claims, this.#batch, this.#places);
    this.#claims = [];
    saved.resolve();
    this.#saved.resolve();
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
    this.#batch.place({ placed: this.#places.allDecided(), gone: [] });
    for (const [jobId, pause] of this.#pauses) this.#batch.pause(jobId, pause);
    for (const [jobId, job] of this.#added) this.#batch.setAdded(jobId, job);
    for (const request of this.#requests.all()) this.#batch.keepRequest(request);
    this.#batch.join(this.#joins.all());
    this.#batch.post({ messages: this.#outbox.messages(), told: this.#outbox.told() });
    for (const { replay, slots } of this.#replays.values()) this.#batch.setReplay(replay, slots);
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
    if (this.#flight === undefined && (this.#batch.isEmpty || this.#trouble !== undefined))
      return Promise.resolve();
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
