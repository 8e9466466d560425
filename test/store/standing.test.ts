/** The disk does not answer for a while: slots are decided as if it had, and what it says in the end changes nothing. */
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import type { RunRecord } from '../../src/model.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import type { StoreHealth } from '../../src/store/sqlite/store.ts';
import { until } from '../support/daemon.ts';
import { rig } from '../support/engine.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { job, SUCCEEDED } from '../support/jobs.ts';
import { contentsOf } from '../support/store-process.ts';
import { claimed, finished, newPath, open, openImpatient } from './files.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Keeps everybody else from writing. Gives what ends that. */
function lock(path: string): () => void {
  // Its own writing may be under way.
  const other = new DatabaseSync(path, { timeout: 10_000 });
  other.exec('BEGIN IMMEDIATE');
  let isHeld = true;
  const release = (): void => {
    if (!isHeld) return;
    isHeld = false;
    other.exec('ROLLBACK');
    other.close();
  };
  onTestFinished(release);
  return release;
}

/** A store whose disk can stand still, and how it is. */
async function standing(path: string) {
  const health: StoreHealth[] = [];
  const { store, patience } = await openImpatient(path, health);
  let release = (): void => undefined;
  return {
    store,
    /** From the next batch on. It has stood for longer than anybody waits when this resolves. */
    stands: async (act: () => unknown) => {
      release = lock(path);
      patience.length = 0;
      void act();
      await until('a batch to be on its way', () => patience.length > 0);
      await new Promise((resolve) => setImmediate(resolve));
      patience[0]?.();
    },
    goesOn: async () => {
      release();
      await until('it to heal', () => health.at(-1)?.kind === 'well');
      await store.recorded();
    },
  };
}

it('the slot of a boot that has run before: not again where its job got another schedule', async () => {
  const path = newPath();
  const before = await open(path);
  const first = rig({ store: before, ids: 'first' });
  await first.engine.start([job('a', { startup: 'boot', every: HOUR })]);
  await until('it to begin', () => first.executor.starts.length === 1);
  await first.engine.stop({ drain: 0 });
  await before.close();

  const { store, stands, goesOn } = await standing(path);
  const clock = new FakeClock('2026-01-01T00:30:00Z');
  const { engine, executor, skips } = rig({ store, clock });
  await stands(() => engine.start([job('a', { startup: 'boot', every: 2 * HOUR })]));
  await until('it to be decided', () => skips().length > 0 || executor.starts.length > 0);
  expect(executor.starts).toEqual([]);
  await goesOn();
  expect(contentsOf(path).runs).toMatchObject([{ state: 'finished', outcome: SUCCEEDED }]);
  await store.close();
});

it.each(['does not answer', 'fails'])(
  'a job that needs another, of which the disk knows: it %s at first, and others are not held up',
  async (how) => {
    const answer = Promise.withResolvers<readonly RunRecord[]>();
    const store = new MemoryStore();
    const latest = store.latest.bind(store);
    store.latest = () => {
      if (how === 'does not answer') return answer.promise;
      store.latest = () => answer.promise;
      return Promise.reject(new Error('the disk is broken'));
    };
    await store.save({ ...finished(claimed('a', 1)), outcome: SUCCEEDED });
    const { engine, clock, executor, kinds } = rig({ store });
    const needs = { jobs: ['a'], timeout: HOUR, failed: 'skip' } as const;
    const start = engine.start([
      job('a', { every: 24 * HOUR }),
      job('b', { every: MINUTE, needs }),
      job('c', { every: MINUTE }),
    ]);
    await clock.advance(2000);
    await start;
    await clock.advance(MINUTE);
    expect(executor.starts.map(({ spec }) => spec.jobId)).toEqual(['c']);
    answer.resolve(await latest(['a']));
    await clock.advance(1);
    expect(executor.starts.map(({ spec }) => spec.jobId)).toEqual(['c', 'b']);
    expect(kinds().filter((kind) => kind === 'store_failed')).toHaveLength(how === 'fails' ? 1 : 0);
  },
);

it('the end of it all: what could not be written at once is tried again', async () => {
  const path = newPath();
  const health: StoreHealth[] = [];
  const store = await open(path, { onHealth: (each) => health.push(each) });
  const release = lock(path);
  void store.claim([claimed('a', 1000)], []);
  const closed = store.close();
  await until('it to fail', () => health.length > 0);
  release();
  await closed;
  expect(contentsOf(path).runs).toHaveLength(1);
});

it('claims that come to nothing leave no trouble behind', async () => {
  const path = newPath();
  const { store, stands, goesOn } = await standing(path);
  await store.claim([claimed('a', 1000)], []);
  // Only of this memory says that it is another's, so that nothing is left to write.
  await stands(() => store.claim([claimed('a', 1000)], []));
  await goesOn();
  expect(contentsOf(path).runs).toHaveLength(1);
  await store.close();
});

it('a restart after a clock that was days ahead: what that leapt over is still to come', async () => {
  const path = newPath();
  const before = await open(path);
  const first = rig({ store: before, ids: 'first' });
  await first.engine.start([job('a', { every: 2 * HOUR })]);
  first.clock.step(72 * HOUR);
  await first.clock.advance(MINUTE);
  await until('it to run ahead', () => first.executor.starts.length > 0 && first.engine.active === 0);
  first.clock.step(-72 * HOUR);
  // Until that is noticed.
  await first.clock.advance(31_000);
  await first.engine.stop({ drain: 0 });
  await before.close();

  const store = await open(path);
  const { engine, clock, executor } = rig({ store, start: '2026-01-01T00:01:45Z' });
  await engine.start([job('a', { every: 2 * HOUR })]);
  expect(engine.next()?.slot).toBe(Date.parse('2026-01-01T02:00:00Z'));
  await clock.advance(2 * HOUR);
  await until('it to run', () => executor.starts.length === 1);
  await engine.stop({ drain: 0 });
  await store.close();
});
