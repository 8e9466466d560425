import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type {
  AttemptHandle,
  AttemptReport,
  AttemptSpec,
  Executor,
  Recovery,
  StopReason,
} from '../../src/engine/ports.ts';
import type { JobDefinition, Outcome, PoolUse, RunRecord, SkipRecord } from '../../src/model.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { SEED } from '../support/cron-judge.ts';
import { Random } from '../support/cron-oracle.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { job } from '../support/jobs.ts';
import { Ledger } from '../support/ledger.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.parse('2026-03-28T22:00:00Z');

const SCENARIOS = 60;
const STEPS = 60;
const IDS = ['a', 'b', 'c', 'd', 'e', 'f'];

const WHEN = [
  { every: SECOND },
  { every: 7 * SECOND },
  { every: 5 * MINUTE },
  { every: HOUR },
  { cron: '*/10 * * * * *' },
  { cron: '* * * * *' },
  { cron: ['*/15 * * * *', '10 * * * *'] },
  { cron: '30 2 * * *', schedule: { timezone: 'Europe/Berlin' } },
  { every: MINUTE, schedule: { jitter: 10 * SECOND } },
  { every: 20 * SECOND, schedule: { jitter: 3 * MINUTE } },
  { every: MINUTE, schedule: { start: START + HOUR, end: START + 4 * HOUR } },
  { at: '2026-03-28T22:40:00Z' },
  { at: '2026-03-29T01:00:00Z', schedule: { jitter: HOUR } },
] as const;

const OUTCOMES: readonly Outcome[] = [
  { kind: 'succeeded', exitCode: 0 },
  { kind: 'failed', exitCode: 1 },
  { kind: 'killed', signal: 'SIGKILL' },
  { kind: 'not_started', message: 'no such file' },
];

/** Ends attempts in all the ways the port allows, and reports more than it should. */
class WildExecutor implements Executor {
  /** Attempts under way, by job. */
  readonly active = new Map<string, AttemptSpec>();
  onStart: (spec: AttemptSpec) => void = () => undefined;
  /** From now on every attempt succeeds at once. */
  tame = false;
  readonly #clock: FakeClock;
  readonly #random: Random;

  constructor(clock: FakeClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  start(spec: AttemptSpec, report: (report: AttemptReport) => void): AttemptHandle {
    const key = `${spec.runId} ${spec.attempt}`;
    const random = this.#random;
    this.active.set(key, spec);
    this.onStart(spec);
    const end = (outcome: Outcome): void => {
      // Once more than it ought to, now and then.
      if (!this.active.delete(key) && random.int(0, 9) > 0) return;
      report({ kind: 'ended', outcome });
    };
    if (random.int(0, 9) > 0) report({ kind: 'started', pid: 1 });
    const lasts = this.tame ? 0 : random.pick([0, 0, 1, 900, 5 * SECOND, 90 * SECOND, 10 * MINUTE, Infinity]);
    const outcome: Outcome = this.tame ? { kind: 'succeeded' } : random.pick(OUTCOMES);
    if (lasts === 0) end(outcome);
    else if (Number.isFinite(lasts)) this.#clock.after(lasts, () => end(outcome));
    if (random.int(0, 9) === 0) report({ kind: 'started', pid: 2 });
    const stop = (reason: StopReason, within: readonly number[]): void => {
      const { kind } = reason;
      const how: Outcome = kind === 'timed_out' ? { kind, after: reason.after } : { kind, by: reason.by };
      const lingers = random.pick(within);
      if (lingers === 0) end(how);
      else this.#clock.after(lingers, () => end(how));
    };
    return {
      stop: (reason) => stop(reason, [0, 1, 3 * SECOND, 10 * SECOND]),
      kill: (reason) => stop(reason, [0, 1]),
    };
  }

  async recover(): Promise<Recovery> {
    return { kind: 'never_begun' };
  }

  async close(): Promise<void> {
    this.active.clear();
  }
}

/** Answers late, or not well. */
class WildStore extends MemoryStore {
  wild: 'no' | 'late' | 'failing' = 'no';
  claimsFailed = false;
  readonly #clock: FakeClock;
  readonly #random: Random;

