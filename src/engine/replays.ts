import type { Instant, JobId, RunRecord } from '../model.ts';
import { REPLAYS_KEPT, type Replay, type ReplayId, type ReplayWithSlots } from '../replay.ts';
import { activeOf, mostParallel, moved, takenUp } from '../schedule/replay.ts';
import type { Abandonment } from './abandonment.ts';
import type { Alarm, Ticket } from './alarm.ts';
import type { ArmedJob } from './job.ts';
import type { ReplayPlanned, ReplayView } from './ports-replays.ts';
import type { Clock, EngineEvent, Store } from './ports.ts';

/** What replays need of the desk. */
export interface ReplayDesk {
  readonly clock: Clock;
  readonly alarm: Alarm;
  readonly store: Store;
  readonly closing: boolean;
  readonly abandonment: Abandonment;
  newId(at: Instant): ReplayId;
  emit(event: EngineEvent): void;
  storeFailed(error: unknown): void;
  /** Whether a run of the job could start now without standing in line. */
  hasRoom(job: ArmedJob): boolean;
  /** Has the slot claimed within this call, and starts its run once that is recorded. */
  startReplayed(job: ArmedJob, slot: Instant, id: ReplayId): void;
}

type Obstacle = ReplayView['waitsFor'];

interface Batch {
  replay: Replay;
  slots: readonly Instant[];
  /** Looks again when a pause ends by itself. */
  resume: { readonly at: Instant; readonly ticket: Ticket } | undefined;
}

/**
 * Lets the slots of replays become runs, each after the other. They come after all else: one starts only when nothing of its job runs
 * or waits that may not run beside it, and nobody stands in line for what it takes. What is claimed, and what has ended, is recorded
 * together with how far the replay is: whatever becomes of this daemon, the next one goes on from there.
 */
export class Replays {
  readonly #desk: ReplayDesk;
  readonly #jobs: (id: JobId) => ArmedJob | undefined;
  /** Oldest first. */
  readonly #all = new Map<ReplayId, Batch>();
  /** Those that have slots left; who has started one goes to the end. */
  #line: Batch[] = [];
  #isOpen = false;

  constructor(desk: ReplayDesk, jobs: (id: JobId) => ArmedJob | undefined) {
    this.#desk = desk;
    this.#jobs = jobs;
  }

  /** Takes up what an earlier daemon left; `unfinished` are all runs that are not over. Nothing starts before `open`. */
  load(known: readonly ReplayWithSlots[], unfinished: readonly RunRecord[]): void {
    const open = Map.groupBy(unfinished, ({ replay }) => replay);
    for (const { replay, slots } of known) {
      const own = (open.get(replay.id) ?? []).map(({ scheduledAt }) => scheduledAt);
      const stands = replay.state === 'active' ? takenUp(replay, slots, own) : replay;
      const batch: Batch = { replay: stands, slots, resume: undefined };
      this.#all.set(replay.id, batch);
      if (replay.state !== 'active') continue;
      this.#line.push(batch);
      this.#move(batch, {});
    }
  }

  /** Jobs are armed: from now on slots are started. */
  open(): void {
    this.#isOpen = true;
    this.advance();
  }

  /**
   * Begins a replay of these slots, in their order. Resolves when it is recorded: then it goes on whatever happens. Rejects with
   * EngineAbandoned where the engine is abandoned before that.
   */
  async begin(plan: ReplayPlanned['plan']): Promise<Replay> {
    const { slots, ...asked } = plan;
    const now = this.#desk.clock.now();
    const counts = { total: slots.length, begun: 0, succeeded: 0, failed: 0 };
    const replay: Replay = { id: this.#desk.newId(now), ...asked, askedAt: now, ...counts, state: 'active' };
    const batch: Batch = { replay, slots, resume: undefined };
    this.#all.set(replay.id, batch);
    this.#line.push(batch);
    this.#forgetOldest();
    this.#desk.emit({ kind: 'replay_begun', replay });
    const saved = this.#save(replay, slots);
    this.advance();
    await this.#desk.abandonment.orReject(saved);
    return batch.replay;
  }

  /** Nothing of it starts any more, and its active runs are cancelled. Undefined: there is no such replay, or it is over. */
  cancel(id: ReplayId): Replay | undefined {
    const batch = this.#all.get(id);
    if (batch?.replay.state !== 'active' || this.#desk.abandonment.isOver) return undefined;
    this.#end(batch, { ...batch.replay, state: 'cancelled', endedAt: this.#desk.clock.now() });
    void this.#save(batch.replay);
    const runs = this.#jobs(batch.replay.jobId)?.active ?? [];
    for (const run of runs.filter(({ claim }) => claim.replay === id)) run.cancel('operator');
    return batch.replay;
  }

  /** Newest first. */
  list(): readonly ReplayView[] {
    return Array.from(this.#all.values(), (batch) => ({
      replay: batch.replay,
      waitsFor: this.#obstacle(batch),
    })).reverse();
  }

