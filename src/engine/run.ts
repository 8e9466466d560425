import type {
  AttemptRecord,
  CancelledBy,
  Duration,
  Instant,
  JobDefinition,
  Outcome,
  RunRecord,
  RunState,
} from '../model.ts';
import { nextAttempt } from '../schedule/retry.ts';
import type { Alarm, Ticket } from './alarm.ts';
import type {
  AttemptHandle,
  AttemptReport,
  AttemptSpec,
  Clock,
  EngineEvent,
  Executor,
  Store,
} from './ports.ts';

const NONE: readonly never[] = [];

/** What a run needs of the engine. */
export interface RunSurroundings<Turn> {
  readonly clock: Clock;
  readonly alarm: Alarm;
  readonly executor: Executor;
  readonly store: Store;
  readonly random: () => number;
  /** Nothing new starts any more, not even another attempt. */
  readonly closing: boolean;
  emit(event: EngineEvent): void;
  /** Hands a report to the run when the starts under way are done: nothing delays a start, no report re-enters one. */
  reported(run: ActiveRun<Turn>, attempt: number, report: AttemptReport): void;
  /** Records a state that the store did not take; the run goes on. */
  storeFailed(error: unknown): void;
  /** The run is over: its record is final. */
  released(run: ActiveRun<Turn>): void;
}

/**
 * One run on its way: claimed, then attempt after attempt, until an outcome is final. The definition is the one it
 * began with, whatever the file says meanwhile. Read from top to bottom, this is a run's life:
 *
 *   start ─▶ #attempt ─▶ #underWay ─▶ #over ─┬▶ #finish
 *               ▲                            │
 *               └────────── #retry ◀─────────┘
 */
export class ActiveRun<Turn = unknown> {
  /** What it was started for; the engine's business. */
  readonly turn: Turn;
  readonly definition: JobDefinition;
  /** The record as it was claimed; `record` tells how it stands. */
  readonly claim: RunRecord;
  /** Its place among all runs, kept by their list. */
  place = -1;
  readonly #around: RunSurroundings<Turn>;
  #state: RunState = 'claimed';
  #attempts: readonly AttemptRecord[] = NONE;
  #ending: Pick<RunRecord, 'finishedAt' | 'outcome'> | undefined;
  #retryAt: Instant | undefined;
  #handle: AttemptHandle | undefined;
  #deadline: Ticket | undefined;
  #retryTicket: Ticket | undefined;
  #attemptBegan: Duration = 0;
  #cancelled: CancelledBy | undefined;

  constructor(
    around: RunSurroundings<Turn>,
    run: { turn: Turn; definition: JobDefinition; claim: RunRecord },
  ) {
    this.#around = around;
    this.turn = run.turn;
    this.definition = run.definition;
    this.claim = run.claim;
  }

  get state(): RunState {
    return this.#state;
  }

