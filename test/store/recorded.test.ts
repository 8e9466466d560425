/** What counts as recorded is on the disk, for whoever comes next. */
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import type { StoreHealth } from '../../src/store/sqlite/store.ts';
import { rig } from '../support/engine.ts';
import { until } from '../support/daemon.ts';
import { job } from '../support/jobs.ts';
import { contentsOf } from '../support/store-process.ts';
import { claimed, finished, newPath, open, openImpatient } from './files.ts';

it('also of a store that is well again after a disk that did not answer', async () => {
  const path = newPath();
  const health: StoreHealth[] = [];
  const { store, patience } = await openImpatient(path, health);
  const run = claimed('a', 1000);
  const claim = store.claim([run], []);
  await Promise.resolve();
  expect(patience).toHaveLength(1);
  patience[0]?.();
  expect(await claim).toEqual([true]);
  await until('it to heal', () => health.at(-1)?.kind === 'well');
  expect(health.map(({ kind }) => kind)).toEqual(['degraded', 'well']);
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  let isSaved = false;
  const saving = store.save(finished(run)).then(() => (isSaved = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isSaved).toBe(false);
  other.exec('ROLLBACK');
  other.close();
  await saving;
  expect(contentsOf(path).runs).toMatchObject([{ state: 'finished' }]);
  await store.close();
});

it('also of a run that was cancelled while its claim was under way', async () => {
  const path = newPath();
  const store = await open(path);
  const { engine, executor } = rig({ store });
  await engine.start([job('a', { every: 3_600_000 })]);
  const run = engine.runNow('a');
  await Promise.resolve();
  expect(engine.cancel(run?.id ?? '')).toBe(true);
  await engine.cancelled();
  const outcome = { kind: 'cancelled', by: 'operator' };
  expect(contentsOf(path).runs).toMatchObject([{ state: 'finished', outcome }]);
  expect(executor.starts).toEqual([]);
  await store.close();
});

it('not before a job of the very first start begins, where the disk does not answer', async () => {
  const path = newPath();
  const health: StoreHealth[] = [];
  const { store, patience } = await openImpatient(path, health);
  const { engine, executor } = rig({ store });
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  const start = engine.start([job('a', { startup: 'daemon' }), job('b', { startup: 'boot' })]);
  await until('the claim to be on its way', () => patience.length > 0);
  // By now both jobs have a place, which is not before their slots.
  await new Promise((resolve) => setImmediate(resolve));
  patience[0]?.();
  await start;
  await until('both to begin', () => executor.starts.length === 2);
  other.exec('ROLLBACK');
  other.close();
  await until('it to heal', () => health.at(-1)?.kind === 'well');
  expect(contentsOf(path).skips).toEqual([]);
  expect(contentsOf(path).runs).toHaveLength(2);
  await store.close();
});
