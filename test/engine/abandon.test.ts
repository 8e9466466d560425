/** An engine that is abandoned does nothing any more, whatever it was about; the one after it goes on, each slot exactly once. */
import { describe, expect, it, vi } from 'vitest';
import { EngineAbandoned } from '../../src/engine/engine.ts';
import type { AttemptSpec, EngineEvent, Store } from '../../src/engine/ports.ts';
import type { JobDefinition } from '../../src/model.ts';
import { abandoned, cluster, type Cluster } from '../support/abandoned.ts';
import { rig } from '../support/engine.ts';
import { settled } from '../support/fake-clock.ts';
import { FAILED, job } from '../support/jobs.ts';
import { DAY, DurableStore, HOUR, MINUTE, RETRY, SECOND, START } from '../support/left.ts';
import type { NodeScript } from '../support/nodes.ts';
import { newPath, open } from '../store/files.ts';
import { taking } from '../support/pooled.ts';
import { PATIENCE } from '../support/patience.ts';

const AT = '2026-01-01T00:00:10Z';
const LONG: NodeScript = { lasts: 30 * MINUTE };

interface Case {
  readonly name: string;
  readonly jobs: readonly JobDefinition[];
  readonly script?: (spec: AttemptSpec) => NodeScript;
  /** What the first engine does before it is abandoned. */
  readonly act?: (made: Cluster) => void | Promise<void>;
  /** The state that the case is about, as the first engine tells it. */
  readonly until: (events: readonly EngineEvent[], made: Cluster) => boolean;
  /** All that nodes ever begin. */
  readonly begun: readonly string[];
}

const has =
  (kind: EngineEvent['kind']) =>
  (events: readonly EngineEvent[]): boolean =>
    events.some((event) => event.kind === kind);

const waitsFor =
  (reason: 'overlap' | 'limit' | 'dependency') =>
  (events: readonly EngineEvent[]): boolean =>
    events.some((event) => event.kind === 'run_waiting' && event.reason === reason);

const POOL = taking({}, { priority: 0 });

