/** Nodes that take attempts from a queue, under the hand of the test; they outlive the engines that hand attempts to them. */
import type {
  AttemptHandle,
  AttemptReport,
  AttemptSpec,
  Clock,
  Executor,
  Recovery,
  StopReason,
} from '../../src/engine/ports.ts';
import type { Duration, Outcome } from '../../src/model.ts';
import { SUCCEEDED } from './jobs.ts';

export interface NodeScript {
  /** How long nobody takes it; Infinity: until `take`. */
  readonly waits?: Duration;
  readonly lasts?: Duration;
  readonly outcome?: Outcome;
  /** It tells how long it ran, and reports its start only then, as a node does of what is over at once. */
  readonly measures?: boolean;
}

type Listener = (report: AttemptReport) => void;

interface Entry {
  readonly spec: AttemptSpec;
  readonly script: NodeScript;
  /** Of all engines that ever handed it over or took it up: late reports reach the old ones too. */
  readonly listeners: Listener[];
  state: 'queued' | 'running' | Outcome;
  beganAt: number;
  endedAt: number;
}

export class Nodes implements Executor {
  readonly reportsStart = true;
  readonly entries = new Map<string, Entry>();
  /** What nodes began, as `job slot#attempt`. */
  readonly begun: string[] = [];
  readonly stops: string[] = [];
  readonly #clock: Clock;
  readonly #script: (spec: AttemptSpec) => NodeScript;

  constructor(clock: Clock, script: (spec: AttemptSpec) => NodeScript = () => ({})) {
    this.#clock = clock;
    this.#script = script;
  }

  start(spec: AttemptSpec, report: Listener): AttemptHandle {
    const key = keyOf(spec);
    if (this.entries.has(key)) throw new Error(`${key} was handed over twice`);
    const script = this.#script(spec);
    const entry: Entry = { spec, script, listeners: [report], state: 'queued', beganAt: 0, endedAt: 0 };
    this.entries.set(key, entry);
    const { waits = 0 } = script;
    if (Number.isFinite(waits)) this.#clock.after(waits, () => this.#begin(entry));
    return this.#handle(entry);
  }

  async recover(spec: AttemptSpec): Promise<Recovery> {
    const entry = this.entries.get(keyOf(spec));
    if (entry === undefined) return { kind: 'never_begun' };
    const { state, beganAt, endedAt } = entry;
    const follow = (report: Listener): AttemptHandle => {
      entry.listeners.push(report);
      return this.#handle(entry);
    };
    if (state === 'queued') return { kind: 'queued', follow };
    const node = 'n1';
    if (state === 'running') return { kind: 'running', node, ranFor: this.#clock.now() - beganAt, follow };
    return { kind: 'ended', outcome: state, at: endedAt, ranFor: endedAt - beganAt, node };
  }

  /** A node takes what waits for one, of this job or of all. */
  take(jobId?: string): void {
    for (const entry of this.entries.values())
      if (jobId === undefined || entry.spec.jobId === jobId) this.#begin(entry);
  }

  async close(): Promise<void> {
    // Nothing is held.
  }

  #begin(entry: Entry): void {
    if (entry.state !== 'queued') return;
    const { spec, script } = entry;
    const { lasts = 0, outcome = SUCCEEDED } = script;
    entry.state = 'running';
    entry.beganAt = this.#clock.now();
    this.begun.push(named(spec));
    if (script.measures !== true) this.#report(entry, STARTED);
    if (Number.isFinite(lasts)) this.#clock.after(lasts, () => this.#end(entry, outcome));
  }

  #end(entry: Entry, outcome: Outcome): void {
    if (entry.state !== 'queued' && entry.state !== 'running') return;
    entry.state = outcome;
    entry.endedAt = this.#clock.now();
    const isLate = entry.script.measures === true && entry.beganAt > 0;
    if (isLate) this.#report(entry, STARTED);
    this.#report(entry, { kind: 'ended', outcome, ...(isLate && { ranFor: entry.endedAt - entry.beganAt }) });
  }

  #report({ listeners }: Entry, report: AttemptReport): void {
    for (const listener of listeners) listener(report);
  }

  #handle(entry: Entry): AttemptHandle {
    const stop = (reason: StopReason): void => {
      this.stops.push(`${named(entry.spec)} ${reason.kind}`);
      this.#end(entry, reason);
    };
    return { stop, kill: stop };
  }
}

const STARTED = { kind: 'started', pid: 7, startTime: 70, node: 'n1' } as const;

function keyOf({ runId, attempt }: AttemptSpec): string {
  return `${runId} ${attempt}`;
}

function named({ jobId, scheduledAt, shard, attempt }: AttemptSpec): string {
  const part = shard === undefined ? '' : `.${shard.index}`;
  return `${jobId}${part} ${new Date(scheduledAt).toISOString().slice(11, 19)}#${attempt}`;
}
