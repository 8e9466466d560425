/** Nodes as processes at a real database: who conducts when nodes die, freeze, leave, come all at once, or have a wrong clock. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directory, until, type Later } from '../support/daemon.ts';
import { library } from '../support/faketime.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { eventually } from '../support/telling.ts';
import { Member, type MemberSettings } from './member.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

/** A cluster of its own. */
async function cluster(later: Later) {
  const url = await postgres.createDatabase();
  const where = directory(later);
  const members: Member[] = [];
  const start = (
    name: string,
    more: Partial<MemberSettings> & { env?: Record<string, string> } = {},
  ): Member => {
    const { env, ...settings } = more;
    const member = new Member(
      { url, directory: join(where, name), name, ...settings },
      { later, ...(env === undefined ? {} : { env }) },
    );
    members.push(member);
    return member;
  };
  const conductor = (): Promise<Member> =>
    until('a node to conduct', () => members.find((member) => member.conducts));
  /** No number was ever two nodes'. */
  const expectNoTermTwice = (): void => {
    const terms = members.flatMap((member) => member.terms);
    expect(terms.toSorted((a, b) => a - b)).toEqual([...new Set(terms)].toSorted((a, b) => a - b));
  };
  const ask = <Row extends object>(sql: string) => postgres.ask<Row>(sql, url);
  return { url, where, members, start, conductor, expectNoTermTwice, ask };
}

describe('twenty nodes', () => {
  it('come at once to an empty database, and exactly one conducts', async ({ onTestFinished }) => {
    const { start, members, conductor, expectNoTermTwice, ask } = await cluster(onTestFinished);
    for (let i = 1; i <= 20; i += 1) start(`n${i}`);
    await Promise.all(members.map((member) => member.ready()));
    const one = await conductor();
    expect(one.terms).toEqual([1]);
    // Each has beaten, and so seen the term, once more.
    await until('all to beat again', () => members.every(({ said }) => said.length > 0));
    expect(members.filter((member) => member.conducts)).toEqual([one]);
    expect(
      await ask('select term, (select count(*)::int from tsched.nodes) as nodes from tsched.conductor'),
    ).toEqual([{ term: '1', nodes: 20 }]);
    expectNoTermTwice();
  });
});

