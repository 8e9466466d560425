import { Engine, type EngineSettings } from '../../src/engine/engine.ts';
import type {
  AttemptSpec,
  EngineEvent,
  Executor,
  HistoryRow,
  Store,
  Supervisor,
} from '../../src/engine/ports.ts';
import type { SkipRecord } from '../../src/model.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { FakeClock } from './fake-clock.ts';
import { ScriptedExecutor, type Script } from './scripted-executor.ts';

export interface RigOptions {
  readonly start?: string;
  readonly script?: (spec: AttemptSpec) => Script;
  readonly store?: Store;
  readonly clock?: FakeClock;
  readonly settings?: Partial<EngineSettings>;
  /** What its run ids begin with: of daemons that share a store, each has its own. */
  readonly ids?: string;
  readonly supervisor?: Supervisor;
  /** In place of the scripted one. */
  readonly executor?: Executor;
}

/** An engine on a fake clock, with a scripted executor and a memory store, and all it did laid open. */
export function rig(options: RigOptions = {}) {
  const clock = options.clock ?? new FakeClock(options.start ?? '2026-01-01T00:00:00Z');
  const executor = new ScriptedExecutor(clock, options.script);
  const store = options.store ?? new MemoryStore(1_000_000);
  const events: EngineEvent[] = [];
  let ids = 0;
  const engine = new Engine(
    {
      clock,
      executor: options.executor ?? executor,
      store,
      observer: { observe: (event) => events.push(event) },
      newRunId: () => `${options.ids ?? 'run'}-${(ids += 1)}`,
      random: () => 0.5,
      supervisor: options.supervisor,
    },
    {
      maxConcurrentRuns: Number.POSITIVE_INFINITY,
      bootedAt: Date.parse('2025-12-31T00:00:00Z'),
      ...options.settings,
    },
  );
  return {
    clock,
    executor,
    store,
    events,
    engine,
    /** `HH:MM:SS` of each start, with the job id. */
    started: () => executor.starts.map(({ spec, at }) => `${spec.jobId} ${time(at)}`),
    /** Scheduled times of the runs of a job, in the order of their starts. */
    slots: (jobId: string) =>
      executor.starts
        .filter(({ spec }) => spec.jobId === jobId && spec.attempt === 1)
        .map(({ spec }) => time(spec.scheduledAt)),
    skips: () =>
      events.flatMap((event) => (event.kind === 'slots_skipped' ? [event.skip] : [])).map(describeSkip),
    history: (): Promise<readonly HistoryRow[]> => store.history({}),
    kinds: () => events.map(({ kind }) => kind),
  };
}

export function time(at: number): string {
  return new Date(at).toISOString().slice(11, 19);
}

function describeSkip({ jobId, scheduledAt, through, count, reason }: SkipRecord): string {
  const span = through === scheduledAt ? time(scheduledAt) : `${time(scheduledAt)}–${time(through)}`;
  return `${jobId} ${span} ${count ?? '?'} ${reason}`;
}
