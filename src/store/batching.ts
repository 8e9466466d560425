/** What stores do alike that write a batch at a time: they answer by what they know, and gather what is to be written. */
import type { HistoryQuery, HistoryRow, Placement, Posting, Store } from '../engine/ports.ts';
import type { Join } from '../join.ts';
import type { Message, Told } from '../message.ts';
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
} from '../model.ts';
import type { Replay, ReplayId, ReplayWithSlots } from '../replay.ts';
import { Batch } from './batch.ts';
import type { Contents } from './contents.ts';
import type { Claim, Undecided } from './flight.ts';
import { Joins } from './joins.ts';
import { Outbox } from './outbox.ts';
import { Places } from './places.ts';
import { remember } from './replays.ts';
import { Requests } from './requests.ts';
import { noteSuccess } from './successes.ts';

/** How a store is. */
export type StoreHealth =
  | {
      readonly kind: 'well';
      /** Rows that had to wait and are recorded now. */
      readonly caughtUp: number;
      readonly dropped: number;
    }
  | {
      readonly kind: 'degraded';
      readonly since: Instant;
      readonly message: string;
      readonly hint?: string;
      /** Nothing is begun meanwhile: what is not recorded, another node would begin too. */
      readonly blocks?: true;
    };

/** What whoever opens such a store is told. */
export interface StoreListener {
  /** Called when it changes, and again when the reason does. */
  readonly onHealth: (health: StoreHealth) => void;
  /** A row that the tables do not take, which is a mistake of ours; all others go on. */
  readonly onUnwritable?: (message: string) => void;
  /** Runs whose rows are gone. */
  readonly onPruned: (runs: readonly RunId[]) => void;
}

export abstract class BatchingStore implements Store {
  readonly durable = true;
  protected readonly known: {
    readonly places: Places;
    readonly pauses: Map<JobId, Pause>;
    readonly added: Map<JobId, AddedJob>;
    readonly joins: Joins;
    readonly outbox: Outbox;
    readonly requests: Requests;
    readonly replays: Map<ReplayId, ReplayWithSlots>;
  };
  /** The one that grows. */
  protected batch = new Batch();
  readonly #successes: Map<JobId, Instant>;
  readonly #unfinished: readonly RunRecord[];
  #asked: KeyedRequest[] = [];

  constructor(contents: Contents) {
    this.known = {
      places: new Places(contents.places),
      pauses: new Map(contents.pauses),
      added: new Map(contents.added),
      joins: new Joins(contents.joins),
      outbox: new Outbox(contents.messages, contents.told),
      requests: new Requests(contents.requests),
      replays: new Map(contents.replays.map((each) => [each.replay.id, each])),
    };
    this.#successes = new Map(contents.successes);
    this.#unfinished = contents.unfinished;
  }

  /** It is in the batch; whoever made it waits for an answer. */
  protected abstract claiming(claim: Claim): void;
  /** Resolves when what is in the batch counts as recorded. */
  protected abstract written(): Promise<void>;

  abstract history(query: HistoryQuery): Promise<readonly HistoryRow[]>;
  abstract latest(jobIds: readonly JobId[]): Promise<readonly RunRecord[]>;
  /** How much history is kept from now on. */
  abstract retain(retention: Retention): void;
  abstract close(): Promise<void>;

  claim(
    runs: readonly RunRecord[],
    skips: readonly SkipRecord[],
    undecided?: Undecided,
  ): Promise<readonly boolean[]> {
    const { promise, resolve } = Promise.withResolvers<readonly boolean[]>();
    this.batch.claim(runs, skips, undecided);
    for (const request of this.#asked.splice(0)) this.batch.keepRequest(request);
    this.claiming({ runs, skips, undecided, resolve, settled: false });
    return promise;
  }

  save(run: RunRecord): Promise<void> {
    this.batch.save(run);
    noteSuccess(this.#successes, run);
    return this.written();
  }

  async unfinished(): Promise<readonly RunRecord[]> {
    return this.#unfinished;
  }

  async places(): Promise<ReadonlyMap<JobId, Place>> {
    return this.known.places.all();
  }

  place(placement: Placement): Promise<void> {
    this.known.places.change(placement);
    this.batch.place(placement);
    return this.written();
  }

  async pauses(): Promise<ReadonlyMap<JobId, Pause>> {
    return new Map(this.known.pauses);
  }

  pause(jobId: JobId, pause: Pause | undefined): Promise<void> {
    if (pause === undefined) this.known.pauses.delete(jobId);
    else this.known.pauses.set(jobId, pause);
    this.batch.pause(jobId, pause);
    return this.written();
  }

  async added(): Promise<ReadonlyMap<JobId, AddedJob>> {
    return new Map(this.known.added);
  }

  setAdded(jobId: JobId, job: AddedJob | undefined): Promise<void> {
    if (job === undefined) this.known.added.delete(jobId);
    else this.known.added.set(jobId, job);
    this.batch.setAdded(jobId, job);
    return this.written();
  }

  request(key: string, now: Instant): KeyedRequest | undefined {
    return this.known.requests.find(key, now);
  }

  keepRequest(request: KeyedRequest): void {
    this.known.requests.remember(request);
    this.#asked.push(request);
  }

  async joins(): Promise<readonly Join[]> {
    return this.known.joins.all();
  }

  join(joins: readonly Join[]): Promise<void> {
    this.known.joins.change(joins);
    this.batch.join(joins);
    return this.written();
  }

  async messages(): Promise<readonly Message[]> {
    return this.known.outbox.messages();
  }

  async told(): Promise<ReadonlyMap<JobId, Told>> {
    return this.known.outbox.told();
  }

  post(posting: Posting): Promise<void> {
    this.known.outbox.post(posting);
    this.batch.post(posting);
    return this.written();
  }

  settle(ids: readonly string[]): Promise<void> {
    this.known.outbox.settle(ids);
    this.batch.settle(ids);
    return this.written();
  }

  async replays(): Promise<readonly ReplayWithSlots[]> {
    return [...this.known.replays.values()];
  }

  setReplay(replay: Replay, slots?: readonly Instant[]): Promise<void> {
    remember(this.known.replays, replay, slots);
    this.batch.setReplay(replay, slots);
    return this.written();
  }

  previousSuccess(jobId: JobId): Instant | undefined {
    return this.#successes.get(jobId);
  }
}
