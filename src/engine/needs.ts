import type { Duration, Instant, JobDefinition, JobId, Outcome, RunRecord, Upstream } from '../model.ts';
import { need, type NeededJob } from '../schedule/need.ts';
import type { Ticket } from './alarm.ts';
import type { Followers } from './followers.ts';
import type { ArmedJob, SlotDesk, TurnOf } from './job.ts';
import type { EngineEvent, Store } from './ports.ts';
import { upstreamOf } from './upstream.ts';

const NONE: readonly never[] = [];

/** How long a set of jobs waits for what the store knows, and from one question to the next where it fails. */
const PATIENCE: Duration = 2000;

/** Who acts on what is decided here. */
export interface NeedDesk extends SlotDesk {
  readonly store: Store;
  readonly closing: boolean;
  readonly jobs: ReadonlyMap<JobId, ArmedJob>;
  readonly followers: Pick<Followers, 'isLoading' | 'isDueBy'>;
  emit(event: EngineEvent): void;
  storeFailed(error: unknown): void;
  /** Hands over what is decided. */
  commit(): void;
  /** Goes on with a slot that has what it needs, or must do without. */
  begin(turn: TurnOf): void;
  /** A slot that waited in vain. `failed`: it becomes a run that failed; else a skip. */
  unmet(turn: TurnOf, failed: Outcome | undefined): void;
}

interface Last extends Upstream {
  readonly scheduledAt: Instant;
}

/**
 * The jobs that need others to have succeeded. A slot that must wait is not claimed: its job's place stays before it, so that a daemon
 * after this one comes to it again.
 */
export class Needs {
  readonly #desk: NeedDesk;
  /** Of jobs that are needed: how the newest run ended. */
  readonly #last = new Map<JobId, Last>();
  readonly #needed = new Set<JobId>();
  /** Slots that wait, with the entry that ends that. */
  readonly #held = new Map<TurnOf, Ticket>();
  /** By the jobs that they need. */
  #waiting = new Map<JobId, Set<TurnOf>>();
  /** Jobs of which something became. */
  #stirred = new Set<JobId>();
  #areAllStirred = false;

  constructor(desk: NeedDesk) {
    this.#desk = desk;
  }