const CASES: readonly Case[] = [
  { name: 'nothing is due', jobs: [job('a', { at: AT })], until: () => true, begun: ['a 00:00:10#1'] },
  {
    name: 'a run runs',
    jobs: [job('a', { at: AT })],
    script: () => LONG,
    until: has('attempt_started'),
    begun: ['a 00:00:10#1'],
  },
  {
    name: 'an attempt waits for a node',
    jobs: [job('a', { at: AT })],
    script: () => ({ waits: 10 * MINUTE }),
    until: has('run_claimed'),
    begun: ['a 00:00:10#1'],
  },
  {
    name: 'an attempt is over before anybody hears of it',
    jobs: [job('a', { at: AT })],
    script: () => ({ lasts: 30 * SECOND }),
    until: has('attempt_started'),
    begun: ['a 00:00:10#1'],
  },
  {
    name: 'a run waits for its retry',
    jobs: [job('a', { at: AT, policy: { retry: { ...RETRY, delay: 5 * MINUTE } } })],
    script: ({ attempt }) => (attempt === 1 ? { outcome: FAILED } : {}),
    until: has('retry_scheduled'),
    begun: ['a 00:00:10#1', 'a 00:00:10#2'],
  },
  {
    name: 'a slot waits in line for a pool',
    jobs: [job('a', { at: AT, ...POOL }), job('b', { at: '2026-01-01T00:00:11Z', ...POOL })],
    script: () => ({ lasts: 10 * MINUTE }),
    act: ({ first }) => first.engine.resizePools({ database: 1 }),
    until: waitsFor('limit'),
    begun: ['a 00:00:10#1', 'b 00:00:11#1'],
  },
  {
    name: 'a run by hand waits in line for its pool',
    jobs: [job('a', { at: AT, ...POOL }), job('b', { at: '2027-01-01T00:00:00Z', ...POOL })],
    script: () => ({ lasts: 10 * MINUTE }),
    act: async ({ first, clock }) => {
      first.engine.resizePools({ database: 1 });
      await clock.advance(10 * SECOND);
      first.engine.runNow('b');
    },
    until: (events) => events.some((event) => event.kind === 'run_claimed' && event.run.jobId === 'b'),
    begun: ['a 00:00:10#1', 'b 00:00:10#1'],
  },
  {
    name: 'a slot waits for a run of its own job',
    jobs: [
      job('a', {
        every: MINUTE,
        schedule: { end: Date.parse('2026-01-01T00:02:30Z') },
        policy: { overlap: 'queue' },
      }),
    ],
    script: () => ({ lasts: 90 * SECOND }),
    until: waitsFor('overlap'),
    begun: ['a 00:01:00#1', 'a 00:02:00#1'],
  },
  {
    name: 'a slot is held until what it needs is over',
    jobs: [
      job('a', { at: AT }),
      job('b', {
        at: '2026-01-01T00:00:20Z',
        needs: { jobs: ['a'], timeout: HOUR, failed: 'skip' } as const,
      }),
    ],
    script: ({ jobId }) => (jobId === 'a' ? { lasts: 5 * MINUTE } : {}),
    until: waitsFor('dependency'),
    begun: ['a 00:00:10#1', 'b 00:00:20#1'],
  },
  {
    name: 'a follower waits for the other that it follows',
    jobs: [job('c', { after: ['a', 'b'] }), job('a', { at: AT }), job('b', { at: AT })],
    script: ({ jobId }) => (jobId === 'b' ? { lasts: 5 * MINUTE } : { lasts: SECOND }),
    until: has('run_finished'),
    begun: ['a 00:00:10#1', 'b 00:00:10#1', 'c 00:00:10#1'],
  },
  {
    name: 'what a follower follows ends with nobody there',
    jobs: [job('b', { after: ['a'] }), job('a', { at: AT })],
    script: ({ jobId }) => (jobId === 'a' ? { lasts: 30 * SECOND } : {}),
    until: has('attempt_started'),
    begun: ['a 00:00:10#1', 'b 00:00:10#1'],
  },
  {
    name: 'parts run, wait for a node and for their retry',
    jobs: [job('a', { at: AT, shards: 3, policy: { retry: { ...RETRY, delay: 5 * MINUTE } } })],
    script: ({ shard, attempt }) =>
      [{ lasts: 10 * MINUTE }, { waits: 10 * MINUTE }, attempt === 1 ? { outcome: FAILED } : {}][
        shard?.index ?? 0
      ] ?? {},
    until: (events) =>
      events.some((event) => event.kind === 'shard_changed' && event.change === 'retry_scheduled'),
    begun: ['a.0 00:00:10#1', 'a.2 00:00:10#1', 'a.2 00:00:10#2', 'a.1 00:00:10#1'],
  },
];

describe('abandoned while', () => {
  it.each(CASES)('$name', async ({ jobs, script, act, until, begun }) => {
    const made = cluster(script);
    const { clock, first, nodes, second, runs } = made;
    await first.engine.start(jobs);
    await act?.(made);
    while (!until(first.events, made)) {
      expect(clock.now()).toBeLessThan(Date.parse(START) + HOUR);
      await clock.advance(SECOND);
    }
    await abandoned(made);
    const next = second(jobs);
    next.engine.resizePools({ database: 1 });
    await clock.advance(2 * HOUR);
    await next.started;
    expect(nodes.begun.toSorted()).toEqual(begun.toSorted());
    const all = await runs();
    expect(all.map(({ jobId, state, outcome }) => `${jobId} ${state} ${outcome?.kind}`)).toEqual(
      all.map(({ jobId }) => `${jobId} finished succeeded`),
    );
  });
});

