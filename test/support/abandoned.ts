/** Two engines, one after the other, over the same store and the same nodes; the first is abandoned. */
import { expect } from 'vitest';
import type { AttemptSpec, Clock, Store } from '../../src/engine/ports.ts';
import type { JobDefinition, RunRecord } from '../../src/model.ts';
import { rig } from './engine.ts';
import { FakeClock } from './fake-clock.ts';
import { DurableStore, MINUTE, START } from './left.ts';
import { Nodes, type NodeScript } from './nodes.ts';

/** Tells every call of a port's methods. */
function watched<Port extends object>(port: Port, called: (method: string) => void): Port {
  return new Proxy(port, {
    get(target, key): unknown {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]): unknown => {
        called(String(key));
        return Reflect.apply(value, target, given) as unknown;
      };
    },
  });
}

/** What engines share, and what the first one does with it. */
export function cluster(
  script: (spec: AttemptSpec) => NodeScript = () => ({}),
  store: Store = new DurableStore(),
) {
  const clock = new FakeClock(START);
  const nodes = new Nodes(clock, script);
  const calls: string[] = [];
  let timers = 0;
  const timed: Clock = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (delay, action) => {
      timers += 1;
      let isOver = false;
      const over = (): void => {
        if (!isOver) timers -= 1;
        isOver = true;
      };
      const cancel = clock.after(delay, () => {
        over();
        action();
      });
      return () => {
        over();
        cancel();
      };
    },
  };
  const called = (method: string): void => void calls.push(method);
  const first = rig({
    // A FakeClock is more than the engine asks for.
    clock: Object.assign(Object.create(clock) as FakeClock, timed),
    store: watched(store, called),
    executor: watched(nodes, called),
    ids: 'one',
  });
  const second = (jobs: readonly JobDefinition[]) => {
    const made = rig({ clock, store, executor: nodes, ids: 'two' });
    return { ...made, started: made.engine.start(jobs) };
  };
  const runs = async (): Promise<readonly RunRecord[]> =>
    (await store.history({ limit: 1000 })).flatMap((row) => ('run' in row ? [row.run] : []));
  return { clock, nodes, store, calls, first, second, runs, timers: () => timers };
}

export type Cluster = ReturnType<typeof cluster>;

/** Abandons the first engine, and holds that nothing comes of it any more while nodes go on. */
export async function abandoned(
  { clock, first, calls, nodes, timers }: Cluster,
  wait = MINUTE,
): Promise<void> {
  const { engine, events } = first;
  engine.abandon();
  const [told, asked, stops] = [events.length, calls.length, nodes.stops.length];
  expect(timers()).toBe(0);
  await clock.advance(wait);
  expect(engine.cancel('one-1')).toBe(false);
  expect(engine.runNow('a')).toBeUndefined();
  await engine.stopNow();
  await clock.advance(0);
  expect(engine.abandoned).toBe(true);
  expect(engine.active).toBe(0);
  expect(timers()).toBe(0);
  expect(events.slice(told)).toEqual([]);
  expect(calls.slice(asked)).toEqual([]);
  expect(nodes.stops.slice(stops)).toEqual([]);
}
