import type { Instant, JobId, SkipRecord } from '../model.ts';
import type { AnyRun } from './any-run.ts';
import type { ArmedJob, TurnOf } from './job.ts';
import type { AttemptReport, Clock, EngineEvent, Store } from './ports.ts';
import type { ActiveRun } from './run.ts';

type Run = AnyRun<TurnOf>;

/** What becomes of decisions. */
export interface DecisionsAround {
  readonly clock: Clock;
  readonly store: Store;
  emit(event: EngineEvent): void;
  storeFailed(error: unknown): void;
  /** The last moment to decide what is to be recorded with what is decided already. */
  beforeCommit(): void;
  /** Its slot turned out to be claimed by another. */
  lost(run: Run): void;
}

/**
 * The claims and skips of one turn of the loop: they reach the store in one call, then everything won is started, and only then
 * anybody is told.
 */
export class Decisions {
  readonly #around: DecisionsAround;
  #claims: Run[] = [];
  #skips: { readonly job: ArmedJob; readonly skip: SkipRecord }[] = [];
  #committing = false;
  #isAbandoned = false;
  /** The moment of the decisions that wait to be committed. */
  #decidedAt: Instant | undefined;
  #reports: { readonly run: ActiveRun<TurnOf>; readonly attempt: number; readonly report: AttemptReport }[] =
    [];

  constructor(around: DecisionsAround) {
    this.#around = around;
  }

  /** One reading of the clock for all that is decided together. It is good for this turn of the loop, whatever is decided. */
  now(): Instant {
    if (this.#decidedAt === undefined) {
      this.#decidedAt = this.#around.clock.now();
      this.#commitSoon();
    }
    return this.#decidedAt;
  }

  claim(run: Run): void {
    this.#claims.push(run);
    this.#commitSoon();
  }

  skip(job: ArmedJob, skip: SkipRecord): void {
    this.#skips.push({ job, skip });
    this.#around.emit({ kind: 'slots_skipped', skip });
    this.#commitSoon();
  }

  /** Keeps a report until the starts under way are done. */
  report(run: ActiveRun<TurnOf>, attempt: number, report: AttemptReport): void {
    if (this.#reports.push({ run, attempt, report }) === 1) queueMicrotask(() => this.#tell());
  }

  /** Forgets what is not recorded, and what comes of what is on its way. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#claims = [];
    this.#skips = [];
    this.#reports = [];
  }

  commit(): void {
    if (this.#isAbandoned) return;
    this.#around.beforeCommit();
    this.#committing = false;
    this.#decidedAt = undefined;
    const claims = this.#claims;
    const skips = this.#skips;
    if (claims.length + skips.length === 0) return;
    this.#claims = [];
    this.#skips = [];
    const undecided = new Map<JobId, Instant>();
    const note = ({ definition, undecided: oldest }: ArmedJob): void => {
      if (oldest !== undefined) undecided.set(definition.id, oldest);
    };
    for (const { turn } of claims) note(turn.job);
    for (const { job } of skips) note(job);
    const records = claims.map(({ claim }) => claim);
    const skipped = skips.map(({ skip }) => skip);
    this.#around.store.claim(records, skipped, undecided).then(
      (won) => this.#begun(claims, (index) => won[index] === true),
      (error: unknown) => {
        // A store that fails must not stop the backups: run, and say so.
        this.#around.storeFailed(error);
        this.#begun(claims, () => true);
      },
    );
  }

  /** Outside a tick (a run ended, an operator asked) the decisions of one turn of the loop still go together. */
  #commitSoon(): void {
    if (this.#committing) return;
    this.#committing = true;
    queueMicrotask(() => this.commit());
  }

  /** Starts all that was won before anything else is told of it: what observers do must not delay a start. */
  #begun(runs: readonly Run[], won: (index: number) => boolean): void {
    if (this.#isAbandoned) return;
    let index = 0;
    for (const run of runs) {
      if (won(index)) run.start();
      index += 1;
    }
    runs.forEach((run, index) => {
      if (!won(index)) {
        this.#around.lost(run);
        run.withdraw();
        return;
      }
      const { claim, turn } = run;
      this.#around.emit({
        kind: 'run_claimed',
        run: claim,
        late: Math.max(claim.claimedAt - turn.dueAt, 0),
      });
      run.settleClaim();
    });
    this.#tell();
  }

  #tell(): void {
    while (this.#reports.length > 0) {
      const reports = this.#reports;
      this.#reports = [];
      for (const { run, attempt, report } of reports) run.take(attempt, report);
    }
  }
}
