/** A daemon that was killed, and the one that comes after it: what was under way, and what waits. */
import { describe, expect, it } from 'vitest';
import type { AttemptSpec, Recovery } from '../../src/engine/ports.ts';
import type { JobDefinition, RunRecord } from '../../src/model.ts';
import { rig, time } from '../support/engine.ts';
import { job } from '../support/jobs.ts';
import {
  DAY,
  DurableStore,
  FAILS,
  HOUR,
  left,
  MINUTE,
  once,
  RETRY,
  runOf,
  SECOND,
  SLOT,
  START,
  survivor,
} from '../support/left.ts';
import type { Script } from '../support/scripted-executor.ts';

function runningSince(startedAt: number, more: object = {}): Partial<RunRecord> {
  return { state: 'running', attempts: [{ number: 1, startedAt, pid: 7, startTime: 70, ...more }] };
}

const STATES: readonly [string, Partial<RunRecord>][] = [
  ['claimed', {}],
  ['running, its start not saved', { state: 'running', attempts: [{ number: 1, startedAt: SLOT }] }],
  ['running', runningSince(SLOT)],
];

/** A daemon that finds a store in which a run was left; `found` is what became of it. */
async function daemonAfter(
  run: Partial<RunRecord>,
  {
    jobs = [once()],
    found,
    at = SLOT + 500,
    script,
  }: {
    jobs?: readonly JobDefinition[];
    found?: (spec: AttemptSpec) => Recovery;
    at?: number;
    script?: (spec: AttemptSpec) => Script;
  },
) {
  const store = new DurableStore();
  await store.claim([left(run)], []);
  await store.save(left(run));
  const made = rig({ store, start: new Date(at).toISOString(), ids: 'next', ...(script && { script }) });
  if (found !== undefined) made.executor.found = found;
  await made.engine.start(jobs);
  await made.clock.advance(0);
  return { ...made, run: async () => runOf(await made.history(), 'left') };
}

describe.each(STATES)('a run that was %s', (_, state) => {
  it('and still runs is followed to its end, in the row it has', async () => {
    const { recovery, end } = survivor(500);
    const { run, clock, executor, events } = await daemonAfter(state, { found: () => recovery });
    expect(await run()).toMatchObject({ state: 'running', attempts: [{ number: 1, pid: 7, startTime: 70 }] });
    expect(events).toContainEqual(expect.objectContaining({ kind: 'run_recovered', found: 'running' }));
    await clock.advance(HOUR);
    end();
    await clock.advance(0);
    expect(await run()).toMatchObject({
      state: 'finished',
      finishedAt: SLOT + 500 + HOUR,
      outcome: { kind: 'succeeded' },
      attempts: [{ number: 1, startedAt: SLOT, duration: HOUR + 500 }],
    });
    expect(executor.starts).toEqual([]);
  });

  it.each([
    ['succeeded', { kind: 'succeeded', exitCode: 0 }],
    ['failed', { kind: 'failed', exitCode: 3 }],
    ['lost', { kind: 'lost', message: '' }],
  ] as const)('and has ended meanwhile (%s) is finished as of then', async (_kind, outcome) => {
    const at = SLOT + 300;
    const { run, executor } = await daemonAfter(state, { found: () => ({ kind: 'ended', outcome, at }) });
    expect(await run()).toMatchObject({
      state: 'finished',
      finishedAt: at,
      outcome,
      attempts: [{ number: 1, startedAt: SLOT, finishedAt: at, duration: 300, outcome }],
    });
    expect(executor.starts).toEqual([]);
  });

  it('and has failed or is lost is tried again where the policy says so', async () => {
    const outcome = { kind: 'lost', message: '' } as const;
    const { run, clock, executor } = await daemonAfter(state, {
      jobs: [once({ retry: RETRY })],
      found: () => ({ kind: 'ended', outcome }),
    });
    expect(await run()).toMatchObject({ state: 'retrying', retryAt: SLOT + 500 + MINUTE });
    await clock.advance(HOUR);
    expect(executor.starts.map(({ spec, at }) => [spec.attempt, spec.cause, at])).toEqual([
      [2, 'retry', SLOT + 500 + MINUTE],
    ]);
    expect(await run()).toMatchObject({ state: 'finished', outcome: { kind: 'succeeded' } });
  });

  it('but was never begun is begun once, and that costs no retry', async () => {
    const { run, clock, executor } = await daemonAfter(state, {
      jobs: [once({ retry: RETRY })],
      script: () => FAILS,
    });
    await clock.advance(HOUR);
    expect(executor.starts.map(({ spec }) => [spec.attempt, spec.cause])).toEqual([
      [2, 'schedule'],
      [3, 'retry'],
      [4, 'retry'],
    ]);
    const { attempts } = await run();
    expect(attempts[0]).toMatchObject({ number: 1, outcome: { kind: 'not_started' } });
    expect(attempts[0]).not.toHaveProperty('duration');
    expect(attempts).toHaveLength(4);
  });

  it.each([
    ['within the grace', { run: 'latest', grace: HOUR, max: 1 }, HOUR - MINUTE, 1],
    ['after the grace', { run: 'latest', grace: HOUR, max: 1 }, HOUR + MINUTE, 0],
    ['with no grace to it', { run: 'latest', max: 1 }, DAY, 1],
    ['within a moment', { run: 'none', max: 1 }, 900, 1],
    ['with nothing to be caught up', { run: 'none', max: 1 }, 2 * SECOND, 0],
  ] as const)('but was never begun, %s', async (_name, misfire, late, starts) => {
    const { run, executor } = await daemonAfter(state, { jobs: [once({ misfire })], at: SLOT + late });
    expect(executor.starts).toHaveLength(starts);
    const kind = starts === 0 ? 'not_started' : 'succeeded';
    expect(await run()).toMatchObject({ state: 'finished', outcome: { kind } });
  });

  it('is finished as it was found when its job has left or rests', async () => {
    for (const jobs of [[], [{ ...once({ retry: RETRY }), enabled: false }]]) {
      const { run, executor, clock } = await daemonAfter(state, { jobs });
      await clock.advance(DAY);
      expect(await run()).toMatchObject({ state: 'finished', outcome: { kind: 'not_started' } });
      expect(executor.starts).toEqual([]);
    }
    const { run, executor, clock } = await daemonAfter(state, {
      jobs: [],
      found: () => ({ kind: 'ended', outcome: { kind: 'failed', exitCode: 3 } }),
    });
    await clock.advance(DAY);
    expect(await run()).toMatchObject({ state: 'finished', outcome: { kind: 'failed' } });
    expect(executor.starts).toEqual([]);
  });
});

