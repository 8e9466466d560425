/** The tables of the queue, made by a pg-boss that is newer than the one installed here. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createQueue } from '../../src/cluster/queue.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { openDatabase } from '../../src/postgres/database.ts';
import { installedQueue } from '../../src/postgres/peers.ts';
import { TestCluster } from '../support/cluster.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const installed = installedQueue() ?? { version: '', schema: 0 };

/** Every table and column there, and what pg-boss says of its tables. */
async function everything(url: string): Promise<readonly object[]> {
  const columns = `SELECT table_schema, table_name, column_name FROM information_schema.columns
    WHERE table_schema LIKE 'tsched%' ORDER BY 1, 2, 3`;
  return [
    ...(await server.ask(columns, url)),
    ...(await server.ask('SELECT * FROM tsched_queue.version', url)),
  ];
}

describe('tables of a newer pg-boss', () => {
  it('are known by the version that the installed one makes', async () => {
    const url = await server.createDatabase();
    for (let times = 0; times < 2; times += 1) {
      const database = await openDatabase({ url, clock: systemClock });
      const queue = await createQueue({ database, clock: systemClock });
      await queue.close();
      await database.close();
    }
    expect(await server.ask('SELECT version FROM tsched_queue.version', url)).toEqual([
      { version: installed.schema },
    ]);
  });

  it('are refused before anything is made beside them', async () => {
    const url = await server.createDatabase();
    await server.ask('CREATE SCHEMA tsched_queue', url);
    await server.ask('CREATE TABLE tsched_queue.version (version int PRIMARY KEY)', url);
    await server.ask('INSERT INTO tsched_queue.version VALUES (999)', url);
    const before = await everything(url);
    await expect(openDatabase({ url, clock: systemClock })).rejects.toMatchObject({
      name: 'DatabaseUnfit',
      why: 'database',
    });
    expect(await everything(url)).toEqual(before);
  });

  it('end a node with what was found, what is installed and what to do, and stay as they are', async () => {
    const cluster = await TestCluster.in(server);
    const first = cluster.node({ name: 'a', jobs: 'jobs:\n  a: { every: 1h, run: "true" }\n' });
    await first.ready();
    await first.stop();
    await cluster.ask('UPDATE tsched_queue.version SET version = 999');
    const before = await everything(cluster.url);
    const second = cluster.worker({ name: 'b' });
    expect(await second.exited).toBe(78);
    expect(second.text).toContain(
      'in schema tsched_queue were made by a newer pg-boss: they are version 999',
    );
    expect(second.text).toContain(
      `pg-boss ${installed.version}, which is installed here, knows up to ${installed.schema}`,
    );
    expect(second.text).toContain('install here the pg-boss that the other nodes have');
    expect(await everything(cluster.url)).toEqual(before);
  });
});
