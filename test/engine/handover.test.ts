/** A daemon that stops hands over to the next what is not to end with it. */
import { describe, expect, it } from 'vitest';
import type { AttemptSpec, Recovery } from '../../src/engine/ports.ts';
import type { Policy, RunRecord } from '../../src/model.ts';
import { rig, time } from '../support/engine.ts';
import { job } from '../support/jobs.ts';
import {
  DurableStore,
  FAILS,
  FOREVER,
  HOUR,
  left,
  MINUTE,
  once,
  RETRY,
  runOf,
  SLOT,
  START,
  survivor,
} from '../support/left.ts';

describe('asked to stop while it finds out what an earlier one left', () => {
  async function stopped(found: Recovery, policy: Partial<Policy>, state: Partial<RunRecord> = {}) {
    const store = new DurableStore();
    await store.claim([left(state)], []);
    const made = rig({ store, start: new Date(SLOT + 500).toISOString(), ids: 'next' });
    const asked = Promise.withResolvers<void>();
    made.executor.recover = async () => {
      await asked.promise;
      return found;
    };
    void made.engine.start([once(policy)]);
    await made.clock.advance(0);
    let isOver = false;
    void made.engine.stop({ drain: HOUR }).then(() => (isOver = true));
    await made.clock.advance(0);
    asked.resolve();
    await made.clock.advance(0);
    return { ...made, isOver: () => isOver, run: async () => runOf(await made.history(), 'left') };
  }

  it('leaves what was never begun to the next one, as it was', async () => {
    const { isOver, executor, run } = await stopped({ kind: 'never_begun' }, {});
    expect(isOver()).toBe(true);
    expect(executor.starts).toEqual([]);
    expect(await run()).toEqual(left({}));
  });

  it.each([
    ['leave', [], true],
    ['wait', [], false],
    ['terminate', [{ kind: 'cancelled', by: 'shutdown' }], false],
  ] as const)('deals with what runs by its on_shutdown: %s', async (onShutdown, stops, isOver) => {
    const process = survivor(0);
    const made = await stopped(process.recovery, { onShutdown });
    expect(process.stops).toEqual(stops);
    expect(made.isOver()).toBe(isOver);
    process.end();
    await made.clock.advance(0);
    expect(made.isOver()).toBe(true);
    expect((await made.run()).state).toBe('finished');
  });

  it('finishes what has ended', async () => {
    const { isOver, run } = await stopped({ kind: 'ended', outcome: { kind: 'succeeded', exitCode: 0 } }, {});
    expect(isOver()).toBe(true);
    expect(await run()).toMatchObject({ state: 'finished', outcome: { kind: 'succeeded' } });
  });
});

describe('stopping', () => {
  it('leaves what waits, and what is to be left, to the next daemon', async () => {
    const store = new DurableStore();
    const script = ({ jobId }: AttemptSpec) => (jobId === 'a' ? FAILS : FOREVER);
    const first = rig({ store, start: START, script });
    const leave = job('b', { at: '2026-01-01T00:00:10Z', policy: { onShutdown: 'leave' } });
    const jobs = [once({ retry: { ...RETRY, delay: HOUR } }), leave];
    await first.engine.start(jobs);
    await first.clock.advance(MINUTE);
    await first.engine.stop({ drain: 0 });
    expect(first.executor.stops).toEqual([]);
    const { recovery, end } = survivor(MINUTE);
    const second = rig({ store, start: '2026-01-01T00:05:00Z', ids: 'next' });
    second.executor.found = () => recovery;
    await second.engine.start(jobs);
    end();
    await second.clock.advance(2 * HOUR);
    expect(second.executor.starts.map(({ spec, at }) => [spec.jobId, spec.attempt, time(at)])).toEqual([
      ['a', 2, '01:00:10'],
    ]);
    expect(await second.history()).toMatchObject([
      { run: { jobId: 'a', outcome: { kind: 'succeeded' } } },
      { run: { jobId: 'b', outcome: { kind: 'succeeded' } } },
    ]);
  });
});
