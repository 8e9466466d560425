/** A pooler in front of the database: what tables a session means is one of the settings that it does not keep. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import { openDatabase } from '../../src/postgres/database.ts';
import { startPostgres } from '../support/postgres.ts';

it('is refused, and no table is made where it does not belong', async ({ onTestFinished }) => {
  const server = await startPostgres();
  onTestFinished(() => server.stop());
  const url = new URL(await server.createDatabase());
  const pooler = createServer((client) => {
    const upstream = connect(Number(url.port), url.hostname);
    upstream.pipe(client);
    client.on('data', (data) =>
      upstream.write(Buffer.from(data.toString('latin1').replace('path=tsched', 'path=public'), 'latin1')),
    );
    for (const socket of [client, upstream]) {
      socket.on('error', () => undefined);
      socket.on('close', () => [client, upstream].forEach((each) => each.destroy()));
    }
  });
  await once(pooler.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void pooler.close());
  const through = new URL(url);
  through.port = String((pooler.address() as AddressInfo).port);
  await expect(openDatabase({ url: through.href, clock: systemClock })).rejects.toMatchObject({
    name: 'DatabaseUnfit',
    message: expect.stringContaining('search_path is public'),
    hint: expect.stringContaining('not through a pooler'),
  });
  expect(await server.ask("select from pg_tables where schemaname = 'public'", url.href)).toEqual([]);
});
