/** A connection that is lost while it is in use, and nobody asks anything on it at that moment. */
import { expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import { DatabaseAway, openDatabase } from '../../src/postgres/database.ts';
import { startPostgres } from '../support/postgres.ts';

it('is told to the transaction it breaks, and to nobody else', async () => {
  const server = await startPostgres();
  const database = await openDatabase({ url: await server.createDatabase(), clock: systemClock });
  const work = database.transaction(async (tx) => {
    const [row] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await server.ask(`SELECT pg_terminate_backend(${row?.pid}, 5000)`);
    return tx.query('SELECT 1');
  });
  await expect(work).rejects.toThrow(DatabaseAway);
  expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await database.close();
  await server.stop();
});
