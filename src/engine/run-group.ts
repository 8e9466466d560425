import type {
  AttemptRecord,
  CancelledBy,
  Duration,
  JobDefinition,
  Outcome,
  RunRecord,
  RunState,
  ShardRecord,
} from '../model.ts';
import { jointOutcome, jointRetry, jointState, shardOf, shardRun } from '../schedule/joint.ts';
import type { AnyRun } from './any-run.ts';
import { claimAgain, inShards, shardsOf } from './claim.ts';
import type { ArmedJob, TurnOf } from './job.ts';
import type { Demand } from './pools.ts';
import type { EngineEvent } from './ports.ts';
import type { RunSurroundings } from './run-surroundings.ts';
import { ActiveRun } from './run.ts';
import type { Turnstile } from './turnstile.ts';

type Part = ActiveRun<TurnOf>;

const NONE: readonly never[] = [];

function isWaiting({ state }: Part): boolean {
  return state === 'waiting';
}

/** What a run in parts needs of the engine. */
export interface GroupSurroundings extends Omit<RunSurroundings<Part>, 'released'> {
  readonly turnstile: Turnstile;
  released(run: AnyRun<TurnOf>): void;
}

/**
 * One run in parts (`shards`, `matrix`): one slot, one claim, one row of the history, one outcome. Each part goes its own way from
 * its place among limits to its end, as any run does. Whatever becomes of a part is saved with the whole, so that the end of the last
 * one and the joint outcome are there together, or neither. The whole takes nothing of limits: its parts do.
 */
export class RunGroup implements AnyRun<TurnOf> {
  readonly turn: TurnOf;
  readonly definition: JobDefinition;
  place = -1;
  holds: readonly Demand[] = NONE;
  readonly #around: GroupSurroundings;
  readonly #ofParts: RunSurroundings<Part>;
  /** Those that are not over, by index. */
  readonly #active = new Map<number, Part>();
  /** All, as they are saved. */
  readonly #shards = new Map<number, ShardRecord>();
  #ending: Pick<RunRecord, 'finishedAt' | 'outcome'> | undefined;
  #claim: RunRecord;
  #isTold = false;
  /** Its slot is another's. */
  #isWithdrawn = false;

  constructor(
    around: GroupSurroundings,
    { turn, definition, claim }: { turn: TurnOf; definition: JobDefinition; claim: RunRecord },
  ) {
    this.#around = around;
    this.turn = turn;
    this.definition = definition;
    this.#claim = claim;
    this.#ofParts = this.#aroundParts();
    for (const shard of claim.shards ?? NONE) this.#shards.set(shard.index, shard);
  }

