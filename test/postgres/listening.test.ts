/** A channel of a database, and who listens to it. */
import { expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import { openDatabase } from '../../src/postgres/database.ts';
import { until } from '../support/daemon.ts';
import { startPostgres } from '../support/postgres.ts';

it('is heard by each that listens until that stops, and anew by the next', async ({ onTestFinished }) => {
  const server = await startPostgres();
  onTestFinished(() => server.stop());
  const database = await openDatabase({ url: await server.createDatabase(), clock: systemClock });
  onTestFinished(() => database.close());
  const heard: string[] = [];
  const listen = (name: string): Promise<() => void> =>
    database.listen(
      'tsched_work',
      (payload) => heard.push(`${name} ${payload}`),
      () => heard.push(`${name} may have missed something`),
    );
  const notify = async (what: string): Promise<void> => {
    await database.run('SELECT pg_notify($1, $2)', ['tsched_work', what]);
  };
  const [a, b] = [await listen('a'), await listen('b')];
  await notify('1');
  await until('both', () => heard.includes('a 1') && heard.includes('b 1'));
  a();
  a();
  await notify('2');
  await until('the other', () => heard.includes('b 2'));
  b();
  const c = await listen('c');
  await notify('3');
  await until('the third', () => heard.includes('c 3'));
  c();
  expect(heard).toEqual([
    'a may have missed something',
    'a 1',
    'b 1',
    'b 2',
    'c may have missed something',
    'c 3',
  ]);
});
