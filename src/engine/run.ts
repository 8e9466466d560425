import type {
  AttemptRecord,
  CancelledBy,
  Duration,
  Instant,
  JobDefinition,
  Outcome,
  RunRecord,
  RunState,
  Waited,
} from '../model.ts';
import { nextAttempt } from '../schedule/retry.ts';
import type { Ticket, Wakeable } from './alarm.ts';
import { amended, attemptOf, knownOf, processOf, specOf, triesOf, waitedInVain } from './attempt.ts';
import { beganAt, measured } from './measured.ts';
import { isOrphan, isWanted } from './orphan.ts';
import type { Demand } from './pools.ts';
import type { AttemptHandle, AttemptReport, AttemptSpec, Recovery } from './ports.ts';
import type { RunSurroundings } from './run-surroundings.ts';

const NONE: readonly never[] = [];

/**
 * One run on its way: claimed, then attempt after attempt, until an outcome is final. The definition is the one it
 * began with, whatever the file says meanwhile. Read from top to bottom, this is a run's life:
 *
 *   start ─▶ #launch ──▶ #underWay ─▶ #over ─┬▶ #finish
 *               ▲                       ▲    │
 *               ├────────── #retry ◀────┼────┘
 *     letIn (from its line)   takeUp (of an earlier daemon's)
 */
export class ActiveRun<Turn = unknown> {
  /** What it was started for; the engine's business. */
  readonly turn: Turn;
  readonly definition: JobDefinition;
  /** The record as it was claimed; `record` tells how it stands. */
  readonly claim: RunRecord;
  /** Its place among all runs, kept by their list. */
  place = -1;
  /** What it has taken of limits; the engine's business. */
  holds: readonly Demand[] = NONE;
  readonly #around: RunSurroundings<ActiveRun<Turn>>;
  #state: RunState;
  /** Its claim is recorded. */
  #isClaimed = false;
  /** While it waits and is not claimed: limits have let it in. */
  #hasEntered = false;
  #attempts: readonly AttemptRecord[] = NONE;
  #ending: Pick<RunRecord, 'finishedAt' | 'outcome'> | undefined;
  #retryAt: Instant | undefined;
  #handle: AttemptHandle | undefined;
  #deadline: Ticket | undefined;
  #retryTicket: Ticket | undefined;
  #attemptBegan: Duration = 0;
  /** The current attempt is known to have begun: it was started here, or a node has said so. */
  #isBegun = false;
  #cancelled: CancelledBy | undefined;
  /** The end that it was claimed with, or that it came to before its claim was settled: it never begins. */
  #refusal: Outcome | undefined;

  constructor(
    around: RunSurroundings<ActiveRun<Turn>>,
    run: { turn: Turn; definition: JobDefinition; claim: RunRecord; refusal?: Outcome | undefined },
  ) {
    this.#around = around;
    this.turn = run.turn;
    this.definition = run.definition;
    this.claim = run.claim;
    this.#refusal = run.refusal;
    this.#state = run.claim.state === 'waiting' ? 'waiting' : 'claimed';
  }

  get state(): RunState {
    return this.#state;
  }

