/** A store of each kind, and the history that is asked of what it was told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { Store } from '../../src/engine/ports.ts';
import { openDatabase } from '../../src/postgres/database.ts';
import type { HistorySource } from '../../src/store/history.ts';
import { MemoryHistory } from '../../src/store/memory-history.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { openPostgresHistory } from '../../src/store/postgres/history.ts';
import { openPostgresStore } from '../../src/store/postgres/store.ts';
import { HistoryThread } from '../../src/store/sqlite/history-thread.ts';
import { openSqliteStore } from '../../src/store/sqlite/store.ts';
import { startPostgres, VERSIONS, type Postgres } from '../support/postgres.ts';

export interface Kept {
  readonly store: Store;
  readonly history: HistorySource;
}

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const servers = new Map<string, Postgres>();
beforeAll(async () => {
  for (const version of VERSIONS) servers.set(version.name, await startPostgres({ version }));
});
afterAll(async () => {
  for (const server of servers.values()) await server.stop();
});

async function sqlite(): Promise<Kept> {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-pages-'));
  const path = join(directory, 'tsched.db');
  const store = await openSqliteStore({
    path,
    clock: systemClock,
    retention: { keep: 1000 },
    onHealth: () => undefined,
    onPruned: () => undefined,
    reclaim: () => undefined,
  });
  const history = new HistoryThread(path);
  cleanups.push(
    () => rmSync(directory, { recursive: true }),
    () => store.close(),
    () => history.close(),
  );
  return { store, history };
}

async function postgres(version: string): Promise<Kept> {
  const url = (await servers.get(version)?.createDatabase()) ?? '';
  const database = await openDatabase({ url, clock: systemClock });
  const store = await openPostgresStore({
    database,
    clock: systemClock,
    term: 0,
    retention: { keep: 1000 },
    onDeposed: () => undefined,
    onHealth: () => undefined,
    onPruned: () => undefined,
  });
  cleanups.push(
    () => database.close(),
    () => store.close(),
  );
  return { store, history: openPostgresHistory(database) };
}

export const drivers: Record<string, () => Promise<Kept>> = {
  sqlite,
  ...Object.fromEntries(VERSIONS.map(({ name }) => [name, () => postgres(name)])),
  async memory() {
    const store = new MemoryStore();
    return { store, history: new MemoryHistory(store) };
  },
};