describe.concurrent('a cluster', () => {
  it('has another conductor soon when one is killed, and its name is free again', async ({
    onTestFinished,
  }) => {
    const { start, expectNoTermTwice, where, ask } = await cluster(onTestFinished);
    const a = start('a');
    await a.hears('term 1', ({ term }) => term === 1);
    const b = start('b');
    await b.ready();
    await a.kill();
    const taken = await b.hears('that it conducts', ({ term }) => term === 2);
    // Its database session tells that it is dead, before the lease ends.
    expect(b.said.some(({ log }) => log?.includes('has died') === true)).toBe(true);
    expect(taken.upSince).toBe(a.said.find(({ term }) => term === 1)?.upSince);
    // The same node, and one of another state that has its name.
    const again = start('a');
    expect((await again.ready()).id).toBe(a.said.find(({ id }) => id !== undefined)?.id);
    await again.kill();
    rmSync(join(where, 'a'), { recursive: true });
    const other = start('a');
    const { id } = await other.ready();
    expect(id).not.toBe(a.said.find((said) => said.id !== undefined)?.id);
    // The one before keeps its row, for what it had.
    expect(await ask("select id from tsched.nodes where name like 'a%' order by name")).toEqual([
      { id },
      { id: a.said.find((said) => said.id !== undefined)?.id },
    ]);
    expectNoTermTwice();
  });

  it('has another conductor when one hangs, which finds itself deposed when it goes on', async ({
    onTestFinished,
  }) => {
    const { start, expectNoTermTwice } = await cluster(onTestFinished);
    const a = start('a');
    await a.hears('term 1', ({ term }) => term === 1);
    const b = start('b');
    await b.ready();
    a.signal('SIGSTOP');
    await b.hears('that it conducts', ({ term }) => term === 2);
    expect(b.said.some(({ log }) => log?.includes('has not been heard of') === true)).toBe(true);
    const before = a.said.length;
    a.signal('SIGCONT');
    await a.hears('that it does not conduct', ({ term }) => term === null, before);
    // It says so, though it is its own beat that finds it out.
    expect(a.said.slice(before).some(({ log }) => log?.includes('stops conducting') === true)).toBe(true);
    expect(b.conducts).toBe(true);
    expectNoTermTwice();
  });

  it('has another conductor though the last one froze in a transaction that holds the term', async ({
    onTestFinished,
  }) => {
    const { start, url, ask, expectNoTermTwice } = await cluster(onTestFinished);
    const a = start('a');
    await a.hears('term 1', ({ term }) => term === 1);
    const b = start('b');
    await b.ready();
    // As a batch of the store begins, in a session that ends as those of nodes do.
    const frozen = new pg.Client({
      connectionString: url,
      options: '-c idle_in_transaction_session_timeout=5000 -c search_path=tsched',
    });
    frozen.on('error', () => undefined);
    await frozen.connect();
    onTestFinished(() => frozen.end().catch(() => undefined));
    await a.kill();
    await frozen.query('begin');
    await frozen.query('select 1 from conductor where term = 1 for key share');
    await b.hears('that it conducts', ({ term }) => term === 2);
    // It keeps the term: there is no third when it has beaten again and again.
    const beats = new Set<string>();
    while (beats.size < 4) {
      const [row] = await ask<{ at: string }>(
        "select beat_at::text as at from tsched.nodes where name = 'b'",
      );
      beats.add(row?.at ?? '');
    }
    expect(b.terms).toEqual([2]);
    expect(b.conducts).toBe(true);
    expectNoTermTwice();
  });

  it('has another conductor at once when one leaves', async ({ onTestFinished }) => {
    const { start, expectNoTermTwice, ask } = await cluster(onTestFinished);
    const a = start('a');
    await a.hears('term 1', ({ term }) => term === 1);
    const b = start('b');
    await b.ready();
    await a.leave();
    await b.hears('that it conducts', ({ term }) => term === 2);
    expect(b.said.some(({ log }) => log?.includes('nobody did') === true)).toBe(true);
    expect(await ask("select state from tsched.nodes where name = 'a'")).toEqual([{ state: 'stopped' }]);
    expectNoTermTwice();
  });

  it('is never conducted by a node that only works', async ({ onTestFinished }) => {
    const { start } = await cluster(onTestFinished);
    const a = start('a');
    await a.hears('term 1', ({ term }) => term === 1);
    const worker = start('w', { schedules: false });
    await worker.ready();
    const b = start('b');
    await b.ready();
    await a.leave();
    await b.hears('that it conducts', ({ term }) => term === 2);
    expect(worker.terms).toEqual([]);
  });

  it('refuses a node with the name of one that lives, and a process that is a node which lives', async ({
    onTestFinished,
  }) => {
    const { start, where, ask } = await cluster(onTestFinished);
    const a = start('a');
    await a.hears('term 1', ({ term }) => term === 1);
    const namesake = start('a', { directory: join(where, 'elsewhere') });
    const { refused, hint } = await namesake.hears(
      'that it is refused',
      (said) => said.refused !== undefined,
    );
    expect(refused).toMatch(/^there is a node called a already: on here, process \d+, heard of \d s ago$/);
    expect(hint).toContain('--node-name');
    const copy = start('copy', { directory: join(where, 'a') });
    const said = await copy.hears('that it is refused', (said) => said.refused !== undefined);
    expect(said.refused).toMatch(/^another process is this node/);
    expect(said.hint).toContain('state directory copied');
    // It took nothing away from the one that lives.
    expect(
      await ask('select state, (select term::int from tsched.conductor) as term from tsched.nodes'),
    ).toEqual([{ state: 'up', term: 1 }]);
    expect(await ask('select from tsched.conductor where node is not null')).toHaveLength(1);
    expect(a.conducts).toBe(true);
  });

  it('forgets nodes that it has not heard of for a week, once they have nothing left', async ({
    onTestFinished,
  }) => {
    const { start, ask } = await cluster(onTestFinished);
    await start('a').ready();
    const old = (
      name: string,
      days: number,
    ) => `insert into tsched.nodes (id, name, state, schedules, beat_at)
      values (gen_random_uuid(), '${name}', 'up', true, now() - interval '${days} days')`;
    for (const [name, days] of [
      ['gone', 8],
      ['held', 8],
      ['silent', 6],
    ] as const)
      await ask(old(name, days));
    await ask(`insert into tsched.held (attempt, queue, run, number, job, node)
      select gen_random_uuid(), 'any', 'r', 1, 'j', id from tsched.nodes where name = 'held'`);
    await start('b').ready();
    expect(await ask('select name from tsched.nodes order by name')).toEqual(
      ['a', 'b', 'held', 'silent'].map((name) => ({ name })),
    );
  });

  it('tells a node what it is wished to do', async ({ onTestFinished }) => {
    const { start, ask } = await cluster(onTestFinished);
    const a = start('a');
    await a.ready();
    await ask("update tsched.nodes set wish = 'drain'");
    await ask("select pg_notify('tsched_nodes', '')");
    await a.hears('that it drains', ({ drain }) => drain === true);
    await until('the others to hear of it', () => a.said.some(({ log }) => log?.includes('drained')));
    // It is remembered over a restart.
    await a.kill();
    const again = start('a');
    await again.hears('that it drains', ({ drain }) => drain === true);
    await again.kill();
    expect(await ask('select wish from tsched.nodes')).toEqual([{ wish: 'drain' }]);
  });
});

