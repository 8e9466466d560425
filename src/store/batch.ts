/** What is to be recorded together: the decisions of a tick, and what became of runs meanwhile. */
import type { Placement, Posting } from '../engine/ports.ts';
import { joinKey, type Join } from '../join.ts';
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
import type { Replay, ReplayId } from '../replay.ts';

/** How a replay stands; `slots`: of a new one. */
export interface ReplayChange {
  readonly replay: Replay;
  readonly slots?: readonly Instant[] | undefined;
}

/** Whether a run stands for a slot of its job: nobody else may have it, and its job's place moves on to it. */
export function isForSlot({ cause }: Pick<RunRecord, 'cause'>): boolean {
  return cause !== 'manual' && cause !== 'replay';
}

/** A batch as plain data, as it goes to who writes it. */
export interface BatchData {
  /** Runs whose slots are to be claimed, in the order of their decision. */
  readonly claims: readonly RunRecord[];
  /** Newest states of other runs. */
  readonly saves: readonly RunRecord[];
  readonly skips: readonly SkipRecord[];
  /** Of jobs with claims or skips, the oldest slot that still waits for its turn. */
  readonly undecided: readonly (readonly [JobId, Instant])[];
  readonly placed: readonly (readonly [JobId, Place])[];
  readonly gone: readonly JobId[];
  /** null: resumed */
  readonly pauses: readonly (readonly [JobId, Pause | null])[];
  /** null: removed */
  readonly added: readonly (readonly [JobId, AddedJob | null])[];
  readonly requests: readonly KeyedRequest[];
  readonly joins: readonly Join[];
  readonly messages: readonly Message[];
  readonly settled: readonly string[];
  readonly replays: readonly ReplayChange[];
  /** null: forgotten */
  readonly told: readonly (readonly [JobId, Told | null])[];
  /** Something may be started once this is recorded, so it must outlive a power cut. */
  readonly urgent: boolean;
}

const NONE: ReadonlyMap<JobId, Instant> = new Map();

/** A batch that is still growing. Of each run and job only the newest state stays, so it grows with their number, not with time. */
export class Batch {
  readonly #claims = new Map<RunId, RunRecord>();
  readonly #saves = new Map<RunId, RunRecord>();
  #skips: SkipRecord[] = [];
  readonly #undecided = new Map<JobId, Instant>();
  readonly #placed = new Map<JobId, Place>();
  readonly #gone = new Set<JobId>();
  readonly #pauses = new Map<JobId, Pause | null>();
  readonly #added = new Map<JobId, AddedJob | null>();
  readonly #requests = new Map<string, KeyedRequest>();
  readonly #joins = new Map<string, Join>();
  readonly #messages = new Map<string, Message>();
  readonly #settled = new Set<string>();
  readonly #told = new Map<JobId, Told | null>();
  readonly #replays = new Map<ReplayId, ReplayChange>();
  #urgent = false;

