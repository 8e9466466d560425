/** Databases of tests, and runs to fill them with. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { Clock } from '../../src/engine/ports.ts';
import type { RunRecord } from '../../src/model.ts';
import {
  openSqliteStore,
  type SqliteStore,
  type SqliteStoreOptions,
  type StoreHealth,
} from '../../src/store/sqlite/store.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

/** Of a database that is not there yet, in a directory that is gone after the test. */
export function newPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-store-'));
  directories.push(directory);
  return join(directory, 'tsched.db');
}

export function open(path: string, options: Partial<SqliteStoreOptions> = {}): Promise<SqliteStore> {
  return openSqliteStore({
    path,
    clock: systemClock,
    retention: { keep: 1000 },
    onHealth: () => undefined,
    onPruned: () => undefined,
    reclaim: () => undefined,
    ...options,
  });
}

/** Whose clock lets a test decide that it has had enough of the disk. */
export async function openImpatient(path: string, health: StoreHealth[]) {
  const patience: (() => void)[] = [];
  const after: Clock['after'] = (delay, action) => {
    patience.push(action);
    return systemClock.after(delay, action);
  };
  const store = await open(path, {
    clock: { ...systemClock, after },
    onHealth: (each) => health.push(each),
  });
  patience.length = 0;
  return { store, patience };
}

/** As the engine makes them: a UUIDv7 of the instant, told from others of it by a number. */
export function idAt(instant: number, number = 0): string {
  const time = instant.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`;
}

let runs = 0;

/** A run as it is when its slot has just been claimed; no other has its id. */
export function claimed(jobId: string, at: number): RunRecord {
  runs += 1;
  return {
    id: idAt(at, runs),
    jobId,
    scheduledAt: at,
    cause: 'schedule',
    claimedAt: at,
    state: 'claimed',
    attempts: [],
  };
}

export function finished(run: RunRecord): RunRecord {
  const { claimedAt } = run;
  const outcome = { kind: 'succeeded', exitCode: 0 } as const;
  const finishedAt = claimedAt + 9;
  const attempt = {
    number: 1,
    startedAt: claimedAt + 1,
    pid: 12_345,
    startTime: 123_456,
    finishedAt,
    duration: 7.125,
    outcome,
  };
  return { ...run, state: 'finished', attempts: [attempt], finishedAt, outcome };
}
