/** What tests of failing disks share: a history of known contents, and faults that are seen to have happened. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect } from 'vitest';
import type { RunRecord } from '../../src/model.ts';
import { problemsOf } from '../../src/store/sqlite/open.ts';
import { directory } from '../support/daemon.ts';
import { askedOf, contentsOf, type StoreProcess } from '../support/store-process.ts';
import { runOf, skipOf } from './conformance.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
export const later = (cleanup: () => Promise<void> | void): void => void cleanups.push(cleanup);

/** The path of a database that does not exist yet, in a directory of its own. */
export function database(): string {
  const path = join(directory(later), 'state', 'tsched.db');
  mkdirSync(join(path, '..'), { mode: 0o700 });
  return path;
}

/** Ids are in the order of their slots. */
export function idOf(slot: number): string {
  return `run-${String(slot).padStart(6, '0')}`;
}

export function finished(slot: number): RunRecord {
  return runOf(idOf(slot), slot, {
    state: 'finished',
    attempts: [
      { number: 1, startedAt: slot, finishedAt: slot, duration: 0, pid: 7, outcome: { kind: 'succeeded' } },
    ],
    finishedAt: slot,
    outcome: { kind: 'succeeded' },
  });
}

/** Runs of some slots from beginning to end, and a skip after each. Gives whether each was won. */
export async function history(store: StoreProcess, from: number, count: number): Promise<boolean[]> {
  const won: boolean[] = [];
  for (let n = 0; n < count; n += 1) {
    const slot = from + 2 * n;
    won.push(...(await store.claim([runOf(idOf(slot), slot)], [skipOf(slot + 1)])));
    await store.save(finished(slot));
  }
  return won;
}

export function expectComplete(store: StoreProcess, path: string): void {
  expect(contentsOf(path)).toEqual(askedOf(store));
  expect(soundness(path)).toEqual([]);
}

export function soundness(path: string): string[] {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return problemsOf(db, 'integrity_check');
  } finally {
    db.close();
  }
}

/** The calls that strace changed, by its own account. */
export function injected(log: string): number {
  return existsSync(log) ? readFileSync(log, 'latin1').split('(INJECTED)').length - 1 : 0;
}

export function strace(log: string, call: string, inject: string): string[] {
  return ['strace', '-f', '-qq', '-o', log, '-e', `trace=${call}`, '-e', `inject=${call}:${inject}`];
}
