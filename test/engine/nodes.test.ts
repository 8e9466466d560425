/** Attempts that wait for a node: they begin when one takes them, whoever decides then. */
import { describe, expect, it } from 'vitest';
import type { AttemptSpec } from '../../src/engine/ports.ts';
import type { RunRecord } from '../../src/model.ts';
import { rig } from '../support/engine.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FAILED, job } from '../support/jobs.ts';
import { DurableStore, MINUTE, RETRY, SECOND, SLOT, START } from '../support/left.ts';
import { Nodes, type NodeScript } from '../support/nodes.ts';
import { runOf } from '../support/pooled.ts';

const AT = '2026-01-01T00:00:10Z';

function cluster(script: (spec: AttemptSpec) => NodeScript = () => ({ waits: Infinity })) {
  const clock = new FakeClock(START);
  const nodes = new Nodes(clock, script);
  const store = new DurableStore();
  const engine = (ids: string) => rig({ clock, store, executor: nodes, ids });
  const run = async (id = 'a'): Promise<RunRecord> => runOf(await store.history({}), id);
  return { clock, nodes, store, engine, run };
}

describe('an attempt that waits for a node', () => {
  it('begins with its report: so says the history, and how long it took', async () => {
    const { clock, engine, run } = cluster(() => ({ waits: MINUTE, lasts: 5 * SECOND }));
    const { engine: first, events } = engine('one');
    await first.start([job('a', { at: AT })]);
    await clock.advance(2 * MINUTE);
    expect(await run()).toMatchObject({
      claimedAt: SLOT,
      attempts: [{ startedAt: SLOT + MINUTE, duration: 5 * SECOND, node: 'n1', pid: 7, startTime: 70 }],
    });
    const started = events.find(({ kind }) => kind === 'attempt_started');
    expect(started).toMatchObject({ pid: 7, run: { attempts: [{ startedAt: SLOT + MINUTE }] } });
  });

  it('began when its node says so, where its start and its end are heard of at once', async () => {
    const { clock, engine, run } = cluster(() => ({ waits: MINUTE, lasts: 5 * SECOND, measures: true }));
    const { engine: first, events } = engine('one');
    await first.start([job('a', { at: AT })]);
    await clock.advance(2 * MINUTE);
    const attempt = { startedAt: SLOT + MINUTE, duration: 5 * SECOND, node: 'n1' };
    expect(await run()).toMatchObject({
      finishedAt: SLOT + MINUTE + 5 * SECOND,
      attempts: [{ ...attempt, finishedAt: SLOT + MINUTE + 5 * SECOND }],
    });
    expect(events.find(({ kind }) => kind === 'attempt_ended')).toMatchObject({ duration: 5 * SECOND });
  });

  it('is known to wait, and for which labels, until a node has it', async () => {
    const { clock, engine, run } = cluster(() => ({ waits: MINUTE, lasts: MINUTE }));
    const { engine: first } = engine('one');
    await first.start([{ ...job('a', { at: AT }), runsOn: ['eu', 'gpu'] }]);
    await clock.advance(30 * SECOND);
    expect(first.run('one-1')).toMatchObject({ attempts: [{ awaits: ['eu', 'gpu'] }] });
    await clock.advance(MINUTE);
    expect((await run()).attempts[0]).not.toHaveProperty('awaits');
  });

  it('has its whole time-out from then on', async () => {
    const { clock, nodes, engine, run } = cluster(() => ({ waits: 10 * MINUTE, lasts: Infinity }));
    await engine('one').engine.start([job('a', { at: AT, policy: { timeout: MINUTE } })]);
    await clock.advance(10 * SECOND + 10 * MINUTE + MINUTE - 1);
    expect(nodes.stops).toEqual([]);
    await clock.advance(1);
    expect(nodes.stops).toEqual(['a 00:00:10#1 timed_out']);
    expect(await run()).toMatchObject({
      outcome: { kind: 'timed_out' },
      attempts: [{ duration: MINUTE, timeout: MINUTE }],
    });
  });

  it('took no time if no node had it before it was cancelled', async () => {
    const { clock, engine, run } = cluster();
    const { engine: first } = engine('one');
    await first.start([job('a', { at: AT })]);
    await clock.advance(MINUTE);
    first.cancel('one-1');
    await clock.advance(0);
    expect(await run()).toMatchObject({ outcome: { kind: 'cancelled' }, attempts: [{ duration: 0 }] });
    expect((await run()).attempts[0]).not.toHaveProperty('node');
  });

  it('has its whole time-out in each part of a run, and in each retry', async () => {
    const { clock, nodes, engine } = cluster(() => ({ waits: 2 * MINUTE, lasts: Infinity }));
    const policy = { timeout: MINUTE, retry: { ...RETRY, limit: 1, delay: SECOND } };
    await engine('one').engine.start([job('a', { at: AT, shards: 2, policy })]);
    await clock.advance(10 * MINUTE);
    expect(nodes.begun).toEqual(['a.0 00:00:10#1', 'a.1 00:00:10#1', 'a.0 00:00:10#2', 'a.1 00:00:10#2']);
    expect(nodes.stops).toEqual(nodes.begun.map((attempt) => `${attempt} timed_out`));
  });
});

