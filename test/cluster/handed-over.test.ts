/** A node that stops while others wait to conduct: what it was about is done once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import { TestCluster } from '../support/cluster.ts';
import { bin } from '../support/daemon.ts';
import { startPostgres } from '../support/postgres.ts';

it('a message under way is not sent again', async ({ onTestFinished }) => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.stop());
  const cluster = await TestCluster.in(postgres, onTestFinished);
  const sent: ServerResponse[] = [];
  const receiver = createServer((request, response) => {
    request.resume();
    sent.push(response);
    // The first is still open when its node is told to stop.
    if (sent.length > 1) response.end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  onTestFinished(() => {
    receiver.closeAllConnections();
    receiver.close();
  });
  const { port } = receiver.address() as AddressInfo;
  const jobs = JSON.stringify({
    notifiers: { hook: { webhook: `http://127.0.0.1:${port}/` } },
    jobs: { fails: { startup: 'daemon', run: 'false', notify: { failure: 'hook' } } },
  });
  const a = cluster.node({ name: 'a', jobs });
  await cluster.conductor([a]);
  const b = cluster.node({ name: 'b', jobs });
  await b.until('the message to be under way', () => sent.length === 1 && b.lines.length > 0);
  a.signal('SIGTERM');
  // Long enough for one who does not wait for it.
  systemClock.after(1500, () => sent[0]?.end());
  await a.exited;
  await b.until('the other to conduct', () => b.events('engine_started').length > 0);
  for (let left = 1; left > 0;) left = (await cluster.ask<object>('select 1 from tsched.messages')).length;
  expect(sent).toHaveLength(1);
});

it('a run that somebody asked for is not promised while it cannot be recorded', async ({
  onTestFinished,
}) => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.stop());
  const cluster = await TestCluster.in(postgres, onTestFinished);
  const jobs = JSON.stringify({ jobs: { asked: { cron: '0 0 1 1 *', run: 'true' } } });
  const a = cluster.node({ name: 'a', jobs });
  await cluster.conductor([a]);
  const ask = async () => {
    const args = [bin, 'trigger', 'asked', '--state-dir', a.stateDirectory];
    const asking = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    asking.stderr.on('data', (piece) => (said += piece));
    const [code] = (await once(asking, 'close')) as [number];
    return { code, said };
  };
  postgres.freeze();
  const answer = await ask();
  postgres.thaw();
  expect(answer).toEqual({ code: 69, said: expect.stringContaining('is not known') });
  await a.until('it to conduct again', () => a.events('engine_started').length === 2);
  expect(await ask()).toMatchObject({ code: 0 });
  const { runs } = await cluster.rows();
  expect(runs.length).toBeGreaterThanOrEqual(1);
});