  /** A snapshot. */
  get record(): RunRecord {
    const record = { ...this.claim, state: this.#state, attempts: this.#attempts, ...this.#ending };
    return this.#retryAt === undefined ? record : { ...record, retryAt: this.#retryAt };
  }

  /** Begins the first attempt, unless it was cancelled meanwhile or waits in line. Call once, after the slot's claim is recorded. */
  start(): void {
    this.#isClaimed = true;
    if (this.#cancelled !== undefined || this.#refusal !== undefined) return;
    if (this.#state === 'claimed') {
      if (!this.#around.closing) this.#launch(this.#enter());
    } else if (this.#hasEntered) void this.#attemptOnRecord();
  }

  /** Limits let it in, after it had to wait for them. */
  letIn(): void {
    if (this.#state !== 'waiting') return;
    this.#hasEntered = true;
    if (this.#isClaimed && this.#cancelled === undefined) void this.#attemptOnRecord();
  }

  /** It has waited for limits as long as it may. */
  giveUp(waited: Waited): void {
    if (this.#state !== 'waiting') return;
    this.#refusal = waitedInVain(waited, this.#around.clock.now());
    if (this.#isClaimed) this.#finish(this.#refusal);
  }

  /** Ends a run that did not begin, since it is not to, was cancelled meanwhile or the daemon stops: after the starts of its tick. */
  settleClaim(): void {
    if (!this.#isPending) return;
    if (this.#refusal !== undefined) this.#finish(this.#refusal);
    else if (this.#cancelled !== undefined) this.#finish({ kind: 'cancelled', by: this.#cancelled });
    else if (this.#state === 'claimed') this.#finish({ kind: 'cancelled', by: 'shutdown' });
  }

  /** Lets go of a slot that turned out to be claimed by another: this run never was. */
  withdraw(): void {
    if (!this.#isPending) return;
    this.#state = 'finished';
    this.#around.released(this);
  }

  /**
   * Ends the run as soon as its processes allow. The first reason given is the one recorded, at once: whoever takes the run up goes on
   * with that. While its claim is under way nobody knows yet whose slot it is: then it ends, unstarted, when the claim is settled.
   * `kill`: a running attempt ends at once.
   */
  cancel(by: CancelledBy, how: 'stop' | 'kill' = 'stop'): void {
    this.#cancelled ??= by;
    if (this.#state === 'running') {
      this.#amend({ cancelledBy: this.#cancelled });
      void this.#save();
      this.#handle?.[how]({ kind: 'cancelled', by });
    } else if (this.#state === 'retrying' || (this.#state === 'waiting' && this.#isClaimed)) {
      this.#finish({ kind: 'cancelled', by: this.#cancelled });
    }
  }

  /** Another engine takes it up: whatever its attempt does, this one does nothing with it. */
  abandon(): void {
    this.#state = 'finished';
    this.#handle = undefined;
  }

  /** The wall clock was set back: a retry that waits keeps its delay, not its reading. */
  clockSetBack(by: Duration): void {
    if (this.#state !== 'retrying' || this.#retryAt === undefined) return;
    // What a step is measured by knows fractions of milliseconds, instants do not.
    this.#waitUntil(this.#retryAt + Math.round(by));
  }

  /** Takes up a run that an earlier daemon left, wherever it was on its way. Resolves when that is known. */
  async takeUp({ state, attempts, retryAt }: RunRecord): Promise<void> {
    this.#state = state;
    this.#attempts = attempts;
    this.#cancelled = attempts.at(-1)?.cancelledBy;
    this.#isClaimed = true;
    if (state === 'waiting') return this.#rejoin();
    if (retryAt !== undefined) return this.#waitOn(retryAt);
    const last = this.#attempts.at(-1) ?? { number: 1 };
    const { number } = last;
    const recovery = await this.#around.executor.recover(this.#spec(number), knownOf(last));
    if (this.#around.abandonment.isOver) return;
    this.#around.emit({ kind: 'run_recovered', run: this.record, found: recovery.kind });
    if (recovery.kind === 'never_begun') await this.#beginAfterAll();
    else this.#takeUpAttempt(number, recovery);
  }

  /** It never had its turn, so there is nothing to find out. */
  #rejoin(): void {
    this.#around.emit({ kind: 'run_recovered', run: this.record, found: 'waiting' });
    if (isOrphan(this.definition))
      this.#finish({ kind: 'not_started', message: 'its job left the job file' });
  }

  get #isPending(): boolean {
    return this.#state === 'claimed' || this.#state === 'waiting';
  }

  #waitOn(retryAt: Instant): void {
    const outcome = this.#attempts.at(-1)?.outcome;
    const isOver = isOrphan(this.definition) && outcome !== undefined;
    if (isOver) this.#retryAt = retryAt;
    else this.#waitUntil(retryAt);
    this.#around.emit({ kind: 'run_recovered', run: this.record, found: 'waiting' });
    if (isOver) this.#finish(outcome);
  }

  #takeUpAttempt(number: number, recovery: Exclude<Recovery, { kind: 'never_begun' }>): void {
    this.#state = 'running';
    // The store was told that it begins, but not yet that it began.
    if (this.#attempts.length === 0)
      this.#attempts = [attemptOf(number, this.claim.claimedAt, this.definition.policy)];
    if (recovery.kind === 'ended') return this.#takeUpEnd(number, recovery);
    this.#isBegun = recovery.kind === 'running';
    const ranFor = recovery.kind === 'running' ? recovery.ranFor : 0;
    this.#attemptBegan = this.#around.clock.monotonic() - ranFor;
    if (recovery.kind === 'running') this.#amend({ ...processOf(recovery), ...this.#beganBefore(ranFor) });
    else this.#amend({ awaits: this.definition.runsOn ?? NONE });
    this.#handle = recovery.follow((report) => this.#around.reported(this, number, report));
    if (this.#cancelled !== undefined) this.cancel(this.#cancelled);
    if (this.#isBegun) this.#armDeadline(this.#attempts.at(-1)?.timeout, ranFor);
    void this.#save();
  }

  #takeUpEnd(
    number: number,
    { outcome, at: known, ranFor, node }: Extract<Recovery, { kind: 'ended' }>,
  ): void {
    const at = known ?? this.#around.clock.now();
    const startedAt = this.#attempts.at(-1)?.startedAt ?? this.claim.claimedAt;
    const duration = ranFor ?? (this.#mayHaveWaited ? 0 : Math.max(at - startedAt, 0));
    this.#amend({ ...processOf({ node }), ...(ranFor !== undefined && this.#beganBefore(ranFor, at)) });
    this.#over(number, outcome, { at, duration });
  }

  /** Nothing on record says that a node began it. */
  get #mayHaveWaited(): boolean {
    return this.#around.executor.reportsStart === true && this.#attempts.at(-1)?.node === undefined;
  }

  /** Of an attempt that may have waited for a node: when it really began. */
  #beganBefore(ranFor: Duration, at = this.#around.clock.now()): Partial<AttemptRecord> {
    return this.#mayHaveWaited ? { startedAt: beganAt(this.record, at - ranFor) } : {};
  }

  /** The attempt that was about to begin is made now, as another one, if it is not too late. */
  async #beginAfterAll(): Promise<void> {
    const { clock, closing } = this.#around;
    // Left as it is: the next daemon finds what this one found.
    if (closing) return this.#around.released(this);
    const now = clock.now();
    const outcome: Outcome = { kind: 'not_started', message: 'tsched ended before it could be started' };
    if (this.#attempts.length === 0) this.#attempts = [{ number: 1, startedAt: this.claim.claimedAt }];
    const intended = this.#attempts.at(-1)?.startedAt ?? this.claim.claimedAt;
    this.#amend({ finishedAt: now, outcome });
    if (this.#cancelled !== undefined) return this.#finish({ kind: 'cancelled', by: this.#cancelled });
    if (isWanted(this, Math.max(now - intended, 0))) await this.#attemptOnRecord();
    else this.#finish(outcome);
  }

  async #again(): Promise<void> {
    if (this.#around.closing) return; // left as it is, while others still run
    this.#around.emit({ kind: 'retry_begun', run: this.record, attempt: this.#attempts.length + 1 });
    this.#around.alarm.cancel(this.#retryTicket);
    await this.#attemptOnRecord();
  }

  async #attemptOnRecord(): Promise<void> {
    const number = this.#enter();
    // A daemon that comes after this one must know that the attempt may have begun: as a slot's claim, this comes first.
    if (this.#around.store.durable) await this.#save();
    if (this.#cancelled !== undefined) this.#over(number, { kind: 'cancelled', by: this.#cancelled });
    else if (this.#around.closing) this.#withdrawAttempt();
    else this.#launch(number);
  }

  /** Begun too late: the daemon is stopping. */
  #withdrawAttempt(): void {
    this.#attempts = this.#attempts.slice(0, -1);
    if (this.#around.store.durable) this.#waitUntil(this.#around.clock.now());
    else this.#finish({ kind: 'cancelled', by: 'shutdown' });
    this.#around.left();
  }

  /** The next attempt, from now on the current one. Gives its number. */
  #enter(): number {
    const number = this.#attempts.length + 1;
    this.#state = 'running';
    this.#retryAt = undefined;
    this.#handle = undefined;
    this.#isBegun = false;
    const attempt = attemptOf(number, this.#around.clock.now(), this.definition.policy);
    const mayWait = this.#around.executor.reportsStart === true;
    const next = mayWait ? { ...attempt, awaits: this.definition.runsOn ?? NONE } : attempt;
    this.#attempts = number === 1 ? [next] : [...this.#attempts, next];
    return number;
  }

  #launch(number: number): void {
    const { clock, executor } = this.#around;
    this.#attemptBegan = clock.monotonic();
    this.#isBegun = executor.reportsStart !== true;
    this.#handle = executor.start(this.#spec(number), (report) =>
      this.#around.reported(this, number, report),
    );
    if (this.#isBegun) this.#armDeadline(this.definition.policy.timeout, 0);
  }

  #armDeadline(timeout: Duration | undefined, ranFor: Duration): void {
    if (timeout === undefined) return;
    this.#deadline = this.#around.alarm.after(Math.max(timeout - ranFor, 0), this.#stopper(timeout));
  }

  #stopper(timeout: Duration): Wakeable {
    const wake = (): void => {
      if (this.#cancelled === undefined) this.#amend({ timedOut: true });
      void this.#save();
      this.#handle?.stop({ kind: 'timed_out', after: timeout });
    };
    return { wake };
  }

  #spec(number: number): AttemptSpec {
    const previousSuccessAt = this.#around.store.previousSuccess(this.claim.jobId);
    return specOf(this, { number, isRetry: triesOf(this.#attempts, number) > 1, previousSuccessAt });
  }

  /** Takes a report of attempt `number`. */
  take(number: number, report: AttemptReport): void {
    // Late reports of an older attempt change nothing.
    if (this.#state !== 'running' || this.#attempts.length !== number) return;
    if (report.kind === 'started') return this.#underWay(number, report);
    const { ranFor, outcome } = report;
    const known = ranFor === undefined ? ranFor : measured(this.record, this.#around.clock.now(), ranFor);
    this.#over(number, outcome, known);
  }

  #underWay(attempt: number, report: Extract<AttemptReport, { kind: 'started' }>): void {
    this.#amend(processOf(report));
    if (!this.#isBegun) this.#beginsNow();
    const run = this.record;
    void this.#save(run);
    const known = report.pid === undefined ? {} : { pid: report.pid };
    this.#around.emit({ kind: 'attempt_started', run, attempt, ...known });
  }

  /** A node has begun what was handed to it a while ago: its time counts from here. */
  #beginsNow(): void {
    this.#isBegun = true;
    this.#attemptBegan = this.#around.clock.monotonic();
    this.#amend({ startedAt: this.#around.clock.now() });
    this.#armDeadline(this.#attempts.at(-1)?.timeout, 0);
  }

  #over(attempt: number, outcome: Outcome, known?: ReturnType<typeof measured>): void {
    const { clock, alarm } = this.#around;
    alarm.cancel(this.#deadline);
    const { at, duration, ...began } = known ?? {
      at: clock.now(),
      // What no node has begun took no time, however long it waited.
      duration: this.#isBegun ? Math.max(clock.monotonic() - this.#attemptBegan, 0) : 0,
    };
    this.#amend({ ...began, finishedAt: at, duration, outcome });
    this.#around.emit({ kind: 'attempt_ended', run: this.record, attempt, outcome, duration });
    if (this.#cancelled !== undefined && outcome.kind !== 'succeeded') {
      this.#finish({ kind: 'cancelled', by: this.#cancelled });
      return;
    }
    const tried = { attempt: triesOf(this.#attempts, attempt), outcome };
    const next = nextAttempt(this.definition.policy.retry, tried, this.#around.random);
    if (next.kind === 'finish') this.#finish(outcome, at);
    else this.#retryAfter(attempt, next.delay);
  }

  #retryAfter(attempt: number, delay: Duration): void {
    const { clock, alarm, closing, store } = this.#around;
    if (closing && !store.durable) return this.#finish({ kind: 'cancelled', by: 'shutdown' });
    // A step back that nobody has noticed yet would later be taken off a time that already counts from after it.
    alarm.ring();
    if (this.#cancelled === undefined) this.#retry(attempt, clock.now() + delay);
    else this.#finish({ kind: 'cancelled', by: this.#cancelled });
    if (closing) this.#around.left();
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
    this.#retryTicket = alarm.at(retryAt, { wake: () => void this.#again() });
    void this.#save();
  }

  #finish(outcome: Outcome, at = this.#around.clock.now()): void {
    if (this.#state === 'finished') return;
    const { alarm } = this.#around;
    alarm.cancel(this.#deadline);
    alarm.cancel(this.#retryTicket);
    this.#state = 'finished';
    this.#retryAt = undefined;
    this.#ending = { finishedAt: at, outcome };
    const run = this.record;
    void this.#save(run);
    this.#around.emit({ kind: 'run_finished', run, outcome, definition: this.definition });
    this.#around.released(this);
  }

  #amend(change: Partial<AttemptRecord>): void {
    this.#attempts = amended(this.#attempts, change);
  }

  /** Never rejects. */
  #save(record = this.record): Promise<void> {
    return this.#around.store.save(record).catch((error: unknown) => this.#around.storeFailed(error));
  }
}
