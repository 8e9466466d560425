import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { Store } from '../../src/engine/ports.ts';
import { openSqliteStore } from '../../src/store/sqlite/store.ts';
import { conformance, type Driver } from './conformance.ts';
import { replayConformance } from './replays.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function newPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-store-'));
  directories.push(directory);
  return join(directory, 'tsched.db');
}

function open(path: string) {
  return openSqliteStore({
    path,
    clock: systemClock,
    retention: { keep: 1000 },
    onHealth: () => undefined,
    onPruned: () => undefined,
    reclaim: () => undefined,
  });
}

const paths = new WeakMap<Store, string>();

async function remembered(path: string): Promise<Store> {
  const store = await open(path);
  paths.set(store, path);
  return store;
}

const driver: Driver = {
  open: () => remembered(newPath()),
  async again(store) {
    await store.close();
    return remembered(paths.get(store) ?? '');
  },
};

conformance('sqlite', driver);
replayConformance('sqlite', driver);