describe('a survivor', () => {
  it.each(['skip', 'queue', 'replace', 'allow'] as const)('counts for overlap: %s', async (overlap) => {
    const { recovery, stops, end } = survivor(50 * SECOND);
    const minutely = job('a', { every: MINUTE, policy: { overlap } });
    const { clock, skips, slots } = await daemonAfter(runningSince(SLOT), {
      jobs: [minutely],
      found: () => recovery,
      at: SLOT + 20 * SECOND,
    });
    await clock.advance(MINUTE);
    expect(slots('a')).toEqual([]);
    expect(stops).toEqual(overlap === 'replace' ? [{ kind: 'cancelled', by: 'replaced' }] : []);
    end();
    await clock.advance(SECOND);
    const waited = overlap === 'queue' || overlap === 'replace';
    expect(slots('a')).toEqual(waited ? ['00:01:00'] : []);
    const reason = overlap === 'allow' ? 'limit' : 'overlap';
    expect(skips()).toEqual(waited ? [] : [`a 00:01:00 1 ${reason}`]);
  });

  it('of a job that left, or has another schedule now, still counts for those of its name', async () => {
    const { recovery, end } = survivor(0);
    const { clock, engine, slots, skips } = await daemonAfter(runningSince(SLOT), {
      jobs: [],
      found: () => recovery,
    });
    void engine.apply([job('a', { every: 30 * SECOND })]);
    await clock.advance(30 * SECOND);
    expect(skips()).toEqual(['a 00:00:30 1 overlap']);
    end();
    await clock.advance(30 * SECOND);
    expect(slots('a')).toEqual(['00:01:00']);
  });

  it.each([
    ['what is left of the time-out it began with', 40 * SECOND, 50 * SECOND, { timeout: 10 * MINUTE }],
    ['at once when that has passed already', 2 * MINUTE, 0, {}],
  ])('is given %s', async (_name, ranFor, more, policy) => {
    const { recovery, stops } = survivor(ranFor);
    const { clock } = await daemonAfter(runningSince(SLOT, { timeout: 90 * SECOND }), {
      jobs: [once(policy)],
      found: () => recovery,
    });
    await clock.advance(Math.max(more - 1, 0));
    expect(stops).toHaveLength(more === 0 ? 1 : 0);
    await clock.advance(1);
    expect(stops).toEqual([{ kind: 'timed_out', after: 90 * SECOND }]);
  });

  it('takes its place among all runs of the daemon', async () => {
    const { recovery, end } = survivor(0);
    const store = new DurableStore();
    await store.claim([left(runningSince(SLOT))], []);
    const made = rig({
      store,
      start: '2026-01-01T00:00:20Z',
      ids: 'next',
      settings: { maxConcurrentRuns: 1 },
    });
    made.executor.found = () => recovery;
    await made.engine.start([once(), job('b', { every: MINUTE })]);
    await made.clock.advance(2 * MINUTE);
    expect(made.started()).toEqual([]);
    end();
    await made.clock.advance(0);
    expect(made.slots('b')).toEqual(['00:01:00']);
  });
});