  /** Has each part take its place among limits, or in their lines. Call it once, before the claim is recorded. */
  seat(): this {
    const { turnstile } = this.#around;
    const parts = Array.from(this.#shards.keys(), (index) => {
      const isWaiting = turnstile.mustWait(this);
      const part = this.#part(index, isWaiting ? 'waiting' : 'claimed');
      if (!isWaiting) turnstile.take(part);
      return part;
    });
    for (const part of parts) this.#note(part.record);
    // Others hear of one of them: of a hundred that wait it is all the same.
    for (const [index, part] of parts.filter(isWaiting).entries()) turnstile.stand(part, index === 0);
    this.#claim = this.record;
    return this;
  }

  /** The record as it was claimed. */
  get claim(): RunRecord {
    return this.#claim;
  }

  get state(): RunState {
    return this.#isWithdrawn ? 'finished' : jointState([...this.#shards.values()]);
  }

  /** A snapshot. */
  get record(): RunRecord {
    const shards = [...this.#shards.values()];
    const { state } = this;
    if (state === 'finished' && !this.#isWithdrawn) this.#ending ??= endOf(shards);
    const retryAt = state === 'retrying' ? jointRetry(shards) : undefined;
    return { ...this.claim, state, shards, ...this.#ending, ...(retryAt !== undefined && { retryAt }) };
  }

  start(): void {
    for (const part of this.#parts()) {
      part.start();
      this.#note(part.record);
    }
  }

  settleClaim(): void {
    for (const part of this.#parts()) part.settleClaim();
  }

  withdraw(): void {
    this.#isWithdrawn = true;
    for (const part of this.#parts()) part.withdraw();
  }

  /** Cancels every part that is not over. */
  cancel(by: CancelledBy, how?: 'stop' | 'kill'): void {
    for (const part of this.#lastFirst()) part.cancel(by, how);
  }

  abandon(): void {
    for (const part of this.#parts()) part.abandon();
  }

  clockSetBack(by: Duration): void {
    for (const part of this.#parts()) part.clockSetBack(by);
  }

  async takeUp(record: RunRecord): Promise<void> {
    const { turnstile } = this.#around;
    const isActive = this.state === 'running' || this.state === 'claimed';
    this.#around.emit({ kind: 'run_recovered', run: this.record, found: isActive ? 'running' : 'waiting' });
    const reportsStart = this.#around.executor.reportsStart === true;
    this.#isTold = (record.shards ?? NONE).some(({ attempts: [first] }) => hasBegun(first, reportsStart));
    const open = (record.shards ?? NONE).filter(({ state }) => state !== 'finished');
    const parts = open.map(({ index }) => this.#part(index, 'claimed'));
    await Promise.all(
      parts.map((part) => {
        const known = shardRun(record, part.claim.shard?.index ?? 0) ?? record;
        if (known.state !== 'waiting') turnstile.take(part);
        const takenUp = part.takeUp(known);
        if (isWaiting(part)) turnstile.stand(part, false);
        return takenUp;
      }),
    );
  }

  #part(index: number, state: 'claimed' | 'waiting'): Part {
    const { turn, definition } = this;
    const whole = shardRun(this.claim, index) ?? this.claim;
    const claim = { ...claimAgain(whole), state, ...(whole.shard !== undefined && { shard: whole.shard }) };
    const part = new ActiveRun<TurnOf>(this.#ofParts, { turn, definition, claim });
    this.#active.set(index, part);
    return part;
  }

  #parts(): Part[] {
    return [...this.#active.values()];
  }

  /** Those that wait come first: what the others give back is not for them. */
  #lastFirst(): Part[] {
    const parts = this.#parts();
    return [...parts.filter(isWaiting), ...parts.filter((part) => !isWaiting(part))];
  }

  /** What parts find around them: they are saved, told of and released as parts of the whole. */
  #aroundParts(): RunSurroundings<Part> {
    const around = this.#around;
    const { clock, alarm, random, abandonment } = around;
    return {
      clock,
      alarm,
      random,
      abandonment,
      get executor() {
        return around.executor;
      },
      get closing() {
        return around.closing;
      },
      store: {
        durable: around.store.durable,
        previousSuccess: (jobId) => around.store.previousSuccess(jobId),
        save: (record) => {
          this.#note(record);
          return around.store.save(this.record);
        },
      },
      emit: (event) => this.#tell(event),
      reported: (part, attempt, report) => around.reported(part, attempt, report),
      storeFailed: (error) => around.storeFailed(error),
      released: (part) => this.#released(part),
      left: () => around.left(),
    };
  }

  #note(record: RunRecord): void {
    const shard = shardOf(record);
    this.#shards.set(shard.index, shard);
  }

  /** Those who watch hear of parts as such, and of the whole when the first one begins. */
  #tell(event: EngineEvent): void {
    const change = CHANGES[event.kind];
    if (change === undefined || !('run' in event)) return;
    const run = this.record;
    if (change === 'started' && !this.#isTold) {
      this.#isTold = true;
      this.#around.emit({ kind: 'attempt_started', run, attempt: 1 });
    }
    this.#around.emit({ kind: 'shard_changed', run, shard: shardOf(event.run), change });
  }

  #released(part: Part): void {
    const { turnstile, closing, store } = this.#around;
    turnstile.release(part);
    this.#active.delete(part.claim.shard?.index ?? 0);
    if (this.#active.size === 0) return this.#over();
    turnstile.settle();
    if (!closing) return;
    // Those that do not run come to no turn any more, and no later daemon will know of them.
    if (!store.durable)
      for (const other of this.#parts()) if (other.state !== 'running') other.cancel('shutdown');
    this.#around.left();
  }

  /** While the daemon stops, a part may have been left as it was. */
  #over(): void {
    const { record } = this;
    const { outcome } = record;
    if (!this.#isWithdrawn && outcome !== undefined) {
      this.#around.emit({ kind: 'run_finished', run: record, outcome, definition: this.definition });
    }
    this.#around.released(this);
  }
}

/** Where attempts may wait for a node, one is known to have begun by its node, or by how long it took. */
function hasBegun(first: AttemptRecord | undefined, reportsStart: boolean): boolean {
  if (first === undefined || !reportsStart) return first !== undefined;
  return first.node !== undefined || first.duration !== undefined;
}

const CHANGES: Partial<
  Record<EngineEvent['kind'], Extract<EngineEvent, { kind: 'shard_changed' }>['change']>
> = {
  attempt_started: 'started',
  attempt_ended: 'attempt_ended',
  retry_scheduled: 'retry_scheduled',
  run_finished: 'finished',
};

function endOf(shards: readonly ShardRecord[]): Required<Pick<RunRecord, 'finishedAt' | 'outcome'>> {
  const finishedAt = Math.max(...shards.map((shard) => shard.finishedAt ?? 0));
  const outcome: Outcome = jointOutcome(shards);
  return { finishedAt, outcome };
}

/** A run that an earlier daemon left, as it was claimed then; `takeUp` tells it how far it came. */
export function runOfEarlier(
  around: GroupSurroundings & RunSurroundings<Part>,
  job: ArmedJob,
  record: RunRecord,
): ActiveRun<TurnOf> | RunGroup {
  const { scheduledAt, cause, claimedAt } = record;
  const turn = { job, slot: scheduledAt, dueAt: claimedAt, caughtUp: cause === 'catch_up' };
  const about = { turn, definition: job.definition, claim: claimAgain(record) };
  return record.shards === undefined ? new ActiveRun<TurnOf>(around, about) : new RunGroup(around, about);
}

/** The run of a claim, in parts if its job has some; one that is refused has none. */
export function runOfClaim(
  around: GroupSurroundings,
  run: { turn: TurnOf; definition: JobDefinition; claim: RunRecord; refusal: Outcome | undefined },
): AnyRun<TurnOf> {
  const shards = run.refusal === undefined ? shardsOf(run.turn) : undefined;
  if (shards === undefined) return new ActiveRun<TurnOf>(around, run);
  return new RunGroup(around, { ...run, claim: inShards(run.claim, shards) }).seat();
}