  /** A snapshot. */
  get record(): RunRecord {
    const record = { ...this.claim, state: this.#state, attempts: this.#attempts, ...this.#ending };
    return this.#retryAt === undefined ? record : { ...record, retryAt: this.#retryAt };
  }

  /** Begins the first attempt, unless it was cancelled meanwhile. Call once, after the slot's claim is recorded. */
  start(): void {
    if (this.#cancelled === undefined) this.#attempt();
  }

  /** Records what became of the start: after the starts of its tick, before their reports. */
  saveBegun(): void {
    if (this.#state === 'running') this.#save();
    else if (this.#cancelled !== undefined) this.#finish({ kind: 'cancelled', by: this.#cancelled });
  }

  /** Lets go of a slot that turned out to be claimed by another: this run never was. */
  withdraw(): void {
    if (this.#state !== 'claimed') return;
    this.#state = 'finished';
    this.#around.released(this);
  }

  /**
   * Ends the run as soon as its processes allow. The first reason given is the one recorded. While its claim is under
   * way nobody knows yet whose slot it is: then it ends, unstarted, when the claim is settled.
   */
  cancel(by: CancelledBy): void {
    this.#cancelled ??= by;
    if (this.#state === 'running') this.#handle?.stop({ kind: 'cancelled', by });
    else if (this.#state === 'retrying') this.#finish({ kind: 'cancelled', by: this.#cancelled });
  }

  /** Like `cancel`, but a running attempt ends at once, by KILL. */
  kill(by: CancelledBy): void {
    if (this.#state !== 'running') return this.cancel(by);
    this.#cancelled ??= by;
    this.#handle?.kill({ kind: 'cancelled', by });
  }

  /** The wall clock was set back: a retry that waits keeps its delay, not its reading. */
  clockSetBack(by: Duration): void {
    if (this.#state === 'retrying' && this.#retryAt !== undefined) this.#waitUntil(this.#retryAt + by);
  }

  #again(): void {
    this.#around.emit({ kind: 'retry_begun', run: this.record, attempt: this.#attempts.length + 1 });
    this.#attempt();
    this.#save();
  }

  #attempt(): void {
    const { clock, alarm, executor } = this.#around;
    const { timeout } = this.definition.policy;
    const number = this.#attempts.length + 1;
    this.#state = 'running';
    this.#retryAt = undefined;
    const attempt = { number, startedAt: clock.now() };
    this.#attempts = number === 1 ? [attempt] : [...this.#attempts, attempt];
    this.#attemptBegan = clock.monotonic();
    this.#handle = executor.start(this.#spec(number), (report) =>
      this.#around.reported(this, number, report),
    );
    if (timeout !== undefined) {
      const wake = (): void => this.#handle?.stop({ kind: 'timed_out', after: timeout });
      this.#deadline = alarm.after(timeout, { wake });
    }
  }

  #spec(attempt: number): AttemptSpec {
    const { definition } = this;
    const { id, jobId, scheduledAt, cause } = this.claim;
    const { successExitCodes, killSignal, killAfter } = definition.policy;
    return {
      runId: id,
      jobId,
      attempt,
      scheduledAt,
      cause: attempt > 1 ? 'retry' : cause,
      previousSuccessAt: this.#around.store.previousSuccess(jobId),
      task: definition.task,
      surroundings: definition.surroundings,
      output: definition.output,
      successExitCodes,
      killSignal,
      killAfter,
    };
  }

  /** Takes a report of attempt `number`. */
  take(number: number, report: AttemptReport): void {
    // Late reports of an older attempt change nothing.
    if (this.#state !== 'running' || this.#attempts.length !== number) return;
    if (report.kind === 'started') this.#underWay(number, report.pid);
    else this.#over(number, report.outcome);
  }

  #underWay(attempt: number, pid: number | undefined): void {
    const known = pid === undefined ? {} : { pid };
    this.#amend(known);
    this.#around.emit({ kind: 'attempt_started', run: this.record, attempt, ...known });
  }

  #over(attempt: number, outcome: Outcome): void {
    const { clock, alarm } = this.#around;
    alarm.cancel(this.#deadline);
    const duration = Math.max(clock.monotonic() - this.#attemptBegan, 0);
    this.#amend({ finishedAt: clock.now(), duration, outcome });
    this.#around.emit({ kind: 'attempt_ended', run: this.record, attempt, outcome, duration });
    if (this.#cancelled !== undefined && outcome.kind !== 'succeeded') {
      this.#finish({ kind: 'cancelled', by: this.#cancelled });
      return;
    }
    const next = nextAttempt(this.definition.policy.retry, { attempt, outcome }, this.#around.random);
    if (next.kind === 'finish') this.#finish(outcome);
    else if (this.#around.closing) this.#finish({ kind: 'cancelled', by: 'shutdown' });
    else {
      // A step back that nobody has noticed yet would later be taken off a time that already counts from after it.
      alarm.ring();
      if (this.#cancelled === undefined) this.#retry(attempt, clock.now() + next.delay);
      else this.#finish({ kind: 'cancelled', by: this.#cancelled });
    }
  }

  #retry(attempt: number, at: Instant): void {
    this.#waitUntil(at);
    this.#around.emit({ kind: 'retry_scheduled', run: this.record, attempt: attempt + 1, at });
  }

  #waitUntil(retryAt: Instant): void {
    const { alarm } = this.#around;
    alarm.cancel(this.#retryTicket);
    this.#state = 'retrying';
    this.#retryAt = retryAt;
    this.#retryTicket = alarm.at(retryAt, { wake: () => this.#again() });
    this.#save();
  }

  #finish(outcome: Outcome): void {
    if (this.#state === 'finished') return;
    const { alarm, clock } = this.#around;
    alarm.cancel(this.#deadline);
    alarm.cancel(this.#retryTicket);
    this.#state = 'finished';
    this.#retryAt = undefined;
    this.#ending = { finishedAt: clock.now(), outcome };
    this.#save();
    this.#around.emit({ kind: 'run_finished', run: this.record, outcome, definition: this.definition });
    this.#around.released(this);
  }

  #amend(change: Partial<AttemptRecord>): void {
    const last = this.#attempts.at(-1);
    if (last !== undefined) this.#attempts = [...this.#attempts.slice(0, -1), { ...last, ...change }];
  }

  #save(): void {
    this.#around.store.save(this.record).catch((error: unknown) => this.#around.storeFailed(error));
  }
}