describe('what an attempt is handed over with', () => {
  const specs = async (given: Parameters<typeof job>[1], act?: (made: ReturnType<typeof rig>) => void) => {
    const { clock, nodes, engine } = cluster(() => ({ outcome: FAILED }));
    const made = engine('one');
    const definition = { ...job('a', given), runsOn: ['eu', 'gpu'] };
    await made.engine.start([definition]);
    act?.(made);
    await clock.advance(10 * MINUTE);
    return Array.from(nodes.entries.values(), ({ spec }) => spec);
  };

  it('says which labels and what priority', async () => {
    expect(await specs({ at: AT, policy: { priority: 7 } })).toMatchObject([
      { runsOn: ['eu', 'gpu'], priority: 7, forSlot: true },
    ]);
  });

  it('says of a retry too that it is for the slot', async () => {
    expect(await specs({ at: AT, policy: { retry: { ...RETRY, limit: 1 } } })).toMatchObject([
      { cause: 'schedule', forSlot: true },
      { cause: 'retry', attempt: 2, forSlot: true },
    ]);
  });

  it('says of a part, and of a run by hand, that it is for none', async () => {
    expect(await specs({ at: AT, shards: 1 })).toMatchObject([{ cause: 'schedule', forSlot: false }]);
    const byHand = await specs(
      { at: '2027-01-01T00:00:00Z', policy: { retry: { ...RETRY, limit: 1 } } },
      (made) => made.engine.runNow('a'),
    );
    expect(byHand).toMatchObject([
      { cause: 'manual', forSlot: false },
      { cause: 'retry', forSlot: false },
    ]);
  });
});