describe.concurrent('a wrong clock', () => {
  const ahead = (seconds: number) => ({
    env: { LD_PRELOAD: library(), FAKETIME: `+${seconds}s`, FAKETIME_DONT_FAKE_MONOTONIC: '1' },
  });

  it('keeps a node from conducting when it is 10 s off, and is warned about from 1 s on', async ({
    onTestFinished,
  }) => {
    const { start, ask } = await cluster(onTestFinished);
    const wrong = start('wrong', ahead(10));
    await wrong.ready();
    const { log, level } = await wrong.hears(
      'that its clock is off',
      ({ log }) => log?.includes('clock') === true,
    );
    expect(level).toBe('warning');
    // Measured by messages, which take their time on a busy machine.
    expect(log).toMatch(
      / (?:9\.[5-9]|10\.[0-5]) s ahead of the database's; beyond 5 s a node does not conduct/,
    );
    const fair = start('fair', ahead(2));
    await fair.hears('that it conducts', ({ term }) => term === 1);
    expect(wrong.terms).toEqual([]);
    const told = await fair.hears('that its clock is off', ({ log }) => log?.includes('clock') === true);
    expect(told.log).toMatch(
      /^this node's clock is (?:1\.[5-9]|2\.[0-5]) s ahead of the database's; set it, or let NTP do that$/,
    );
    const skews = async () =>
      (await ask<{ name: string; skew: number }>('select name, skew from tsched.nodes')).every(
        ({ name, skew }) => (name === 'wrong' ? Math.abs(skew - 10_000) < 500 : Math.abs(skew - 2000) < 500),
      );
    await eventually('both skews to be known', async () => expect(await skews()).toBe(true));
  });
});

describe('a database that goes away', () => {
  it('leaves nobody conducting, and afterwards one: for the next term, since the same start', async ({
    onTestFinished,
  }) => {
    const own = await startPostgres();
    onTestFinished(() => own.stop());
    const url = await own.createDatabase();
    const where = directory(onTestFinished);
    const members = ['a', 'b', 'c'].map(
      (name) => new Member({ url, directory: join(where, name), name }, { later: onTestFinished }),
    );
    await Promise.all(members.map((member) => member.ready()));
    const first = await until('a node to conduct', () => members.find((member) => member.conducts));
    await own.kill();
    await first.hears('that it does not conduct', ({ term }) => term === null);
    expect(first.said.some(({ log }) => log?.includes('stops conducting') === true)).toBe(true);
    await own.start();
    const next = await until('a node to conduct', () => members.find((member) => member.conducts));
    expect(members.flatMap(({ terms }) => terms).toSorted((a, b) => a - b)).toEqual([1, 2]);
    const begun = (member: Member) => member.said.find(({ term }) => term !== undefined)?.upSince;
    expect(next.said.findLast(({ term }) => term === 2)?.upSince).toBe(begun(first));
  });
});
