/** Whose job file is in force, on real nodes: each has a copy of its own, and what they do with it is a rule, not luck. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestCluster } from '../support/cluster.ts';
import { account, directory, type Daemon } from '../support/daemon.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { eventually, tell, told, untilNodes } from '../support/telling.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const said = (node: Daemon, what: string) => node.waitFor(what, ({ msg }) => msg.includes(what));

/** Waits until these jobs, and no others, are what a node lists. */
const lists = (node: Daemon, ids: readonly string[]) =>
  eventually(`${ids.join(', ')} to be what is listed`, async () => {
    const { jobs } = await told<{ readonly jobs: readonly { readonly id: string }[] }>(node, ['list']);
    expect(jobs.map(({ id }) => id)).toEqual(ids);
  });

const BROKEN = 'jobs:\n  broken: { evry: 1s, run: x }\n';

describe('two nodes whose job files differ', () => {
  it('run that of the first, then what is edited on either, also while it is down, and nothing that is broken', async () => {
    const cluster = await TestCluster.in(server);
    const home = directory();
    const book = account(join(home, 'account'));
    const jobs = (id: string): string =>
      JSON.stringify({ jobs: { [id]: { every: '1s', misfire: { run: 'none' }, run: book.line() } } });
    const start = (name: string, where: string, text?: string) =>
      cluster.node({ name, directory: where, ...(text && { jobs: text }) });
    const [home_a, home_b] = [directory(), directory()];
    let a = start('a', home_a, jobs('first'));
    await a.ready();
    await said(a, 'is version 1 of the job file: there was none before');
    const b = start('b', home_b, jobs('other'));
    await said(b, 'differs from version 1 of the job file (published by node a), which is in force');
    await untilNodes('b to be seen to differ', b, ({ a, b }, { fileVersion }) => {
      return a?.file === 'same' && b?.file === 'differs' && fileVersion === 1;
    });
    await lists(b, ['first']);
    await a.until('it to run', () => book.executions('first').length > 0);

    // An edit is the next version, on both.
    writeFileSync(b.file, jobs('edited'));
    await said(b, 'is version 2 of the job file: it was edited');
    await said(a, 'differs from version 2 of the job file (published by node b)');
    await untilNodes('a to be seen to differ', a, ({ a, b }, { fileVersion }) => {
      return a?.file === 'differs' && b?.file === 'same' && fileVersion === 2;
    });
    await lists(a, ['edited']);
    await a.until('it to run', () => book.executions('edited').length > 0);

    // A broken one is none.
    writeFileSync(b.file, BROKEN);
    await said(b, 'has errors and is not published, version 2 stays in force');
    for (const command of [['reload'], ['reload', '--dry-run'], ['publish', b.file]]) {
      const refused = await tell(b, command);
      expect(refused).toMatchObject({
        code: 78,
        out: '',
        err: expect.stringContaining('did you mean "every"?'),
      });
      expect(refused.err).toContain('> 2 │   broken: { evry: 1s, run: x }');
    }
    await lists(b, ['edited']);

    // Who conducts changes nothing of it; nor does a copy that comes back as it was.
    a.signal('SIGKILL');
    await a.exited;
    await b.ready();
    await lists(b, ['edited']);
    a = start('a', home_a);
    await said(a, 'differs from version 2 of the job file (published by node b)');
    await untilNodes('the same version to be in force', a, ({ b }, { fileVersion }) => {
      return b?.conducts === true && fileVersion === 2;
    });

    // One that was edited while nobody looked does.
    a.signal('SIGKILL');
    await a.exited;
    writeFileSync(a.file, jobs('down'));
    a = start('a', home_a);
    await said(a, 'is version 3 of the job file: it was edited');
    await lists(b, ['down']);
    await b.until('it to run', () => book.executions('down').length > 0);

    // And what is handed over, whoever has it.
    const path = join(home, 'more.yaml');
    writeFileSync(path, jobs('published'));
    expect(await tell(a, ['publish', path])).toMatchObject({
      code: 0,
      out: expect.stringContaining('It is version 4, in force on every node.'),
    });
    await lists(b, ['published']);
    await b.until('it to run', () => book.executions('published').length > 0);
    expect(new Set(book.executions().map(({ job }) => job))).toEqual(
      new Set(['first', 'edited', 'down', 'published']),
    );
    const slots = book.executions().map(({ job, slot }) => `${job} ${slot}`);
    expect(slots).toEqual([...new Set(slots)]);
  });
});