describe('abandoned in the middle of', () => {
  /** A store of which one answer is long in coming. */
  function slow(method: Exclude<keyof Store, 'recorded'>) {
    const arrived = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const store = new DurableStore();
    const real = store[method] as (...given: unknown[]) => Promise<unknown>;
    let isHeld = true;
    const held = async (...given: unknown[]): Promise<unknown> => {
      const value = await real.apply(store, given);
      if (!isHeld) return value;
      arrived.resolve();
      await answer.promise;
      return value;
    };
    Object.assign(store, { [method]: held });
    const release = (): void => {
      isHeld = false;
      answer.resolve();
    };
    return { store, arrived: arrived.promise, release };
  }

  const JOBS = [job('a', { at: AT })];

  it('a claim that comes through afterwards: the next one begins its run', async () => {
    const { store, arrived, release } = slow('claim');
    const made = cluster(() => ({}), store);
    await made.first.engine.start(JOBS);
    await made.clock.advance(10 * SECOND);
    await arrived;
    await abandoned(made);
    release();
    await abandoned(made);
    expect(made.nodes.begun).toEqual([]);
    const next = made.second(JOBS);
    await made.clock.advance(MINUTE);
    expect(next.events).toContainEqual(expect.objectContaining({ found: 'never_begun' }));
    expect(made.nodes.begun).toEqual(['a 00:00:10#2']);
    expect(await made.runs()).toMatchObject([{ id: 'one-1', outcome: { kind: 'succeeded' } }]);
  });

  it('a save that comes through afterwards: the attempt is not begun by it', async () => {
    const retries = [job('a', { at: AT, policy: { retry: { ...RETRY, limit: 1, delay: SECOND } } })];
    const made = cluster(({ attempt }) => (attempt === 1 ? { outcome: FAILED } : {}));
    const save = made.store.save.bind(made.store);
    const answer = Promise.withResolvers<void>();
    made.store.save = async (run) => {
      await save(run);
      if (run.attempts.length === 2) await answer.promise;
    };
    await made.first.engine.start(retries);
    await made.clock.advance(20 * SECOND);
    await abandoned(made);
    answer.resolve();
    await abandoned(made);
    expect(made.nodes.begun).toEqual(['a 00:00:10#1']);
    made.second(retries);
    await made.clock.advance(MINUTE);
    expect(made.nodes.begun).toEqual(['a 00:00:10#1', 'a 00:00:10#3']);
  });

  it.each(['places', 'unfinished', 'place', 'latest'] as const)(
    'start, while the store owes it %s',
    async (method) => {
      const { store, arrived, release } = slow(method);
      const needs = { jobs: ['a'], timeout: HOUR, failed: 'skip' } as const;
      const jobs = [...JOBS, job('b', { at: '2027-01-01T00:00:00Z', needs })];
      const made = cluster(() => ({}), store);
      const started = made.first.engine.start(jobs);
      await arrived;
      await abandoned(made, 0);
      await started;
      release();
      await abandoned(made, SECOND);
      made.second(jobs);
      await made.clock.advance(MINUTE);
      expect(made.nodes.begun).toEqual(['a 00:00:10#1']);
    },
  );

  it('taking up what an earlier one left: it is not followed', async () => {
    const made = cluster(() => LONG);
    const zeroth = made.second(JOBS);
    await made.clock.advance(MINUTE);
    zeroth.engine.abandon();
    const recover = made.nodes.recover.bind(made.nodes);
    const answer = Promise.withResolvers<void>();
    made.nodes.recover = async (spec) => {
      await answer.promise;
      return recover(spec);
    };
    const started = made.first.engine.start(JOBS);
    await made.clock.advance(0);
    await abandoned(made);
    await started;
    answer.resolve();
    await abandoned(made);
    made.second(JOBS);
    await made.clock.advance(HOUR);
    expect(made.nodes.begun).toEqual(['a 00:00:10#1']);
    expect([...made.nodes.entries.values()].map(({ listeners }) => listeners.length)).toEqual([2]);
    expect(await made.runs()).toMatchObject([{ outcome: { kind: 'succeeded' } }]);
  });

  it('apply, which answers at once, as does one that waits for it', async () => {
    const { store, arrived, release } = slow('place');
    const made = cluster(() => ({}), store);
    await made.first.engine.start([]);
    const applied = made.first.engine.apply(JOBS);
    const after = made.first.engine.apply([]);
    await arrived;
    await abandoned(made, 0);
    expect(await applied).toMatchObject({ added: ['a'] });
    expect(await after).toMatchObject({ removed: [] });
    release();
    await abandoned(made);
    made.second(JOBS);
    await made.clock.advance(MINUTE);
    expect(made.nodes.begun).toEqual(['a 00:00:10#1']);
  });

  it('stop, which is over at once', async () => {
    const made = cluster(() => LONG);
    await made.first.engine.start(JOBS);
    await made.clock.advance(MINUTE);
    const stopped = made.first.engine.stop({ drain: HOUR });
    await settled();
    await abandoned(made);
    await expect(stopped).resolves.toBeUndefined();
  });

  it('what an operator asked: that is not answered as if it held', async () => {
    const { store, arrived } = slow('pause');
    const made = cluster(() => ({}), store);
    await made.first.engine.start(JOBS);
    const paused = made.first.engine.pause('a', { since: made.clock.now() });
    await arrived;
    const refused = paused.catch((error: unknown) => error);
    await abandoned(made, 0);
    expect(await refused).toBeInstanceOf(EngineAbandoned);
    await expect(made.first.engine.resume('a')).rejects.toThrow(EngineAbandoned);
  });

  it('a call of the store, which found out that another decides', async () => {
    const made = cluster();
    made.store.claim = async () => {
      made.first.engine.abandon();
      return [true];
    };
    await made.first.engine.start([job('b', { at: AT }), ...JOBS]);
    await made.clock.advance(10 * SECOND);
    expect(made.first.engine.abandoned).toBe(true);
    await abandoned(made);
    expect(made.nodes.begun).toEqual([]);
  });

  it('a replay: the next one goes on with it, each slot once', async () => {
    const jobs = [job('a', { cron: '0 0 * * *' })];
    const made = cluster(() => ({ lasts: MINUTE }));
    await made.first.engine.start(jobs);
    const day = Date.parse('2025-12-01T00:00:00Z');
    const slots = [0, 1, 2, 3].map((hour) => day + hour * HOUR);
    await made.first.engine.replays.begin({
      jobId: 'a',
      from: day,
      to: day + DAY,
      order: 'oldest',
      missingOnly: false,
      parallel: 1,
      slots,
    });
    await made.clock.advance(90 * SECOND);
    await abandoned(made);
    expect(made.first.engine.replays.cancel('one-1')).toBeUndefined();
    made.second(jobs);
    await made.clock.advance(HOUR);
    expect(made.nodes.begun).toEqual(
      slots.map((slot) => `a ${new Date(slot).toISOString().slice(11, 19)}#1`),
    );
  });
});

