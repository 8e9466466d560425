import { afterAll, afterEach, beforeAll } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { Store } from '../../src/engine/ports.ts';
import { openDatabase, type Database } from '../../src/postgres/database.ts';
import { openPostgresStore } from '../../src/store/postgres/store.ts';
import { startPostgres, VERSIONS, type Postgres } from '../support/postgres.ts';
import { conformance, type Driver } from './conformance.ts';
import { replayConformance } from './replays.ts';

for (const version of VERSIONS) {
  let server: Postgres;
  const databases = new Map<Store, Database>();
  beforeAll(async () => {
    server = await startPostgres({ version });
  });
  afterEach(async () => {
    for (const database of databases.values()) await database.close();
    databases.clear();
  });
  afterAll(() => server.stop());

  const open = async (database: Database): Promise<Store> => {
    const store = await openPostgresStore({
      database,
      clock: systemClock,
      // Of a fresh database, before anybody conducts.
      term: 0,
      retention: { keep: 1000 },
      onHealth: () => undefined,
      onPruned: () => undefined,
      onDeposed: () => undefined,
    });
    databases.set(store, database);
    return store;
  };
  const driver: Driver = {
    open: async () => open(await openDatabase({ url: await server.createDatabase(), clock: systemClock })),
    async again(store) {
      await store.close();
      const database = databases.get(store);
      if (database === undefined) throw new Error('not a store of this driver');
      databases.delete(store);
      return open(database);
    },
  };
  conformance(version.name, driver);
  replayConformance(version.name, driver);
}