  /**
   * Learns how the jobs stand that these need. Never rejects, nor waits long: what cannot be read yet is unknown until it can be.
   */
  async learn(definitions: readonly JobDefinition[]): Promise<void> {
    const fresh = new Set<JobId>();
    for (const { needs } of definitions)
      for (const jobId of needs?.jobs ?? []) if (!this.#needed.has(jobId)) fresh.add(jobId);
    if (fresh.size === 0) return;
    // First, so that no end is missed meanwhile.
    for (const jobId of fresh) this.#needed.add(jobId);
    const { alarm } = this.#desk;
    const { promise: late, resolve: wake } = Promise.withResolvers<void>();
    const ticket = alarm.after(PATIENCE, { wake });
    await Promise.race([this.#ask([...fresh]), late]);
    alarm.cancel(ticket);
  }

  async #ask(jobIds: readonly JobId[], isAgain = false): Promise<void> {
    const { store, alarm } = this.#desk;
    try {
      for (const run of await store.latest(jobIds)) this.#take(run);
    } catch (error) {
      if (!isAgain) this.#desk.storeFailed(error);
      alarm.after(PATIENCE, { wake: () => void this.#ask(jobIds, true) });
      return;
    }
    for (const jobId of jobIds) this.stir(jobId);
    if (this.#stirred.size > 0) this.#desk.commit();
  }

  isNeeded(jobId: JobId): boolean {
    return this.#needed.has(jobId);
  }

  /** A run is over. */
  ended(run: RunRecord): void {
    if (!this.#needed.has(run.jobId) || run.outcome === undefined) return;
    this.#take(run);
    this.#stirred.add(run.jobId);
  }

  /** A slot of the job came to nothing. */
  stir(jobId: JobId): void {
    if (this.#waiting.has(jobId)) this.#stirred.add(jobId);
  }

  /** A set of jobs has its places: each slot may need others now. */
  stirAll(): void {
    this.#areAllStirred = true;
    this.#waiting = new Map();
    for (const turn of this.#held.keys()) this.#awaitAll(turn);
  }

  /** Whether the slot has to wait; then it will be begun, or given up, later. */
  holds(turn: TurnOf): boolean {
    const { needs } = turn.job.definition;
    return needs !== undefined && turn.needed === undefined && this.#hold(turn, needs);
  }

  #hold(turn: TurnOf, needs: NonNullable<JobDefinition['needs']>): boolean {
    const { id } = turn.job.definition;
    const verdict = need(this.#standings(turn));
    if (verdict.kind === 'start' && !this.#desk.followers.isLoading) return false;
    const deadline = (turn.caughtUp ? this.#desk.clock.now() : turn.dueAt) + needs.timeout;
    const wake = (): void => this.#expire(turn);
    const ticket = this.#desk.alarm.at(deadline, { wake }, turn.job.definition.policy.priority);
    this.#held.set(turn, ticket);
    this.#awaitAll(turn);
    turn.job.held = [...turn.job.held, turn];
    const jobs = verdict.kind === 'wait' ? verdict.for : needs.jobs;
    this.#desk.emit({ kind: 'run_waiting', jobId: id, scheduledAt: turn.slot, reason: 'dependency', jobs });
    return true;
  }

  /** What the slot needs, as it stands, for the run that begins. */
  met(turn: TurnOf): readonly Upstream[] {
    const { needs } = turn.job.definition;
    return (needs?.jobs ?? []).map((jobId) => {
      const { scheduledAt: _, ...last } = this.#last.get(jobId) ?? {
        jobId,
        outcome: 'skipped',
        scheduledAt: 0,
      };
      return last;
    });
  }

  /** Begins what has what it needs by now. */
  settle(): void {
    if (
      this.#desk.closing ||
      this.#desk.followers.isLoading ||
      (this.#stirred.size === 0 && !this.#areAllStirred)
    )
      return;
    const turns = new Set(this.#areAllStirred ? this.#held.keys() : NONE);
    for (const jobId of this.#stirred) for (const turn of this.#waiting.get(jobId) ?? NONE) turns.add(turn);
    this.#stirred = new Set();
    this.#areAllStirred = false;
    for (const turn of turns) {
      const isMet = need(this.#standings(turn)).kind === 'start';
      if (isMet && this.release(turn)) this.#desk.begin({ ...turn, needed: this.met(turn) });
    }
  }

  /** The slot does not wait any more. False: it did not. */
  release(turn: TurnOf): boolean {
    const ticket = this.#held.get(turn);
    if (ticket === undefined) return false;
    this.#held.delete(turn);
    this.#desk.alarm.cancel(ticket);
    for (const jobId of turn.job.definition.needs?.jobs ?? []) {
      const waiting = this.#waiting.get(jobId);
      if (waiting?.delete(turn) === true && waiting.size === 0) this.#waiting.delete(jobId);
    }
    turn.job.held = turn.job.held.filter((other) => other !== turn);
    return true;
  }

  #awaitAll(turn: TurnOf): void {
    for (const jobId of turn.job.definition.needs?.jobs ?? []) {
      const waiting = this.#waiting.get(jobId) ?? new Set();
      this.#waiting.set(jobId, waiting.add(turn));
    }
  }

  #expire(turn: TurnOf): void {
    if (this.#desk.closing) return;
    const missing = need(this.#standings(turn));
    if (!this.release(turn)) return;
    const failed = turn.job.definition.needs?.failed ?? 'skip';
    if (failed === 'run' || missing.kind === 'start')
      return this.#desk.begin({ ...turn, needed: this.met(turn) });
    const message = `it waited in vain for ${missing.for.join(', ')} to succeed`;
    const outcome = { kind: 'not_started', message } as const;
    this.#desk.unmet({ ...turn, needed: this.met(turn) }, failed === 'fail' ? outcome : undefined);
  }

  #standings({ job, slot }: TurnOf): NeededJob[] {
    return (job.definition.needs?.jobs ?? []).map((jobId) => ({
      jobId,
      isToCome: this.#desk.followers.isDueBy(jobId, slot),
      last: this.#last.get(jobId),
    }));
  }

  #take(run: RunRecord): void {
    const { jobId, scheduledAt, outcome, cause } = run;
    const end = upstreamOf(run);
    const known = this.#last.get(jobId);
    const isOlder = known !== undefined && scheduledAt < known.scheduledAt;
    // Who tries something out by hand, and fails, has not undone what was done.
    if (end === undefined || isOlder || (isAside(cause) && outcome?.kind !== 'succeeded')) return;
    this.#last.set(jobId, { ...end, scheduledAt });
  }
}

function isAside(cause: RunRecord['cause']): boolean {
  return cause === 'manual' || cause === 'replay';
}