describe('abandoned over a database', () => {
  it('leaves to the next one what it recorded, and that alone', async () => {
    const path = newPath();
    const jobs = [
      job('c', { after: ['a'] }),
      job('a', { at: AT }),
      job('b', { at: AT, policy: { retry: { ...RETRY, delay: 10 * MINUTE } } }),
    ];
    const script = ({ jobId, attempt }: AttemptSpec): NodeScript => {
      if (jobId === 'a') return { waits: 5 * MINUTE };
      return jobId === 'b' && attempt === 1 ? { outcome: FAILED } : {};
    };
    const before = await open(path);
    const made = cluster(script, before);
    await made.first.engine.start(jobs);
    await made.clock.advance(10 * SECOND);
    const comes = (kinds: () => readonly string[], kind: string, count: number): Promise<void> =>
      vi.waitFor(
        async () => {
          await made.clock.advance(0);
          expect(kinds().filter((each) => each === kind)).toHaveLength(count);
        },
        { timeout: PATIENCE },
      );
    await comes(made.first.kinds, 'retry_scheduled', 1);
    await abandoned(made);
    // What was asked before is recorded; then another process would open it.
    await before.close();
    const after = await open(path);
    const { engine, kinds } = rig({ ...made, store: after, executor: made.nodes, ids: 'two' });
    await engine.start(jobs);
    await made.clock.advance(4 * MINUTE);
    await comes(kinds, 'run_finished', 2);
    await made.clock.advance(10 * MINUTE);
    await comes(kinds, 'run_finished', 3);
    expect(made.nodes.begun).toEqual(['b 00:00:10#1', 'a 00:00:10#1', 'c 00:00:10#1', 'b 00:00:10#2']);
    await engine.stop({ drain: 0 });
    await after.close();
  });
});
