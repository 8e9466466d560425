import type {
  AttemptHandle,
  AttemptReport,
  AttemptSpec,
  Clock,
  Executor,
  Recovery,
  StopReason,
} from '../engine/ports.ts';
import type { Duration, Outcome } from '../model.ts';

/** How an attempt goes: its length and its end. Without an end it runs until it is stopped. */
export interface Script {
  readonly lasts: Duration;
  /** Default: it succeeds. */
  readonly outcome?: Outcome;
  /** How long it takes to end after `stop`; default at once. */
  readonly lingers?: Duration;
}

/** An executor that starts nothing: attempts go as a script says, on whatever clock there is. */
export class ImaginedExecutor implements Executor {
  readonly #clock: Clock;
  readonly #script: (spec: AttemptSpec) => Script;

  constructor(clock: Clock, script: (spec: AttemptSpec) => Script) {
    this.#clock = clock;
    this.#script = script;
  }

  start(spec: AttemptSpec, report: (report: AttemptReport) => void): AttemptHandle {
    const { lasts, outcome = { kind: 'succeeded', exitCode: 0 }, lingers = 0 } = this.#script(spec);
    let reason: StopReason | undefined;
    let ended = false;
    const end = (how: Outcome): void => {
      if (ended) return;
      ended = true;
      report({ kind: 'ended', outcome: how });
    };
    report({ kind: 'started', pid: 1 });
    if (lasts === 0) end(outcome);
    else if (Number.isFinite(lasts))
      this.#clock.after(lasts, () => end(reason === undefined ? outcome : endedBy(reason)));
    const stop = (given: StopReason, kill: boolean): void => {
      reason ??= given;
      const because = reason;
      this.#clock.after(kill ? 0 : lingers, () => end(endedBy(because)));
    };
    return { stop: (given) => stop(given, false), kill: (given) => stop(given, true) };
  }

  async recover(_spec: AttemptSpec): Promise<Recovery> {
    return { kind: 'never_begun' };
  }

  async close(): Promise<void> {
    // Nothing is held.
  }
}

function endedBy(reason: StopReason): Outcome {
  return reason.kind === 'timed_out'
    ? { kind: 'timed_out', after: reason.after }
    : { kind: 'cancelled', by: reason.by };
}