  constructor(clock: FakeClock, random: Random) {
    super(1_000_000);
    this.#clock = clock;
    this.#random = random;
  }

  override async claim(
    runs: readonly RunRecord[],
    skips: readonly SkipRecord[],
  ): Promise<readonly boolean[]> {
    const fails = this.wild === 'failing' && this.#random.int(0, 2) === 0;
    const won = fails ? undefined : super.claim(runs, skips);
    if (this.wild !== 'no') {
      const delay = this.#random.pick([0, 1, 500, 20 * SECOND]);
      await new Promise<void>((resolve) => void this.#clock.after(delay, resolve));
    }
    if (won !== undefined) return won;
    this.claimsFailed = true;
    throw new Error('database is locked');
  }

  override async save(run: RunRecord): Promise<void> {
    if (this.wild === 'failing' && this.#random.int(0, 2) === 0) throw new Error('disk full');
    await super.save(run);
  }
}

function anyJob(random: Random, id: string): JobDefinition {
  const misfire = {
    run: random.pick(['latest', 'all', 'none'] as const),
    max: random.pick([0, 1, 3, 100]),
    ...(random.int(0, 1) === 0 ? {} : { grace: random.pick([0, MINUTE, HOUR]) }),
  };
  const retry = {
    limit: random.pick([0, 0, 1, 4]),
    delay: random.pick([0, 1, 5 * SECOND, 10 * MINUTE]),
    backoff: random.pick(['constant', 'linear', 'exponential'] as const),
    maxDelay: random.pick([0, MINUTE, HOUR]),
    jitter: random.int(0, 1) === 0,
  };
  return job(id, {
    ...random.pick(WHEN),
    enabled: random.int(0, 7) > 0,
    description: random.pick(['x', 'y']),
    policy: {
      misfire,
      retry,
      overlap: random.pick(['skip', 'queue', 'replace', 'allow'] as const),
      maxInstances: MOST_OF[id] ?? 1,
      onShutdown: random.pick(['wait', 'terminate', 'leave'] as const),
      priority: random.int(-1, 1),
      ...(random.int(0, 2) === 0 ? { pool: anyPool(random) } : {}),
      ...(random.int(0, 1) === 0 ? {} : { timeout: random.pick([0, 1, 30 * SECOND]) }),
    },
  });
}

/** Slots of each pool. */
const POOLS = { database: 1, disk: 2 };

function anyPool(random: Random): PoolUse {
  const patience = random.pick([undefined, 0, MINUTE, HOUR]);
  const disk = { name: 'disk', slots: random.int(1, 2) };
  const pool = random.pick([{ name: 'database', slots: 1 }, disk]);
  return patience === undefined ? pool : { ...pool, maxWait: patience };
}

/** `max_instances`, where the overlap policy is "allow". */
const MOST_OF: Readonly<Record<string, number>> = { a: 1, b: 2, c: 3, d: 1, e: 2, f: 3 };

/** An engine among wild neighbours, and the rules that hold at every moment of its life. */
class Scenario {
  readonly random: Random;
  readonly clock = new FakeClock(START);
  readonly executor: WildExecutor;
  readonly store: WildStore;
  readonly engine: Engine;
  readonly ledger: Ledger;
  readonly #maxRuns: number;
  #jobs: readonly JobDefinition[];
  readonly #caughtUpAll = new Set<string>();
  #latest = START;
  #steppedAt = 0;
  readonly #cancelled = new Set<string>();
  readonly #manual = new Set<string>();
  #ids = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.executor = new WildExecutor(this.clock, this.random);
    this.store = new WildStore(this.clock, this.random);
    this.#maxRuns = this.random.pick([1, 2, 3, Infinity]);
    this.#jobs = this.#anySet();
    this.ledger = new Ledger(this.#jobs, START);
    this.executor.onStart = (spec) => this.#started(spec);
    this.engine = new Engine(
      {
        clock: this.clock,
        executor: this.executor,
        store: this.store,
        observer: { observe: (event) => this.ledger.take(event, this.engine, this.clock.now()) },
        newRunId: () => `run-${(this.#ids += 1)}`,
        random: () => this.random.int(0, 999) / 1000,
      },
      { maxConcurrentRuns: this.#maxRuns, bootedAt: 0 },
    );
  }

  async live(): Promise<void> {
    this.store.wild = this.random.pick(['no', 'late', 'failing'] as const);
    this.engine.resizePools(POOLS);
    await this.engine.start(this.#jobs);
    for (let n = 0; n < STEPS; n += 1) {
      await this.#act();
      this.#check();
    }
    if (this.random.int(0, 1) === 0) await this.#calmDown();
    await this.#stop();
  }

  async #act(): Promise<void> {
    const { random, clock, engine } = this;
    switch (random.int(0, 9)) {
      case 0:
        return this.#step(
          random.pick([-2.5 * HOUR, -10 * MINUTE, -1500, -999, 999, 1500, 40 * MINUTE, 2.5 * HOUR]),
        );
      case 1:
        if (random.int(0, 3) === 0) this.#step(random.pick([-26 * HOUR, -3 * HOUR - 1, 8 * HOUR, 2 * DAY]));
        return;
      case 2:
      case 3:
        return this.#apply();
      case 4: {
        const asked = engine.runNow(random.pick(IDS));
        if (asked !== undefined) this.#manual.add(asked.id);
        if (random.int(0, 3) === 0) this.#cancel(this.#ids);
        return;
      }
      case 5:
        this.#cancel(random.int(this.#ids - 10, this.#ids));
        return;
      default:
        await clock.advance(random.pick([0, 1, SECOND, 20 * SECOND, 3 * MINUTE, 20 * MINUTE]));
    }
  }

  #cancel(number: number): void {
    const id = `run-${number}`;
    if (this.engine.cancel(id, this.random.pick(['operator', 'replaced']))) this.#cancelled.add(id);
  }

  #step(by: number): void {
    this.clock.step(by);
    this.#steppedAt = this.clock.monotonic();
  }