  /** Starts what can be started now. To be called whenever a run has ended, and when a job is loaded or resumed. */
  advance(): void {
    if (!this.#isOpen || this.#line.length === 0) return;
    for (let started = true; started;) {
      started = false;
      for (const batch of this.#line.slice()) started = this.#startNext(batch) || started;
    }
  }

  /** A run of a replay is over, or was none: its slot had been claimed before. */
  ended({ replay: id = '', outcome }: RunRecord): void {
    const batch = this.#all.get(id);
    if (batch === undefined) return;
    const { succeeded, failed } = batch.replay;
    this.#move(batch, outcome?.kind === 'succeeded' ? { succeeded: succeeded + 1 } : { failed: failed + 1 });
  }

  #startNext(batch: Batch): boolean {
    const { replay, slots } = batch;
    const slot = slots[replay.begun];
    const job = this.#jobs(replay.jobId);
    if (slot === undefined || job === undefined || this.#desk.closing) return false;
    if (this.#obstacle(batch) !== undefined) {
      this.#awaitResume(batch, job);
      return false;
    }
    this.#line = [...this.#line.filter((other) => other !== batch), batch];
    // First, so that both are recorded together: see Store.setReplay.
    this.#desk.startReplayed(job, slot, replay.id);
    this.#move(batch, { begun: replay.begun + 1 });
    return true;
  }

  #obstacle({ replay }: Batch): Obstacle {
    if (replay.state !== 'active' || replay.begun === replay.total) return undefined;
    const job = this.#jobs(replay.jobId);
    if (job?.loaded !== true) return 'not_loaded';
    if (job.isPaused(this.#desk.clock.now())) return 'paused';
    const { active, waiting, inLine, held } = job;
    const beside = Math.max(mostParallel(job.definition.policy), 1);
    const isBusy = waiting.length + inLine.length + held.length > 0 || active.length >= beside;
    const isFull = activeOf(replay) >= replay.parallel;
    return isBusy || isFull || !this.#desk.hasRoom(job) ? 'turn' : undefined;
  }

  #awaitResume(batch: Batch, { pause }: ArmedJob): void {
    const at = pause?.until;
    if (at === batch.resume?.at) return;
    this.#desk.alarm.cancel(batch.resume?.ticket);
    const wake = (): void => this.advance();
    batch.resume = at === undefined ? undefined : { at, ticket: this.#desk.alarm.at(at, { wake }) };
  }

  #move(batch: Batch, change: Parameters<typeof moved>[1]): void {
    const next = moved(batch.replay, change, this.#desk.clock.now());
    if (next.state !== batch.replay.state) this.#end(batch, next);
    batch.replay = next;
    void this.#save(next);
  }

  #end(batch: Batch, replay: Replay): void {
    batch.replay = replay;
    batch.slots = [];
    this.#line = this.#line.filter((other) => other !== batch);
    this.#desk.alarm.cancel(batch.resume?.ticket);
    this.#desk.emit({ kind: 'replay_ended', replay });
  }

  #forgetOldest(): void {
    const over = [...this.#all.values()].filter(({ replay }) => replay.state !== 'active');
    for (const { replay } of over.slice(0, Math.max(over.length - REPLAYS_KEPT, 0)))
      this.#all.delete(replay.id);
  }

  /** Never rejects. */
  #save(replay: Replay, slots?: readonly Instant[]): Promise<void> {
    return this.#desk.store.setReplay(replay, slots).catch((error: unknown) => this.#desk.storeFailed(error));
  }
}