describe('a retry that waits', () => {
  it('keeps its number and its time, however often the daemon is killed', async () => {
    const store = new DurableStore();
    const script = () => FAILS;
    const first = rig({ store, start: START, script });
    const jobs = [once({ retry: { ...RETRY, delay: 30 * MINUTE } })];
    await first.engine.start(jobs);
    await first.clock.advance(MINUTE);
    for (let daemon = 2; daemon < 5; daemon += 1) {
      const at = `2026-01-01T00:0${daemon}:00Z`;
      const next = rig({ store, start: at, ids: `daemon-${daemon}`, script });
      await next.engine.start(jobs);
      await next.clock.advance(SECOND);
      expect(next.executor.starts).toEqual([]);
    }
    const last = rig({ store, start: '2026-01-01T00:10:00Z', ids: 'last', script });
    await last.engine.start(jobs);
    await last.clock.advance(2 * HOUR);
    expect(last.executor.starts.map(({ spec, at }) => [spec.attempt, time(at)])).toEqual([
      [2, '00:30:10'],
      [3, '01:00:10'],
    ]);
  });

  it('that fell due while no daemon ran is made at once', async () => {
    const outcome = { kind: 'failed', exitCode: 1 } as const;
    const attempts = [{ number: 1, startedAt: SLOT, finishedAt: SLOT, duration: 0, outcome }];
    const { executor, run } = await daemonAfter(
      { state: 'retrying', attempts, retryAt: SLOT + MINUTE },
      { jobs: [once({ retry: RETRY })], at: SLOT + DAY },
    );
    expect(executor.starts).toMatchObject([{ spec: { attempt: 2, cause: 'retry' }, at: SLOT + DAY }]);
    expect(await run()).toMatchObject({ state: 'finished', outcome: { kind: 'succeeded' } });
  });

  it('of a job that left is not made: nobody knows any more what it would be', async () => {
    const outcome = { kind: 'failed', exitCode: 1 } as const;
    const attempts = [{ number: 1, startedAt: SLOT, finishedAt: SLOT, duration: 0, outcome }];
    const { executor, run, clock } = await daemonAfter(
      { state: 'retrying', attempts, retryAt: SLOT + MINUTE },
      { jobs: [] },
    );
    await clock.advance(HOUR);
    expect(executor.starts).toEqual([]);
    expect(await run()).toMatchObject({ state: 'finished', outcome });
  });

  it('is on record as begun before it begins, and so is one that is begun after all', async () => {
    for (const state of [{}, { state: 'retrying', retryAt: SLOT }] as const) {
      const outcome = { kind: 'failed', exitCode: 1 } as const;
      const attempts =
        'retryAt' in state ? [{ number: 1, startedAt: SLOT, finishedAt: SLOT, duration: 0, outcome }] : [];
      const store = new DurableStore();
      await store.claim([left({ ...state, attempts })], []);
      const made = rig({ store, start: new Date(SLOT + 500).toISOString(), ids: 'next' });
      const saved: string[] = [];
      const save = store.save.bind(store);
      store.save = async (run) => {
        saved.push(`${run.state} ${run.attempts.length}, ${made.executor.starts.length} started`);
        await save(run);
      };
      await made.engine.start([once({ retry: RETRY })]);
      await made.clock.advance(0);
      expect(saved).toContain('running 2, 0 started');
      expect(made.executor.starts).toHaveLength(1);
    }
  });

  it('keeps its delay in whole milliseconds when the clock is set back by an odd time', async () => {
    const store = new DurableStore();
    const made = rig({ store, start: START, script: () => FAILS });
    await made.engine.start([once({ retry: { ...RETRY, delay: HOUR } })]);
    await made.clock.advance(MINUTE);
    made.clock.step(-10 * MINUTE - 0.25);
    await made.clock.advance(MINUTE);
    const [row] = await made.history();
    expect(row).toMatchObject({ run: { state: 'retrying' } });
    const { retryAt = Number.NaN } = runOf(await made.history(), 'run-1');
    expect(Number.isInteger(retryAt)).toBe(true);
  });
});