  async #apply(): Promise<void> {
    const before = this.#jobs;
    // Some stay as they are, written anew; some change; some leave; some come.
    this.#jobs = this.#anySet().map((next) => {
      const known = before.find(({ id }) => id === next.id);
      return known !== undefined && this.random.int(0, 2) > 0 ? structuredClone(known) : next;
    });
    this.ledger.willApply(this.#jobs, this.engine);
    await Promise.all([this.engine.apply(this.#jobs), this.clock.advance(0)]);
  }

  #anySet(): JobDefinition[] {
    return IDS.filter(() => this.random.int(0, 4) > 0).map((id) => anyJob(this.random, id));
  }

  #started({ runId, jobId, scheduledAt }: AttemptSpec): void {
    this.ledger.hold(!this.ledger.stopping, 'nothing starts once it stops');
    this.ledger.hold(!this.#cancelled.has(runId), `nothing starts of a cancelled run: ${runId}`);
    this.ledger.hold(
      this.#latest >= scheduledAt || this.clock.now() >= scheduledAt,
      `${runId} does not start early`,
    );
    const active = [...this.executor.active.values()].filter((each) => !this.#manual.has(each.runId));
    this.ledger.hold(active.length <= this.#maxRuns, 'the bound on all runs');
    const instances = active.filter((each) => each.jobId === jobId).length;
    this.ledger.hold(instances <= (MOST_OF[jobId] ?? 1), `max_instances of ${jobId}`);
  }

  /** What holds whenever nothing is under way. */
  #check(): void {
    this.#latest = Math.max(this.#latest, this.clock.now());
    const noticed = this.clock.monotonic() - this.#steppedAt >= 30 * SECOND;
    for (const { definition, active, waiting, nextSlot = Infinity } of this.engine.jobs()) {
      const { id, policy } = definition;
      this.ledger.hold(nextSlot > this.clock.now() || !noticed, `${id} is looked at in time`);
      if (policy.misfire.run === 'all') this.#caughtUpAll.add(id);
      // One for a run of its own to end, and as many as it may have at once for the bound on all runs.
      const most = this.#caughtUpAll.has(id) ? Infinity : 1 + (MOST_OF[id] ?? 1);
      this.ledger.hold(waiting <= most, `${id} holds one slot: ${waiting}`);
      const isHeld = this.#maxRuns < Infinity || policy.pool !== undefined;
      this.ledger.hold(waiting === 0 || active.length > 0 || isHeld, `${id} waits for something`);
    }
    for (const { name, used, slots } of this.engine.limits())
      this.ledger.hold(used <= slots || name.startsWith('_'), `${name} is not overfull: ${used}`);
  }

  /** With nothing new and nothing slow, all that waited comes to its end by itself. */
  async #calmDown(): Promise<void> {
    const { clock, engine, executor, store, ledger } = this;
    store.wild = 'no';
    executor.tame = true;
    this.#jobs = this.#jobs.map((each) => ({
      ...each,
      schedule: job('', { at: '2099-01-01T00:00:00Z' }).schedule,
    }));
    ledger.willApply(this.#jobs, engine);
    await Promise.all([engine.apply(this.#jobs), clock.advance(MINUTE)]);
    for (const id of ledger.open) engine.cancel(id);
    await clock.advance(DAY);
    this.ledger.hold(ledger.open.size === 0, `runs end: ${[...ledger.open].join()}`);
    for (const { definition, active, waiting } of engine.jobs())
      this.ledger.hold(
        active.length + waiting === 0,
        `${definition.id} comes to rest: ${active.length}, ${waiting}`,
      );
    const before = clock.wakeUps;
    await clock.advance(HOUR);
    this.ledger.hold(clock.wakeUps - before <= 121, `an idle hour: ${clock.wakeUps - before} wake-ups`);
  }

  async #stop(): Promise<void> {
    const { random, clock, engine, ledger, executor } = this;
    let stopped = false;
    const drain = random.pick([0, MINUTE, HOUR]);
    void engine.stop({ drain }).then(() => (stopped = true));
    for (let n = 0; n < 5; n += 1) {
      const what = random.int(0, 3);
      if (what === 0) void engine.stopNow();
      if (what === 1) void engine.apply(this.#anySet());
      if (what === 2) this.ledger.hold(engine.runNow(random.pick(IDS)) === undefined, 'no run on request');
      await clock.advance(random.pick([0, 1, SECOND, 30 * SECOND]));
    }
    await clock.advance(2 * HOUR);
    this.ledger.hold(stopped, 'it stops');
    const left = new Set([...executor.active.values()].map(({ runId }) => runId));
    for (const id of ledger.open) this.ledger.hold(left.has(id), `no run is forgotten: ${id}`);
    const before = clock.wakeUps;
    await clock.advance(HOUR);
    this.ledger.hold(clock.wakeUps === before, 'no timer is left');
  }
}

describe('an engine among wild neighbours', () => {
  it('keeps its promises whatever happens, and in whatever order', async () => {
    let slots = 0;
    for (let n = 0; n < SCENARIOS; n += 1) {
      const scenario = new Scenario(SEED + n);
      await scenario.live();
      slots += scenario.ledger.balance(scenario.store);
      expect(scenario.ledger.broken, `TSCHED_TEST_SEED=${SEED + n}`).toEqual([]);
    }
    expect(slots).toBeGreaterThan(500 * SCENARIOS);
  });
});