describe('a new engine finds', () => {
  async function takenOver(script: NodeScript, policy = {}, shards?: number) {
    const made = cluster(() => script);
    const { clock, engine } = made;
    const jobs = [job('a', { at: AT, policy, ...(shards !== undefined && { shards }) })];
    const first = engine('one');
    await first.engine.start(jobs);
    await clock.advance(MINUTE);
    first.engine.abandon();
    await clock.advance(MINUTE);
    const second = engine('two');
    await second.engine.start(jobs);
    return { ...made, second };
  }

  it('what waits for a node: it goes on waiting, with its whole time-out', async () => {
    const { clock, nodes, run, second } = await takenOver(
      { waits: Infinity, lasts: Infinity },
      { timeout: MINUTE },
    );
    expect(second.events).toContainEqual(expect.objectContaining({ kind: 'run_recovered', found: 'queued' }));
    await clock.advance(10 * MINUTE);
    nodes.take();
    await clock.advance(MINUTE - 1);
    expect(nodes.stops).toEqual([]);
    await clock.advance(1);
    expect(nodes.begun).toEqual(['a 00:00:10#1']);
    expect(await run()).toMatchObject({
      outcome: { kind: 'timed_out' },
      attempts: [{ startedAt: Date.parse('2026-01-01T00:12:00Z'), duration: MINUTE, node: 'n1' }],
    });
  });

  it('what a node began while nobody decided: it tells when, and what is left of its time-out', async () => {
    const { clock, nodes, run } = await takenOver(
      { waits: 80 * SECOND, lasts: Infinity },
      { timeout: MINUTE },
    );
    // Begun at 00:01:30, found at 00:02:00.
    expect(await run()).toMatchObject({ attempts: [{ startedAt: Date.parse('2026-01-01T00:01:30Z') }] });
    await clock.advance(30 * SECOND - 1);
    expect(nodes.stops).toEqual([]);
    await clock.advance(1);
    expect(nodes.stops).toEqual(['a 00:00:10#1 timed_out']);
    expect(await run()).toMatchObject({ attempts: [{ duration: MINUTE, node: 'n1' }] });
  });

  it('what a node began and ended while nobody decided', async () => {
    const { run, clock } = await takenOver({ waits: 80 * SECOND, lasts: 5 * SECOND });
    await clock.advance(0);
    expect(await run()).toMatchObject({
      finishedAt: Date.parse('2026-01-01T00:01:35Z'),
      attempts: [{ startedAt: Date.parse('2026-01-01T00:01:30Z'), duration: 5 * SECOND, node: 'n1' }],
    });
  });

  it('what no node said it began, and is over: it took no time, however long it waited', async () => {
    const { clock, nodes, engine, run } = cluster();
    const jobs = [job('a', { at: AT })];
    const first = engine('one');
    await first.engine.start(jobs);
    await clock.advance(MINUTE);
    first.engine.abandon();
    await clock.advance(MINUTE);
    const outcome = { kind: 'lost', message: 'its node was not heard of' } as const;
    nodes.recover = async () => ({ kind: 'ended', outcome, at: clock.now(), node: 'n2' });
    await engine('two').engine.start(jobs);
    expect(await run()).toMatchObject({ outcome, attempts: [{ startedAt: SLOT, duration: 0, node: 'n2' }] });
  });

  it('parts that wait: the whole begins, once, with the first that a node takes', async () => {
    const { nodes, clock, second } = await takenOver({ waits: Infinity, lasts: MINUTE }, {}, 2);
    nodes.take();
    await clock.advance(MINUTE);
    expect(second.kinds()).toEqual([
      'run_recovered',
      'engine_started',
      'attempt_started',
      ...Array<string>(6).fill('shard_changed'),
      'run_finished',
    ]);
  });

  it('each part where it is', async () => {
    const { run, nodes, clock } = await takenOver({ waits: 80 * SECOND, lasts: MINUTE }, {}, 3);
    await clock.advance(MINUTE);
    expect(nodes.begun).toEqual(['a.0 00:00:10#1', 'a.1 00:00:10#1', 'a.2 00:00:10#1']);
    const finished = expect.objectContaining({ state: 'finished' }) as unknown;
    expect(await run()).toMatchObject({ state: 'finished', shards: [finished, finished, finished] });
  });
});

describe('a start of a daemon, told from a take-over', () => {
  it.each(['daemon', 'boot'] as const)(
    'startup: %s fires once however many nodes decide one after another',
    async (startup) => {
      const { clock, store, nodes } = cluster(() => ({}));
      const upSince = clock.now();
      for (const ids of ['one', 'two', 'three']) {
        await clock.advance(MINUTE);
        const { engine } = rig({ clock, store, executor: nodes, ids, settings: { upSince } });
        await engine.start([job('a', { startup })]);
        await clock.advance(MINUTE);
        engine.abandon();
      }
      expect(nodes.begun).toEqual(['a 00:00:00#1']);
      const again = rig({ clock, store, executor: nodes, ids: 'later', settings: { upSince: clock.now() } });
      await again.engine.start([job('a', { startup })]);
      await clock.advance(MINUTE);
      expect(nodes.begun).toEqual(['a 00:00:00#1', 'a 00:06:00#1']);
    },
  );
});