describe('a person who has a node read its copy again', () => {
  it('has that one published, whoever conducts, and told what it changes', async () => {
    const cluster = await TestCluster.in(server);
    const jobs = (id: string): string =>
      JSON.stringify({ jobs: { [id]: { every: '1h', run: 'x', env_file: 'env' } } });
    const start = (name: string) => {
      const where = directory();
      writeFileSync(join(where, 'env'), 'A=1\n');
      return cluster.node({
        name,
        directory: where,
        jobs: jobs('one'),
        args: ['--no-watch'],
      });
    };
    const a = start('a');
    await a.ready();
    const b = start('b');
    const worker = cluster.worker({ name: 'w' });
    await untilNodes('all to be there', a, ({ b, w }) => b?.file === 'same' && w?.state === 'up');

    writeFileSync(b.file, jobs('two'));
    const dry = await tell(b, ['reload', '--dry-run']);
    expect(dry).toMatchObject({ code: 0, err: '' });
    expect(dry.out).toMatch(/^\S*jobs\.yaml: 1 added \(two\), 1 removed \(one\), 0 unchanged\.\n/);
    expect(dry.out).toContain('Nothing was applied');
    await lists(b, ['one']);
    const done = await tell(b, ['reload']);
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toMatch(/^\S*jobs\.yaml: 1 added \(two\), 1 removed \(one\), 0 unchanged\.\n/);
    expect(done.out).toContain('Version 2 is in force on every node.');
    await lists(a, ['two']);
    await untilNodes(
      'b to have what is in force',
      a,
      ({ a, b }) => a?.file === 'differs' && b?.file === 'same',
    );

    // By a signal it is the same; at the node that conducts too, whose copy nobody touched.
    writeFileSync(b.file, jobs('three'));
    b.signal('SIGHUP');
    await said(b, 'is version 3 of the job file');
    await lists(a, ['three']);
    a.signal('SIGUSR2');
    await said(a, 'is version 4 of the job file: a person asked for it');
    await lists(b, ['one']);

    // The same text may mean something else by now.
    writeFileSync(join(a.directory, 'env'), 'A=2\n');
    expect((await tell(a, ['reload'])).out).toMatch(
      /1 changed \(one\), 0 unchanged\.\n {2}changed {6}one {2}\(env\)\n/,
    );
    await untilNodes('that to be no new version', b, (_, { fileVersion }) => fileVersion === 4);

    // Who has no copy has none to read.
    expect(await tell(worker, ['reload'])).toMatchObject({
      code: 78,
      err: expect.stringContaining('this node only works, and has no job file'),
    });
  });
});

describe('what the job file names', () => {
  it('is watched on the node that conducts', async () => {
    const cluster = await TestCluster.in(server);
    const where = directory();
    const env = join(where, 'env');
    writeFileSync(env, 'A=before\n');
    const path = join(where, 'out');
    const run = `echo "$A" >> '${path}'`;
    const jobs = JSON.stringify({ jobs: { one: { every: '1h', run, env_file: 'env' } } });
    const a = await cluster.node({ name: 'a', directory: where, jobs }).ready();
    await said(a, 'is version 1 of the job file');
    writeFileSync(env, 'A=after\n');
    await a.until('the change', () => a.events('jobs_applied').find(({ msg }) => msg.includes('1 changed')));
    expect(await tell(a, ['trigger', 'one', '--wait'])).toMatchObject({ code: 0 });
    expect(readFileSync(path, 'utf8')).toBe('after\n');
    await untilNodes('that to be no new version', a, (_, { fileVersion }) => fileVersion === 1);
  });
});

describe('a job that names no time zone', () => {
  it('goes by that of the machine where its file was published, whoever conducts', async () => {
    const cluster = await TestCluster.in(server);
    const jobs = JSON.stringify({ jobs: { night: { cron: '0 3 * * *', run: 'true' } } });
    const a = cluster.node({ name: 'a', jobs, env: { TZ: 'Asia/Shanghai' } });
    await a.ready();
    const b = cluster.node({ name: 'b', jobs, env: { TZ: 'America/New_York' } });
    await said(b, 'node b of the cluster');
    const zoneAt = async (node: Daemon): Promise<readonly string[]> => {
      const { jobs } = await told<{ readonly jobs: readonly { readonly timezone: string }[] }>(node, [
        'list',
      ]);
      return jobs.map(({ timezone }) => timezone);
    };
    expect(await zoneAt(a)).toEqual(['Asia/Shanghai']);
    await a.stop();
    await b.ready();
    expect(await zoneAt(b)).toEqual(['Asia/Shanghai']);
    expect((await cluster.rows()).skips).toEqual([]);
  });
});
