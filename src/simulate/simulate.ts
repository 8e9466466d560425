/**
 * Plays a window of time: the engine itself, on a clock that jumps from event to event, with attempts that last as long as those
 * of history did. What it finds is what the daemon would do, slot for slot, as far as runs last as they did and nobody interferes.
 */
import { Engine, type EngineSettings } from '../engine/engine.ts';
import type { EngineEvent, HistoryRow } from '../engine/ports.ts';
import { runIds } from '../engine/run-id.ts';
import type { Duration, Instant, JobDefinition, JobId, Pause, RunId, RunRecord } from '../model.ts';
import type { Pools } from '../pool.ts';
import { MemoryStore } from '../store/memory.ts';
import { ImaginedExecutor } from './imagined-executor.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface SimulationInput {
  readonly jobs: readonly JobDefinition[];
  /** The first and the last moment of the window; slots on either are in it. */
  readonly from: Instant;
  readonly to: Instant;
  /** Lengths of a job's runs that succeeded, newest first; empty where none did. */
  readonly lengths: (jobId: JobId) => readonly Duration[];
  /** How long runs of jobs last of which history has none. */
  readonly assumed: Duration;
  /** Draws each length from those of history; without it each run takes their median. */
  readonly seed?: number | undefined;
  /** Jobs whose attempts fail. */
  readonly failing?: ReadonlySet<JobId>;
  readonly pauses?: ReadonlyMap<JobId, Pause>;
  readonly bounds: Omit<EngineSettings, 'bootedAt'>;
  readonly pools: Pools;
  /** Runs and stretches of skips after which it stops. */
  readonly most: number;
  /** Whether to go on, asked after each thing that happens. */
  readonly goOn?: () => boolean;
}

export interface Simulation {
  readonly from: Instant;
  /** How far it came: the end of the window unless it was stopped. */
  readonly to: Instant;
  readonly isWhole: boolean;
  /** Runs and skips, in the order in which they were decided over. Runs that go on at the end have no outcome. */
  readonly rows: readonly HistoryRow[];
  /** Slots that had to wait, in the order in which they began to. */
  readonly waits: readonly Wait[];
  /** Jobs whose lengths are assumed. */
  readonly assumed: readonly JobId[];
}

export interface Wait {
  readonly jobId: JobId;
  readonly scheduledAt: Instant;
  readonly reason: Extract<EngineEvent, { kind: 'run_waiting' }>['reason'];
  /** Of `limit`: which. */
  readonly limit: string | undefined;
  readonly since: Instant;
}

/** Runs of a job that lengths are taken from, and what is assumed of jobs without any, unless somebody says otherwise. */
export const MOST_LENGTHS = 50;
export const ASSUMED: Duration = 1000;

/** Plays the window. Takes the loop some milliseconds for each thousand runs, with pauses. */
export async function simulate(input: SimulationInput): Promise<Simulation> {
  const { from, to, bounds, most, goOn = () => true } = input;
  const draw = randomFrom(input.seed ?? 1);
  const clock = new SteadyClock(from - 1);
  const store = new MemoryStore();
  for (const [jobId, pause] of input.pauses ?? []) await store.pause(jobId, pause);
  const assumed = new Set<JobId>();
  const lengthOf = lengths(input, draw, (jobId) => assumed.add(jobId));
  const recording = new Recording(clock);
  const engine = new Engine(
    {
      clock,
      executor: new ImaginedExecutor(clock, ({ jobId }) => ({
        lasts: lengthOf(jobId),
        ...(input.failing?.has(jobId) === true && { outcome: { kind: 'failed', exitCode: 1 } as const }),
      })),
      store,
      observer: { observe: (event) => recording.observe(event) },
      newRunId: runIds((bytes) => bytes.forEach((_, index) => (bytes[index] = Math.floor(draw() * 256)))),
      random: draw,
    },
    { ...bounds, bootedAt: from },
  );
  engine.resizePools(input.pools);
  await pumped(engine.start(input.jobs.map(withoutStart)), clock);
  // Not told by where the clock stands: lengths have fractions, so that it may miss the end by one of a rounding.
  let isWhole = true;
  await clock.advance(to - clock.now(), () => (isWhole = recording.size <= most && goOn()));
  // What calendars left out is told with the next slot, or when the job leaves.
  recording.isClosing = true;
  await pumped(engine.apply([]), clock);
  const rows = recording.rows((id) => engine.run(id));
  return {
    from,
    to: isWhole ? to : clock.now(),
    isWhole,
    rows,
    waits: recording.waits,
    assumed: [...assumed].sort(),
  };
}

/** What gives the loop a turn now and then has it from the clock. */
async function pumped(work: Promise<unknown>, clock: VirtualClock): Promise<void> {
  const progress = { isOver: false };
  const over = work.finally(() => (progress.isOver = true));
  while (!progress.isOver) await clock.advance(0);
  await over;
}

/** Nobody sets it, so nobody has to look at it every half a minute. */
class SteadyClock extends VirtualClock {
  readonly longestSleep: Duration = 86_400_000;
}

/** Writes down what the engine decides. */
class Recording {
  /** From then on only what calendars left out still counts. */
  isClosing = false;
  readonly waits: Wait[] = [];
  readonly #clock: VirtualClock;
  readonly #rows: (HistoryRow | RunId)[] = [];
  readonly #runs = new Map<RunId, RunRecord>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#rows.length;
  }

  observe(event: EngineEvent): void {
    if (event.kind === 'slots_skipped') {
      if (!this.isClosing || event.skip.reason === 'excluded') this.#rows.push({ skip: event.skip });
    } else if (this.isClosing) return;
    else if (event.kind === 'run_claimed') this.#rows.push(event.run.id);
    else if (event.kind === 'run_waiting') {
      const { jobId, scheduledAt, reason, limit } = event;
      this.waits.push({ jobId, scheduledAt, reason, limit, since: this.#clock.now() });
    }
    if ('run' in event) this.#runs.set(event.run.id, event.run);
  }

  rows(active: (id: RunId) => RunRecord | undefined): HistoryRow[] {
    return this.#rows.flatMap((row) => {
      if (typeof row !== 'string') return [row];
      const run = active(row) ?? this.#runs.get(row);
      return run === undefined ? [] : [{ run }];
    });
  }
}

function lengths(
  { lengths: known, assumed, seed }: SimulationInput,
  draw: () => number,
  isAssumed: (jobId: JobId) => void,
): (jobId: JobId) => Duration {
  const sorted = new Map<JobId, readonly Duration[]>();
  return (jobId) => {
    let list = sorted.get(jobId);
    if (list === undefined) sorted.set(jobId, (list = [...known(jobId)].sort((a, b) => a - b)));
    if (list.length === 0) isAssumed(jobId);
    const place = seed === undefined ? (list.length - 1) / 2 : draw() * list.length;
    return list[Math.floor(place)] ?? assumed;
  };
}

/** Of a window in which no daemon starts. What the tasks are does not matter, and may be large or secret. */
function withoutStart(job: JobDefinition): JobDefinition {
  const { schedule } = job;
  const triggers = schedule.triggers.filter(({ kind }) => kind !== 'startup');
  return triggers.length === schedule.triggers.length ? job : { ...job, schedule: { ...schedule, triggers } };
}

/** Mulberry32: the same seed gives the same numbers in [0, 1). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
