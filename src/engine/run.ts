import type { AttemptRecord, CancelledBy, Duration, JobDefinition, Outcome, RunRecord } from '../model.ts';
import { nextAttempt } from '../schedule/retry.ts';
import type { Alarm, Ticket } from './alarm.ts';
import type {
  AttemptHandle,
  AttemptReport,
  Clock,
  EngineEvent,
  Executor,
  StopReason,
  Store,
} from './ports.ts';

/** What a run needs of the engine. */
export interface RunSurroundings {
  readonly clock: Clock;
  readonly alarm: Alarm;
  readonly executor: Executor;
  readonly store: Store;
  readonly random: () => number;
  emit(event: EngineEvent): void;
  /** Records a state that the store did not take; the run goes on. */
  storeFailed(error: unknown): void;
  /** The run is over: its record is final. */
  released(run: ActiveRun): void;
}

/**
 * One run on its way: claimed, then attempt after attempt, until an outcome is final. The definition is the one it
 * began with, whatever the file says meanwhile. Read from top to bottom, this is a run's life:
 *
 *   start ─▶ #attempt ─▶ #report(started) ─▶ #report(ended) ─┬▶ #finish
 *               ▲                                             │
 *               └───────────────── #retry ◀───────────────────┘
 */
export class ActiveRun {
  readonly definition: JobDefinition;
  #record: RunRecord;
  readonly #around: RunSurroundings;
  #handle: AttemptHandle | undefined;
  #deadline: Ticket | undefined;
  #retryTicket: Ticket | undefined;
  #attemptBegan: Duration = 0;
  #cancelled: CancelledBy | undefined;

  constructor(around: RunSurroundings, definition: JobDefinition, record: RunRecord) {
    this.#around = around;
    this.definition = definition;
    this.#record = record;
  }

  get record(): RunRecord {
    return this.#record;
  }

  /** Begins the first attempt. Call once, after the slot's claim is recorded. */
  start(): void {
    if (this.#record.state !== 'claimed') return;
    this.#attempt();
  }

  /** Lets go of a slot that turned out to be claimed by another: this run never was. */
  withdraw(): void {
    if (this.#record.state !== 'claimed') return;
    this.#record = { ...this.#record, state: 'finished' };
    this.#around.released(this);
  }

  /** Ends the run as soon as its processes allow. The first reason given is the one recorded. */
  cancel(by: CancelledBy): void {
    this.#cancelled ??= by;
    if (this.#record.state === 'running') this.#handle?.stop({ kind: 'cancelled', by });
    else this.#finish({ kind: 'cancelled', by: this.#cancelled });
  }

  /** Ends the run at once, by KILL. */
  kill(by: CancelledBy): void {
    this.#cancelled ??= by;
    if (this.#record.state === 'running') this.#handle?.kill({ kind: 'cancelled', by });
    else this.#finish({ kind: 'cancelled', by: this.#cancelled });
  }

  /** The wall clock was set back: a retry that waits keeps its delay, not its reading. */
  clockSetBack(by: Duration): void {
    const { retryAt } = this.#record;
    if (this.#record.state === 'retrying' && retryAt !== undefined) this.#waitUntil(retryAt + by);
  }

  #attempt(): void {
    const { clock, alarm, executor, store } = this.#around;
    const { definition } = this;
    const number = this.#record.attempts.length + 1;
    const attempt: AttemptRecord = { number, startedAt: clock.now() };
    const { retryAt: _waited, ...record } = this.#record;
    this.#record = { ...record, state: 'running', attempts: [...record.attempts, attempt] };
    this.#attemptBegan = clock.monotonic();
    this.#handle = undefined;
    const previousSuccessAt = store.previousSuccess(definition.id);
    const handle = executor.start(
      {
        runId: record.id,
        jobId: record.jobId,
        attempt: number,
        scheduledAt: record.scheduledAt,
        cause: number > 1 ? 'retry' : record.cause,
        ...(previousSuccessAt === undefined ? {} : { previousSuccessAt }),
        task: definition.task,
        surroundings: definition.surroundings,
        output: definition.output,
        successExitCodes: definition.policy.successExitCodes,
        killSignal: definition.policy.killSignal,
        killAfter: definition.policy.killAfter,
      },
      (report) => this.#report(number, report),
    );
    if (!this.#isCurrent(number)) return;
    this.#handle = handle;
    const { timeout } = definition.policy;
    if (timeout !== undefined) {
      this.#deadline = alarm.after(timeout, {
        wake: () => this.#stop({ kind: 'timed_out', after: timeout }),
      });
    }
    this.#save();
  }

  #stop(reason: StopReason): void {
    this.#handle?.stop(reason);
  }

  /** Whether attempt `number` is still under way; late reports of an older one change nothing. */
  #isCurrent(number: number): boolean {
    return this.#record.state === 'running' && this.#record.attempts.length === number;
  }

  #report(number: number, report: AttemptReport): void {
    if (!this.#isCurrent(number)) return;
    if (report.kind === 'started') {
      if (report.pid !== undefined) this.#amend({ pid: report.pid });
      const pid = report.pid === undefined ? {} : { pid: report.pid };
      this.#around.emit({ kind: 'attempt_started', run: this.#record, attempt: number, ...pid });
      return;
    }
    const { clock, alarm } = this.#around;
    alarm.cancel(this.#deadline);
    const duration = Math.max(clock.monotonic() - this.#attemptBegan, 0);
    this.#amend({ finishedAt: clock.now(), duration, outcome: report.outcome });
    this.#around.emit({
      kind: 'attempt_ended',
      run: this.#record,
      attempt: number,
      outcome: report.outcome,
      duration,
    });
    this.#decide(number, report.outcome);
  }

  #decide(attempt: number, outcome: Outcome): void {
    if (this.#cancelled !== undefined && outcome.kind !== 'succeeded') {
      this.#finish({ kind: 'cancelled', by: this.#cancelled });
      return;
    }
    const next = nextAttempt(this.definition.policy.retry, { attempt, outcome }, this.#around.random);
    if (next.kind === 'finish') this.#finish(outcome);
    else this.#retry(attempt, this.#around.clock.now() + next.delay);
  }

  #retry(attempt: number, at: number): void {
    this.#waitUntil(at);
    this.#around.emit({ kind: 'retry_scheduled', run: this.#record, attempt: attempt + 1, at });
  }

  #waitUntil(retryAt: number): void {
    const { alarm } = this.#around;
    alarm.cancel(this.#retryTicket);
    this.#record = { ...this.#record, state: 'retrying', retryAt };
    this.#retryTicket = alarm.at(retryAt, { wake: () => this.#attempt() });
    this.#save();
  }

  #finish(outcome: Outcome): void {
    if (this.#record.state === 'finished') return;
    const { alarm, clock } = this.#around;
    alarm.cancel(this.#deadline);
    alarm.cancel(this.#retryTicket);
    const { retryAt: _waited, ...record } = this.#record;
    this.#record = { ...record, state: 'finished', finishedAt: clock.now(), outcome };
    this.#save();
    this.#around.emit({ kind: 'run_finished', run: this.#record, outcome, definition: this.definition });
    this.#around.released(this);
  }

  #amend(change: Partial<AttemptRecord>): void {
    const { attempts } = this.#record;
    const last = attempts.at(-1);
    if (last === undefined) return;
    this.#record = { ...this.#record, attempts: [...attempts.slice(0, -1), { ...last, ...change }] };
  }

  #save(): void {
    const { store } = this.#around;
    store.save(this.#record).catch((error: unknown) => this.#around.storeFailed(error));
  }
}
