/** Whatever node is asked: commands, the API and messages are those of the cluster, and outlive who conducts. Real nodes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ask, portOf } from '../http/support.ts';
import { TestCluster } from '../support/cluster.ts';
import type { Daemon } from '../support/daemon.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { httpReceiver } from '../support/receivers.ts';
import { eventually, says, tell, told, untilNodes } from '../support/telling.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

/** Runs when it is told to. */
const BY_HAND = { cron: '0 0 1 1 *' };

interface ToldRun {
  readonly id: string;
  readonly outcome: { readonly kind: string } | null;
}

async function run(node: Daemon, job: string): Promise<string> {
  const text = await says(node, ['trigger', job, '--wait', '--json']);
  const { id, outcome } = JSON.parse(text) as ToldRun;
  expect(outcome?.kind).toBe('succeeded');
  return id;
}

describe('from every node', () => {
  it('the same is seen and done, and stays when the node that conducts is killed', async () => {
    const cluster = await TestCluster.in(server);
    const jobs = JSON.stringify({
      timezone: 'UTC',
      jobs: {
        on_a: { ...BY_HAND, runs_on: 'a', run: 'echo from $TSCHED_JOB_ID; echo no >&2' },
        on_w: { ...BY_HAND, runs_on: 'w', run: 'echo from $TSCHED_JOB_ID' },
        rests: { ...BY_HAND, run: 'true' },
      },
    });
    const a = cluster.node({ name: 'a', labels: ['a'], jobs });
    await a.ready();
    const b = cluster.node({ name: 'b', jobs });
    const w = cluster.worker({ name: 'w', labels: ['w'] });
    await untilNodes('all to be there', a, ({ b, w }) => b?.state === 'up' && w?.state === 'up');
    const all = [a, b, w];
    const same = async (args: readonly string[], nodes: readonly Daemon[] = all): Promise<string> => {
      const texts = await Promise.all(nodes.map((node) => says(node, args)));
      // The size of output is told where that is.
      const [first = '', ...others] = texts.map((told) =>
        told.replaceAll(/"outputBytes":\d+/g, '"outputBytes":null'),
      );
      for (const other of others) expect(other, args.join(' ')).toBe(first);
      return first;
    };

    const here = await run(b, 'on_a');
    const there = await run(a, 'on_w');
    expect(await same(['logs', here])).toContain('from on_a');
    expect(await same(['logs', there])).toContain('from on_w');
    expect(await same(['history', '--json'])).toContain(here);
    expect(await same(['why', 'on_a', '--json'])).toContain('"jobId":"on_a"');
    expect(await same(['list', '--json'])).toContain('on_w');

    await says(w, ['pause', 'rests', '--reason', 'a rest']);
    expect(await same(['list', '--json'])).toContain('"state":"paused"');
    const more = join(w.directory, 'more.yaml');
    writeFileSync(more, JSON.stringify({ jobs: { more: { ...BY_HAND, run: 'echo from $TSCHED_JOB_ID' } } }));
    expect(await says(w, ['add', more])).toContain('more');
    await same(['list', '--json']);
    const added = await run(b, 'more');

    const [history, list] = [await same(['history', '--json']), await same(['list', '--json'])];
    a.signal('SIGKILL');
    await a.exited;
    await b.ready();
    const left = [b, w];
    expect(await same(['history', '--json'], left)).toBe(history);
    expect(await same(['list', '--json'], left)).toBe(list);
    expect(await same(['logs', there], left)).toContain('from on_w');
    await run(w, 'more');
    await says(b, ['remove', 'more']);
    await says(w, ['resume', 'rests']);
    expect(await same(['list', '--json'], left)).not.toContain('"more"');
    expect(added).not.toBe(here);

    // Its output is where it is; it can be had again once the node is.
    const gone = await tell(b, ['logs', here]);
    expect([gone.code, gone.out]).toEqual([69, '']);
    expect(gone.err).toMatch(
      /cannot be read now: it is on node a, which .*; ask again when that node is there again/s,
    );
    const again = cluster.node({ name: 'a', labels: ['a'], directory: a.directory });
    await untilNodes('it to be back', b, ({ a }) => a?.state === 'up' && a.pid === again.pid);
    expect(await same(['logs', here], [again, b, w])).toContain('from on_a');
    expect(again.events('engine_started')).toEqual([]);
  });

  it('the API answers over TCP, to tokens of the node that is asked', async () => {
    const cluster = await TestCluster.in(server);
    const jobs = JSON.stringify({ jobs: { one: { ...BY_HAND, run: 'echo done' } } });
    const a = cluster.node({ name: 'a', jobs });
    await a.ready();
    const b = cluster.node({ name: 'b', jobs, args: ['--listen', '127.0.0.1:0'] });
    await untilNodes('b to be there', a, ({ b }) => b?.state === 'up');
    const place = portOf(
      await b.waitFor('it to be a node', ({ event }) => event === 'node_started').then(() => b),
    );
    const [read = '', may = ''] = await Promise.all(
      ['read', 'run'].map(async (scope) =>
        (await tell(b, ['token', 'create', scope, '--scope', scope])).out.trim(),
      ),
    );
    const as = (token: string, path: string, method: 'GET' | 'POST' = 'GET') =>
      ask(place, `/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
        ...(method === 'POST' && { json: {} }),
      });
    expect((await ask(place, '/api/v1/jobs')).status).toBe(401);
    expect((await as('tsched_0', '/jobs')).status).toBe(401);
    expect((await as(read, '/jobs')).body).toMatchObject({ jobs: [{ id: 'one' }] });
    expect((await as(read, '/jobs/one/runs', 'POST')).status).toBe(403);
    const begun = await as(may, '/jobs/one/runs', 'POST');
    expect(begun.status).toBe(202);
    for (const path of ['/reload', '/nodes/a/drain']) expect((await as(may, path, 'POST')).status).toBe(403);
    await eventually('the run to be over', async () => {
      const { body } = await as(read, `/runs/${String(begun.body.id)}`);
      expect(body).toMatchObject({ state: 'finished', outcome: { kind: 'succeeded' } });
    });
    // Who asked is known to the node that conducts.
    await a.waitFor('the log to say who', ({ msg }) => /run.*runs one/.test(msg));
    expect(b.events('engine_started')).toEqual([]);
    expect((await told<{ jobs: unknown[] }>(b, ['list'])).jobs).toHaveLength(1);
  });
});

describe('a message', () => {
  it('is one, though the node that conducts is killed while it is sent', async () => {
    const cluster = await TestCluster.in(server);
    const hook = await httpReceiver(onTestFinished);
    const jobs = JSON.stringify({
      notifiers: { hook: { webhook: hook.url } },
      defaults: { notify: 'hook' },
      jobs: { fails: { ...BY_HAND, run: 'exit 3' }, later: { ...BY_HAND, run: 'exit 4' } },
    });
    const a = cluster.node({ name: 'a', jobs });
    await a.ready();
    const b = cluster.node({ name: 'b', jobs });
    await untilNodes('b to be there', a, ({ b }) => b?.state === 'up');
    // Nobody learns that it came.
    hook.answer = () => {
      a.signal('SIGKILL');
      return 503;
    };
    await says(b, ['trigger', 'fails']);
    await a.exited;
    hook.answer = () => 200;
    // Before the other conducts: it may send at once.
    const known = hook.requests.length;
    expect(known).toBeGreaterThan(0);
    await b.ready();
    const bodies = () =>
      hook.requests.map(
        ({ body }) => JSON.parse(body) as { readonly id: string; readonly job: { readonly id: string } },
      );
    await b.until('it to be sent again', () => hook.requests.length > known);
    await says(b, ['trigger', 'later']);
    await b.until('the other', () => hook.requests.some(({ body }) => body.includes('later')));
    const fails = hook.requests.filter(({ body }) => body.includes('fails'));
    expect(fails).toHaveLength(known + 1);
    expect(new Set(bodies().map(({ id }) => id)).size).toBe(2);
  });
});
