/** Nodes whose clocks are off, and many nodes that come at once: real ones. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestCluster } from '../support/cluster.ts';
import { account, directory, type Account, type Daemon } from '../support/daemon.ts';
import { SteppedClock } from '../support/faketime.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { tell, untilNodes } from '../support/telling.ts';

let server: Postgres;
const cleanups: (() => Promise<void> | void)[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  await server.stop();
});

/** One job, due each second; what is missed is skipped, so that none is a burst. */
function jobsFor(book: Account): string {
  const job = { every: '1s', misfire: { run: 'none' }, overlap: 'allow', run: book.line() };
  return JSON.stringify({ timezone: 'UTC', jobs: { tick: job } });
}

function once(book: Account): void {
  const slots = book.executions().map(({ slot }) => slot);
  expect(slots).toEqual([...new Set(slots)]);
}

const said = (node: Daemon, what: string) => node.waitFor(what, ({ msg }) => msg.includes(what));
const ahead = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

describe('a clock that is off', () => {
  it('by 10 s keeps a node from conducting: it works, and if it is alone nothing fires, which is told', async () => {
    const cluster = await TestCluster.in(server);
    const book = account(join(directory(), 'account'));
    const jobs = jobsFor(book);
    const home = directory();
    const clock = new SteppedClock(home, ahead(10), (cleanup) => cleanups.push(cleanup));
    const fast = cluster.node({ name: 'fast', directory: home, jobs, env: clock.env });
    await said(
      fast,
      "s ahead of the database's; beyond 5 s a node does not conduct; set it, or let NTP do that",
    );
    const { nodes, conductor } = await untilNodes('its clock to be seen', fast, ({ fast }) => {
      return fast !== undefined && fast.skewMs > 9000 && fast.skewMs < 11_000;
    });
    expect([nodes.length, conductor]).toEqual([1, null]);
    const shown = await tell(fast, ['nodes']);
    expect(shown.out).toMatch(/fast +up +may conduct +0\/100 +\+10s/);
    expect(shown.out).toContain('no node conducts: nothing is decided until one does');
    const { code, out, err } = await tell(fast, ['status']);
    expect([code, out + err]).toEqual([1, expect.stringContaining('no node conducts')]);
    expect(book.executions()).toEqual([]);

    // One that may conduct does, and this one works.
    const good = cluster.node({ name: 'good', jobs, slots: 1 });
    await good.ready();
    await good.until('both to work', () => book.executions().length > 5);
    once(book);
    expect(fast.events('engine_started')).toEqual([]);
    const seen = await tell(good, ['nodes']);
    expect(seen.out).toMatch(/fast +up +may conduct +\d+\/100 +\+10s/);
    expect(seen.out).toMatch(/good +up +conducts +\d\/1 +good/);

    // Once it is set it may.
    clock.set(ahead(0));
    await said(fast, "this node's clock agrees with the database's again");
    good.signal('SIGKILL');
    await fast.ready();
    const known = book.executions().length;
    await fast.until('it to go on', () => book.executions().length > known + 2);
    once(book);
  });

  it('by 2 s is warned about', async () => {
    const cluster = await TestCluster.in(server);
    const book = account(join(directory(), 'account'));
    const home = directory();
    const clock = new SteppedClock(home, ahead(2), (cleanup) => cleanups.push(cleanup));
    const options = { name: 'a', directory: home, jobs: jobsFor(book), env: clock.env };
    const node = await cluster.node(options).ready();
    const { msg, level } = await said(node, "s ahead of the database's; set it, or let NTP do that");
    expect([msg, level]).toEqual([
      expect.stringMatching(/clock is (?:1\.[5-9]|2\.[0-5]) s ahead/),
      'warning',
    ]);
    expect((await tell(node, ['nodes'])).out).toMatch(/a +up +conducts +\d+\/100 +\+\d\S* /);
    await node.until('it to run', () => book.executions().length > 2);
  });

  it('that is set while its node conducts ends that: another goes on, and no slot is run twice', async () => {
    const cluster = await TestCluster.in(server);
    const book = account(join(directory(), 'account'));
    const jobs = jobsFor(book);
    const home = directory();
    const clock = new SteppedClock(home, ahead(0), (cleanup) => cleanups.push(cleanup));
    const a = cluster.node({ name: 'a', directory: home, jobs, env: clock.env });
    await a.ready();
    const b = cluster.node({ name: 'b', jobs });
    await untilNodes('b to be there', b, ({ b }) => b?.state === 'up');
    await a.until('it to run', () => book.executions().length > 2);
    clock.set(ahead(10));
    await said(a, 'beyond 5 s a node does not conduct');
    await b.ready();
    const [first] = b.events('engine_started');
    await b.until('b to go on', () => {
      return book.executions().filter(({ slot }) => slot > (first?.time ?? '')).length > 2;
    });
    await untilNodes('all to know', a, ({ a, b }) => b?.conducts === true && (a?.skewMs ?? 0) > 9000);
    once(book);
    const rows = await cluster.rows();
    const slots = rows.runs.map(({ scheduledAt }) => scheduledAt);
    expect(slots.length).toBe(new Set(slots).size);
  });
});

describe('twenty nodes that start at once on an empty database', () => {
  it('all come up, one conducts, and each slot runs once', async () => {
    const cluster = await TestCluster.in(server);
    const book = account(join(directory(), 'account'));
    const jobs = jobsFor(book);
    const names = Array.from({ length: 20 }, (_, number) => `n${number}`);
    const nodes = names.map((name) => cluster.node({ name, jobs, slots: 2 }));
    const [first] = nodes;
    if (first === undefined) throw new Error('no node');
    await Promise.all(
      nodes.map((node) => node.waitFor('it to be a node', ({ event }) => event === 'node_started')),
    );
    const seen = await untilNodes('all to be there', first, (_, { nodes: all }) => {
      return all.filter(({ state, file }) => state === 'up' && file === 'same').length === 20;
    });
    expect(seen).toMatchObject({ fileVersion: 1, term: 1 });
    expect(seen.nodes.filter(({ conducts }) => conducts)).toHaveLength(1);
    expect(nodes.filter((node) => node.events('engine_started').length > 0)).toHaveLength(1);
    const known = book.executions().length;
    await first.until('them to run', () => book.executions().length > known + 5);
    once(book);
    for (const node of nodes) {
      // A slot that comes late on a busy machine is skipped by its policy, and told.
      const bad = node.lines.filter(
        ({ level, event }) => !['info', 'notice', 'debug'].includes(level) && event !== 'slots_skipped',
      );
      expect(bad).toEqual([]);
      expect(node.text).toBe('');
    }
  });
});