  get isEmpty(): boolean {
    const kept = [this.#placed, this.#gone, this.#pauses, this.#added];
    const outbox = [this.#messages, this.#settled, this.#told];
    const rest = [...kept, ...outbox, this.#requests, this.#joins, this.#replays];
    return this.size === 0 && rest.every(({ size }) => size === 0);
  }

  /** Rows of history in it. */
  get size(): number {
    return this.#claims.size + this.#saves.size + this.#skips.length;
  }

  claim(
    runs: readonly RunRecord[],
    skips: readonly SkipRecord[],
    undecided: ReadonlyMap<JobId, Instant> = NONE,
  ): void {
    for (const run of runs) this.#claims.set(run.id, run);
    for (const skip of skips) this.#skips.push(skip);
    if (runs.length > 0) this.#urgent = true;
    if (this.#undecided.size > 0) for (const { jobId } of [...runs, ...skips]) this.#undecided.delete(jobId);
    for (const [jobId, slot] of undecided) this.#undecided.set(jobId, slot);
  }

  /** Takes back what turned out to be no claim. */
  withdraw(run: RunRecord): void {
    this.#claims.delete(run.id);
  }

  save(run: RunRecord): void {
    if (this.#claims.has(run.id)) this.#claims.set(run.id, run);
    else this.#saves.set(run.id, run);
    // An attempt that is about to begin.
    if (run.shards === undefined ? isBeginning(run) : run.shards.some(isBeginning)) this.#urgent = true;
  }

  place({ placed, gone }: Placement): void {
    for (const jobId of gone) {
      this.#placed.delete(jobId);
      this.#gone.add(jobId);
    }
    for (const [jobId, place] of placed) {
      this.#gone.delete(jobId);
      this.#placed.set(jobId, place);
    }
  }

  pause(jobId: JobId, pause: Pause | undefined): void {
    this.#pauses.set(jobId, pause ?? null);
  }

  setAdded(jobId: JobId, job: AddedJob | undefined): void {
    this.#added.set(jobId, job ?? null);
    // Who added it is told that it is kept.
    this.#urgent = true;
  }

  keepRequest(request: KeyedRequest): void {
    this.#requests.set(request.key, request);
  }

  join(joins: readonly Join[]): void {
    for (const join of joins) this.#joins.set(joinKey(join), join);
  }

  post({ messages, told }: Posting): void {
    for (const message of messages) this.#messages.set(message.id, message);
    for (const [jobId, known] of told) this.#told.set(jobId, known);
    // A power cut that undid this after the message went out would have it sent again under another id.
    if (messages.length > 0) this.#urgent = true;
  }

  settle(ids: readonly string[]): void {
    for (const id of ids) {
      this.#messages.delete(id);
      this.#settled.add(id);
    }
  }

  setReplay(replay: Replay, slots = this.#replays.get(replay.id)?.slots): void {
    this.#replays.set(replay.id, { replay, slots });
    // Who asked for it is told that it goes on whatever happens.
    if (slots !== undefined) this.#urgent = true;
  }

  /** Takes in what was decided after it. */
  append(later: Batch): void {
    this.claim([...later.#claims.values()], later.#skips, later.#undecided);
    for (const run of later.#saves.values()) this.save(run);
    this.place({ placed: later.#placed, gone: [...later.#gone] });
    for (const [jobId, pause] of later.#pauses) this.#pauses.set(jobId, pause);
    for (const [jobId, job] of later.#added) this.setAdded(jobId, job ?? undefined);
    for (const request of later.#requests.values()) this.keepRequest(request);
    this.join([...later.#joins.values()]);
    this.post({ messages: [...later.#messages.values()], told: later.#told });
    this.settle([...later.#settled]);
    for (const { replay, slots } of later.#replays.values()) this.setReplay(replay, slots);
  }

  /** Drops the oldest finished runs and skips beyond `most` rows. Gives how many. */
  shed(most: number): number {
    const before = this.size;
    for (const runs of [this.#saves, this.#claims]) {
      for (const [id, { state }] of runs) {
        if (this.size <= most) break;
        if (state === 'finished') runs.delete(id);
      }
    }
    if (this.size > most) this.#skips = this.#skips.slice(Math.min(this.size - most, this.#skips.length));
    return before - this.size;
  }

  get data(): BatchData {
    return {
      claims: [...this.#claims.values()],
      saves: [...this.#saves.values()],
      skips: this.#skips,
      undecided: [...this.#undecided],
      placed: [...this.#placed],
      gone: [...this.#gone],
      pauses: [...this.#pauses],
      added: [...this.#added],
      requests: [...this.#requests.values()],
      joins: [...this.#joins.values()],
      messages: [...this.#messages.values()],
      settled: [...this.#settled],
      told: [...this.#told],
      replays: [...this.#replays.values()],
      urgent: this.#urgent,
    };
  }
}

function isBeginning({ state, attempts }: Pick<RunRecord, 'state' | 'attempts'>): boolean {
  return state === 'running' && attempts.at(-1)?.pid === undefined;
}

/** What `halves` deals out, in the order of its writing. */
const LISTS = [
  'claims',
  'saves',
  'skips',
  'gone',
  'placed',
  'pauses',
  'added',
  'requests',
  'joins',
  'messages',
  'settled',
  'told',
  'replays',
] as const;

/** The same in two batches, one to be recorded after the other; undefined when there is nothing to part. */
export function halves(data: BatchData): readonly [BatchData, BatchData] | undefined {
  const total = LISTS.reduce((sum, name) => sum + data[name].length, 0);
  if (total < 2) return undefined;
  let room = Math.floor(total / 2);
  const [first, second]: [Partial<BatchData>, Partial<BatchData>] = [{}, {}];
  for (const name of LISTS) {
    Object.assign(first, { [name]: data[name].slice(0, room) });
    Object.assign(second, { [name]: data[name].slice(room) });
    room = Math.max(room - data[name].length, 0);
  }
  return [
    { ...data, ...first },
    { ...data, ...second },
  ];
}
