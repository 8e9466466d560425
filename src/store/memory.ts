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
  RunId,
  RunRecord,
  SkipRecord,
} from '../model.ts';
import { Joins } from './joins.ts';
import { Outbox } from './outbox.ts';
import type { Replay, ReplayId, ReplayWithSlots } from '../replay.ts';
import { isForSlot } from './batch.ts';
import { Places } from './places.ts';
import { Requests } from './requests.ts';
import { remember } from './replays.ts';
import { noteSuccess } from './successes.ts';

/** Rows kept of each kind; the oldest go first, runs that are not finished never. */
const ROWS = 10_000;

/** Keeps history in memory, for tests and for a daemon that is asked to forget. */
export class MemoryStore implements Store {
  readonly durable: boolean = false;
  readonly #runs = new Map<RunId, RunRecord>();
  /** Claimed, and not among the others yet: 10,000 that come together start before they are filed. */
  #claimed: RunRecord[] = [];
  readonly #places = new Places();
  readonly #pauses = new Map<JobId, Pause>();
  readonly #added = new Map<JobId, AddedJob>();
  readonly #requests = new Requests();
  readonly #joins = new Joins();
  /** Slots of followers that have a run: these come in any order, so that a place cannot tell. */
  readonly #followed = new Set<string>();
  readonly #outbox = new Outbox();
  readonly #replays = new Map<ReplayId, ReplayWithSlots>();
  readonly #successes = new Map<JobId, Instant>();
  #skips: SkipRecord[] = [];
  readonly #rows: number;

  constructor(rows = ROWS) {
    this.#rows = rows;
  }

  async claim(
    runs: readonly RunRecord[],
    skips: readonly SkipRecord[],
    undecided?: ReadonlyMap<JobId, Instant>,
  ): Promise<readonly boolean[]> {
    let taken: Set<string> | undefined;
    const won = runs.map((run) => {
      // A slot newer than all before cannot have been claimed; only a clock set far back asks for older ones.
      if (run.cause === 'dependency') {
        if (this.#followed.has(keyOf(run))) return false;
        this.#followed.add(keyOf(run));
      } else if (
        run.cause === 'replay' ||
        (isForSlot(run) && this.#places.isDecided(run.jobId, run.scheduledAt))
      ) {
        taken ??= new Set([...this.#all().values()].filter(({ cause }) => cause !== 'manual').map(keyOf));
        if (taken.has(keyOf(run))) return false;
      }
      this.#claimed.push(run);
      if (run.cause !== 'manual') taken?.add(keyOf(run));
      if (isForSlot(run)) {
        const { jobId, scheduledAt: slot } = run;
        this.#places.decide(jobId, { from: slot, through: slot, undecided: undecided?.get(jobId) });
      }
      return true;
    });
    for (const skip of skips) {
      this.#skips.push(skip);
      const { jobId, scheduledAt: from, through } = skip;
      this.#places.decide(jobId, { from, through, undecided: undecided?.get(jobId) });
    }
    if (this.#skips.length > 2 * this.#rows) this.#skips = this.#skips.slice(-this.#rows);
    return won;
  }

  async save(run: RunRecord): Promise<void> {
    this.#all().set(run.id, run);
    noteSuccess(this.#successes, run);
  }

  async unfinished(): Promise<readonly RunRecord[]> {
    return [...this.#all().values()].filter(({ state }) => state !== 'finished');
  }

  async places(): Promise<ReadonlyMap<JobId, Place>> {
    return this.#places.all();
  }

  async place(placement: Placement): Promise<void> {
    this.#places.change(placement);
  }

  async pauses(): Promise<ReadonlyMap<JobId, Pause>> {
    return new Map(this.#pauses);
  }

  async pause(jobId: JobId, pause: Pause | undefined): Promise<void> {
    if (pause === undefined) this.#pauses.delete(jobId);
    else this.#pauses.set(jobId, pause);
  }

  async added(): Promise<ReadonlyMap<JobId, AddedJob>> {
    return new Map(this.#added);
  }

  async setAdded(jobId: JobId, job: AddedJob | undefined): Promise<void> {
    if (job === undefined) this.#added.delete(jobId);
    else this.#added.set(jobId, job);
  }

  request(key: string, now: Instant): KeyedRequest | undefined {
    return this.#requests.find(key, now);
  }

  keepRequest(request: KeyedRequest): void {
    this.#requests.remember(request);
  }

  async joins(): Promise<readonly Join[]> {
    return this.#joins.all();
  }

  async join(joins: readonly Join[]): Promise<void> {
    this.#joins.change(joins);
  }

  async messages(): Promise<readonly Message[]> {
    return this.#outbox.messages();
  }

  async told(): Promise<ReadonlyMap<JobId, Told>> {
    return this.#outbox.told();
  }

  async post(posting: Posting): Promise<void> {
    this.#outbox.post(posting);
  }

  async settle(ids: readonly string[]): Promise<void> {
    this.#outbox.settle(ids);
  }

  async replays(): Promise<readonly ReplayWithSlots[]> {
    return [...this.#replays.values()];
  }

  async setReplay(replay: Replay, slots?: readonly Instant[]): Promise<void> {
    remember(this.#replays, replay, slots);
  }

  async history({ jobId, limit = Number.POSITIVE_INFINITY }: HistoryQuery): Promise<readonly HistoryRow[]> {
    const rows: HistoryRow[] = [
      ...[...this.#all().values()].map((run) => ({ run })),
      ...this.#skips.map((skip) => ({ skip })),
    ];
    return rows
      .filter((row) => jobId === undefined || part(row).jobId === jobId)
      .sort((a, b) => part(b).scheduledAt - part(a).scheduledAt)
      .slice(0, limit);
  }

  async latest(jobIds: readonly JobId[]): Promise<readonly RunRecord[]> {
    const wanted = new Set(jobIds);
    const found = new Map<JobId, RunRecord>();
    for (const run of this.#all().values()) {
      const counts = isForSlot(run) ? run.state === 'finished' : run.outcome?.kind === 'succeeded';
      if (!counts || !wanted.has(run.jobId)) continue;
      const known = found.get(run.jobId);
      if (known === undefined || run.scheduledAt >= known.scheduledAt) found.set(run.jobId, run);
    }
    return [...found.values()];
  }

  previousSuccess(jobId: JobId): Instant | undefined {
    return this.#successes.get(jobId);
  }

  async close(): Promise<void> {
    // Nothing is held.
  }

  #all(): Map<RunId, RunRecord> {
    if (this.#claimed.length > 0) {
      for (const run of this.#claimed) this.#runs.set(run.id, run);
      this.#claimed = [];
      this.#prune();
    }
    return this.#runs;
  }

  #prune(): void {
    if (this.#runs.size <= 2 * this.#rows) return;
    for (const run of this.#runs.values()) {
      if (this.#runs.size <= this.#rows) return;
      if (run.state !== 'finished') continue;
      this.#runs.delete(run.id);
      this.#followed.delete(keyOf(run));
    }
  }
}

function keyOf({ scheduledAt, jobId, replay = '' }: RunRecord): string {
  return `${scheduledAt} ${jobId} ${replay}`;
}

function part(row: HistoryRow): RunRecord | SkipRecord {
  return 'run' in row ? row.run : row.skip;
}
