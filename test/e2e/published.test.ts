/** Whose job file is in force in a cluster of real daemons. */
import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tsched } from '../cli/tsched.ts';
import { directory, startDaemon, type Daemon } from '../support/daemon.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const jobs = (...ids: string[]): string =>
  `jobs:\n${ids.map((id) => `  ${id}: { cron: "0 0 1 1 *", run: "true" }\n`).join('')}`;

/** A node that is up and answers, in a cluster that somebody conducts; `where` is its disk. */
async function node(name: string, url: string, where: string): Promise<Daemon> {
  const daemon = startDaemon({ directory: where, args: ['--node-name', name], env: { TSCHED_STORE: url } });
  await daemon.waitFor('the node to start', ({ event }) => event === 'node_started');
  await daemon.until('a node to conduct', () => /up +conducts/.test(tsched(['nodes', ...at(daemon)]).out));
  return daemon;
}

const says = (daemon: Daemon, words: string) =>
  daemon.waitFor(`it to say: ${words}`, ({ msg }) => msg.includes(words));
const at = ({ stateDirectory }: Daemon): string[] => ['--state-dir', stateDirectory];

/** The ids of the jobs that run, as a node tells. */
function listed(daemon: Daemon, cwd?: string): string[] {
  const { out } = tsched(['list', '--json', ...at(daemon)], cwd === undefined ? {} : { cwd });
  return (JSON.parse(out) as { jobs: { id: string }[] }).jobs.map(({ id }) => id).toSorted();
}

/** Waits until a node tells that these jobs run, and no others. */
const runs = (daemon: Daemon, ...ids: string[]): Promise<true> =>
  daemon.until(`${ids.join()} to run`, () => listed(daemon).join() === ids.join());

describe('the job file of a cluster', () => {
  it('is that of the first node, then of whoever edits or publishes one, and never one that merely lies there', async () => {
    const url = await server.createDatabase();
    const [here, there] = [directory(), directory()];
    writeFileSync(join(here, 'jobs.yaml'), jobs('first'));
    writeFileSync(join(there, 'jobs.yaml'), jobs('other'));
    const one = await node('one', url, here);
    await says(one, 'is version 1 of the job file: there was none before');
    const two = await node('two', url, there);
    await says(two, 'differs from version 1 of the job file (published by node one)');
    await runs(two, 'first');

    appendFileSync(join(there, 'jobs.yaml'), '  more: { cron: "0 0 1 1 *", run: "true" }\n');
    await says(two, 'is version 2 of the job file: it was edited');
    await runs(one, 'more', 'other');
    // As whoever rotates logs does.
    one.signal('SIGHUP');
    await says(one, 'differs from version 2 of the job file (published by node two)');
    expect(listed(one)).toEqual(['more', 'other']);
    one.signal('SIGUSR2');
    await says(one, 'is version 3 of the job file: a person asked for it');
    await runs(two, 'first');
    // Also where another job file lies in the directory of who asks.
    expect(listed(one, there)).toEqual(['first']);

    const elsewhere = join(directory(), 'new.yaml');
    writeFileSync(elsewhere, jobs('published'));
    const published = tsched(['publish', elsewhere, ...at(two)]);
    expect(published).toMatchObject({ code: 0, err: '' });
    expect(published.out).toMatch(/1 added \(published\), 1 removed \(first\)[^]*It is version 4, in force/);
    expect(tsched(['publish', elsewhere, ...at(one)]).out).toContain('it is version 4 already.');
    writeFileSync(elsewhere, 'jobs:\n  a: { evry: 1h, run: x }\n');
    expect(tsched(['publish', elsewhere, ...at(two)])).toMatchObject({
      code: 78,
      err: expect.stringMatching(/new\.yaml:2:8: error: jobs\.a\.evry: [^]*\^\^\^\^ did you mean "every"\?/),
    });

    one.signal('SIGKILL');
    await one.exited;
    await says(two, 'this node conducts');
    writeFileSync(join(here, 'jobs.yaml'), jobs('while-down'));
    const again = await node('one', url, here);
    await says(again, 'is version 5 of the job file: it was edited');
    await runs(two, 'while-down');
    for (const daemon of [again, two]) expect(await daemon.stop()).toBe(0);
    expect(two.lines.at(-1)).toMatchObject({ event: 'engine_stopped' });
  });

  it('can be published to nodes that have none', async () => {
    const url = await server.createDatabase();
    const where = directory();
    const one = await node('one', url, where);
    await says(one, 'no job file was published, and this node has none, so nothing runs');
    const file = join(directory(), 'jobs.yaml');
    writeFileSync(file, 'jobs:\n  a: { every: 1s, run: echo }\n');
    expect(tsched(['publish', file, ...at(one)])).toMatchObject({
      code: 0,
      out: expect.stringContaining('It is version 1, in force on every node.'),
    });
    rmSync(file);
    await one.waitFor('it to run', ({ event, job }) => event === 'run_finished' && job === 'a');
    expect(await one.stop()).toBe(0);
  });
});

describe('a node', () => {
  it('that may not log in says so and ends; one whose database is away waits for it', async () => {
    await server.createDatabase();
    const url = `postgres://secured:wrong@127.0.0.1:${server.port}/postgres`;
    const refused = startDaemon({ jobs: jobs('a'), env: { TSCHED_STORE: url } });
    expect(await refused.exited).toBe(77);
    expect(refused.text).toMatch(/password authentication failed[^]*check the user and the password/);
    expect(refused.text).not.toContain('wrong');

    const database = await server.createDatabase();
    await server.halt();
    const patient = startDaemon({ jobs: jobs('a'), env: { TSCHED_STORE: database } });
    await patient.until('it to say what it waits for', () =>
      /cannot be reached: [^]*it is tried again until it is there/.test(patient.text),
    );
    await server.start();
    await patient.waitFor('the node to start', ({ event }) => event === 'node_started');
    expect(await patient.stop()).toBe(0);
  });

  it('of a name that is taken is refused', async () => {
    const url = await server.createDatabase();
    const one = await node('one', url, directory());
    const other = startDaemon({ args: ['--node-name', 'one'], env: { TSCHED_STORE: url } });
    expect(await other.exited).toBe(75);
    expect(other.text).toContain('--node-name');
    expect(await one.stop()).toBe(0);
  });
});
