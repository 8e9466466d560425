/** The daemon is killed again and again while a job fails and recovers: what people heard is what the history says. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import type { Message } from '../../src/message.ts';
import { readHistory } from '../../src/store/sqlite/reader.ts';
import { directory, startDaemon } from '../support/daemon.ts';
import { httpReceiver, type Received } from '../support/receivers.ts';

/** Fails three times, succeeds three times, and so on. */
const TURNS = 'n=$(cat n 2> /dev/null || echo 0); echo $((n + 1)) > n; test $((n / 3 % 2)) = 1';
const KILLS = 8;

interface Body {
  readonly id: string;
  readonly event: string;
  readonly run: { readonly id: string };
}

it('tells each change, each by one message, whenever the daemon is killed', async () => {
  const hook = await httpReceiver(onTestFinished);
  // Now and then it is away, so that messages wait while the daemon dies.
  hook.answer = () => (hook.requests.length % 5 === 0 ? 503 : 200);
  const where = directory(onTestFinished);
  const jobs = `
notifiers: { hook: { webhook: "${hook.url}" } }
jobs:
  a: { every: 100ms, run: '${TURNS}', notify: hook }
`;
  const seed = Date.now() % 1000;
  const start = () => startDaemon({ jobs, directory: where, later: onTestFinished });
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const daemon = start();
    await daemon.ready();
    // Somewhere in the life of a run: the seed spreads the kills over its milliseconds.
    const runs = 4 + ((seed + kill * 7) % 9);
    await daemon.until(`${runs} runs`, () => daemon.events('run_finished').length >= runs);
    const spin = performance.now() + ((seed * kill) % 100);
    await daemon.until('a moment within a run', () => performance.now() >= spin);
    daemon.signal('SIGKILL');
    await daemon.exited;
  }
  const last = start();
  await last.ready();
  const history = readHistory(join(last.stateDirectory, 'tsched.db'));
  onTestFinished(() => history.close());
  hook.answer = () => 200;
  await last.until('a success and a failure after the last kill', () => {
    const outcomes = new Set(last.events('run_finished').map((line) => line['outcome']));
    return outcomes.has('succeeded') && outcomes.has('failed');
  });
  expect(await last.stop()).toBe(0);

  const runs = history
    .rows({ jobId: 'a', limit: 100_000 })
    .flatMap((row) => ('run' in row && row.run.outcome !== undefined ? [row.run] : []))
    .filter(({ outcome }) => outcome?.kind !== 'cancelled')
    .sort((a, b) => a.scheduledAt - b.scheduledAt);
  const expected: string[] = [];
  let failing = false;
  for (const { id, outcome } of runs) {
    const fails = outcome?.kind !== 'succeeded';
    if (fails !== failing) expected.push(`${fails ? 'failure' : 'recovery'} of ${id}`);
    failing = fails;
  }
  const said = `seed ${seed}, ${runs.length} runs`;
  expect(expected.length, said).toBeGreaterThan(KILLS);
  expect(heard(hook.requests, last.stateDirectory), said).toEqual(expected);
});

/** Each message once, by its id, in the order in which they came first; then those that still wait. */
function heard(requests: readonly Received[], state: string): string[] {
  const byId = new Map<string, string>();
  for (const { body } of requests) {
    const { id, event, run } = JSON.parse(body) as Body;
    byId.set(id, `${event} of ${run.id}`);
  }
  using database = new DatabaseSync(join(state, 'tsched.db'), { readOnly: true });
  for (const { message } of database.prepare('SELECT message FROM messages ORDER BY id').all()) {
    const { id, notice, run } = JSON.parse(message as string) as Extract<Message, { kind: 'notice' }>;
    byId.set(id, `${notice} of ${run?.id ?? ''}`);
  }
  return [...byId.values()];
}
