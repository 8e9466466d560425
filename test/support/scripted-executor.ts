import type {
  AttemptHandle,
  AttemptReport,
  AttemptSpec,
  Clock,
  Executor,
  Recovery,
  StopReason,
} from '../../src/engine/ports.ts';
import type { Outcome } from '../../src/model.ts';

/** How an attempt goes: its length and its end. Without an end it runs until it is stopped. */
export interface Script {
  readonly lasts: number;
  readonly outcome?: Outcome;
  /** How long it takes to end after `stop`; default at once. */
  readonly lingers?: number;
}

export interface Start {
  readonly spec: AttemptSpec;
  readonly at: number;
}

/** An executor that does nothing but what the script says, and remembers what it was asked. */
export class ScriptedExecutor implements Executor {
  readonly starts: Start[] = [];
  readonly stops: { readonly spec: AttemptSpec; readonly reason: StopReason; readonly kill: boolean }[] = [];
  closed = false;
  readonly #clock: Clock;
  readonly #script: (spec: AttemptSpec) => Script;

  constructor(clock: Clock, script: (spec: AttemptSpec) => Script = () => ({ lasts: 0 })) {
    this.#clock = clock;
    this.#script = script;
  }

  start(spec: AttemptSpec, report: (report: AttemptReport) => void): AttemptHandle {
    this.starts.push({ spec, at: this.#clock.now() });
    const { lasts, outcome = { kind: 'succeeded', exitCode: 0 }, lingers = 0 } = this.#script(spec);
    let reason: StopReason | undefined;
    let ended = false;
    const end = (how: Outcome) => {
      if (ended) return;
      ended = true;
      report({ kind: 'ended', outcome: how });
    };
    report({ kind: 'started', pid: 1 });
    if (lasts === 0) end(outcome);
    else if (Number.isFinite(lasts))
      this.#clock.after(lasts, () => end(reason === undefined ? outcome : endedBy(reason)));
    const stop = (given: StopReason, kill: boolean) => {
      this.stops.push({ spec, reason: given, kill });
      reason ??= given;
      const because = reason;
      this.#clock.after(kill ? 0 : lingers, () => end(endedBy(because)));
    };
    return { stop: (given) => stop(given, false), kill: (given) => stop(given, true) };
  }

  /** What `recover` finds; by default that nothing was begun. */
  found: (spec: AttemptSpec) => Recovery = () => ({ kind: 'never_begun' });

  async recover(spec: AttemptSpec): Promise<Recovery> {
    return this.found(spec);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

function endedBy(reason: StopReason): Outcome {
  return reason.kind === 'timed_out'
    ? { kind: 'timed_out', after: reason.after }
    : { kind: 'cancelled', by: reason.by };
}
