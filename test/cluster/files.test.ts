import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { hashOf, JobFiles } from '../../src/cluster/files.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { openDatabase, type Database } from '../../src/postgres/database.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { PATIENCE } from '../support/patience.ts';

let server: Postgres;
let url: string;
const open: Database[] = [];

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  url = await server.createDatabase();
});
afterEach(async () => {
  for (const database of open.splice(0)) await database.close();
});

async function connect(): Promise<Database> {
  const database = await openDatabase({ url, clock: systemClock });
  open.push(database);
  return database;
}

/** Node A conducts for term 1. */
async function conductor(): Promise<{ database: Database; files: JobFiles }> {
  const database = await connect();
  await database.run('update conductor set term = 1');
  return { database, files: new JobFiles(database, systemClock) };
}

const request = (text: string, by = 'ann') => ({
  documents: [
    { path: 'jobs.yaml', text },
    { path: 'conf.d/a.yaml', text: 'jobs: {}' },
  ],
  directory: '/etc/tsched',
  by,
});
const well = { term: 1, node: 'a', check: () => Promise.resolve(undefined) };

describe('the hash of a job file', () => {
  it('is of its content, not of where it lies', () => {
    const { documents } = request('x');
    const [, include = { path: '', text: '' }] = documents;
    const hash = hashOf(documents);
    expect(hashOf([{ path: '/srv/other.yaml', text: 'x' }, include])).toBe(hash);
    expect(hashOf([{ path: 'jobs.yaml', text: 'y' }, include])).not.toBe(hash);
    expect(
      hashOf([
        { path: 'jobs.yaml', text: 'x' },
        { ...include, path: 'conf.d/b.yaml' },
      ]),
    ).not.toBe(hash);
    expect(hashOf(documents.slice(0, 1))).not.toBe(hash);
  });
});

describe('versions of the job file', () => {
  it('count from 1; the newest is in force, with all of its text', async () => {
    const { files } = await conductor();
    expect(await files.newest()).toBeUndefined();
    expect(await files.current()).toBeUndefined();
    const text = 'jobs: { a: { every: 1h, run: "echo \\"\\u0000\\" ü 😀" } }\n';
    expect(await files.publish(request(text), well)).toEqual({ kind: 'published', version: 1 });
    expect(await files.current()).toMatchObject({
      version: 1,
      ...request(text),
      hash: hashOf(request(text).documents),
      node: 'a',
    });
    expect(await files.publish(request('two'), well)).toEqual({ kind: 'published', version: 2 });
    expect(await files.newest()).toMatchObject({ version: 2, by: 'ann' });
    expect(await files.current()).toMatchObject({ version: 2, ...request('two') });
  });

  it('are made of what changed alone; another directory is a change', async () => {
    const { files } = await conductor();
    await files.publish(request('one'), well);
    const check = vi.fn<() => Promise<undefined>>(well.check);
    expect(await files.publish(request('one', 'bob'), { ...well, check })).toEqual({
      kind: 'unchanged',
      version: 1,
    });
    expect(check).not.toHaveBeenCalled();
    const moved = { ...request('one'), directory: '/srv' };
    expect(await files.publish(moved, well)).toEqual({ kind: 'published', version: 2 });
  });

  it('are checked before they count', async () => {
    const { files } = await conductor();
    const check = (): Promise<string> => Promise.resolve('it has an error');
    expect(await files.publish(request('one'), { ...well, check })).toEqual({
      kind: 'refused',
      why: 'it has an error',
    });
    expect(await files.newest()).toBeUndefined();
  });

  it('are not made by a conductor whose term is over, though it is over only since the check', async () => {
    const { database, files } = await conductor();
    const check = async (): Promise<undefined> => {
      await database.run('update conductor set term = 2');
    };
    expect(await files.publish(request('one'), { ...well, check })).toEqual({ kind: 'deposed' });
    expect(await files.publish(request('one'), well)).toEqual({ kind: 'deposed' });
    expect(await files.newest()).toBeUndefined();
    expect(await files.publish(request('one'), { ...well, term: 2 })).toEqual({
      kind: 'published',
      version: 1,
    });
  });

  it('published from two nodes at once are one after the other, and the same one once', async () => {
    await conductor();
    const nodes = await Promise.all([connect(), connect()]);
    const [a, b] = nodes.map((database) => new JobFiles(database, systemClock)) as [JobFiles, JobFiles];
    // Both have looked before either writes.
    const gate = Promise.withResolvers<undefined>();
    let checking = 0;
    const check = async (): Promise<undefined> => {
      checking += 1;
      if (checking === 2) gate.resolve(undefined);
      return gate.promise;
    };
    const results = await Promise.all([
      a.publish(request('mine', 'ann'), { ...well, check }),
      b.publish(request('yours', 'bob'), { ...well, node: 'b', check }),
    ]);
    expect(results.map((result) => result.kind)).toEqual(['published', 'published']);
    const versions = results.map((result) => (result.kind === 'published' ? result.version : 0));
    expect(new Set(versions)).toEqual(new Set([1, 2]));
    const last = results[0].kind === 'published' && results[0].version === 2 ? 'ann' : 'bob';
    expect(await a.newest()).toMatchObject({ version: 2, by: last });

    checking = 0;
    const same = Promise.withResolvers<undefined>();
    const both = async (): Promise<undefined> => {
      checking += 1;
      if (checking === 2) same.resolve(undefined);
      return same.promise;
    };
    const again = await Promise.all(
      [a, b].map((files) => files.publish(request('same'), { ...well, check: both })),
    );
    expect(new Set(again.map(({ kind }) => kind))).toEqual(new Set(['published', 'unchanged']));
    expect(await a.newest()).toMatchObject({ version: 3 });
  });

  it.each(['check', 'lock'])('of a publisher that is killed at its %s come to nothing', async (at) => {
    const { files } = await conductor();
    const script = join(import.meta.dirname, '../fixtures/publisher.ts');
    const child = spawn(process.execPath, [script, url, at], { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = once(child, 'exit');
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await gone;
    expect(await files.publish(request('alive'), well)).toEqual({ kind: 'published', version: 1 });
    expect(await files.newest()).toMatchObject({ by: 'ann' });
  });

  it('are kept for a while', async () => {
    const { database, files } = await conductor();
    for (let n = 1; n <= 25; n += 1) await files.publish(request(`v${n}`), well);
    const rows = await database.query<{ version: number }>('select version from files order by version');
    expect(rows.map(({ version }) => version)).toEqual(Array.from({ length: 20 }, (_, n) => n + 6));
  });
});

describe('watching the job file', () => {
  it('tells of each newer version once, whoever heard it first, and not of one’s own', async () => {
    const { files } = await conductor();
    const other = new JobFiles(await connect(), systemClock);
    const [own, told]: number[][] = [[], []];
    const watch = await other.watch(undefined, (version) => told?.push(version));
    await files.watch(undefined, (version) => own?.push(version));
    await files.publish(request('one'), well);
    await vi.waitFor(() => expect(told).toEqual([1]), { timeout: PATIENCE });
    watch.look(1);
    watch.look(undefined);
    watch.look(2);
    await files.publish(request('two'), well);
    await files.publish(request('three'), well);
    await vi.waitFor(() => expect(told).toEqual([1, 2, 3]), { timeout: PATIENCE });
    await other.publish(request('four'), { ...well, node: 'b' });
    await vi.waitFor(() => expect(own).toEqual([4]), { timeout: PATIENCE });
    expect(told).toEqual([1, 2, 3]);
  });

  it('tells of what was there before, and of what came while the connection was lost', async () => {
    const { files } = await conductor();
    await files.publish(request('one'), well);
    const other = new JobFiles(await connect(), systemClock);
    const told: number[] = [];
    await other.watch(undefined, (version) => told.push(version));
    await vi.waitFor(() => expect(told).toEqual([1]), { timeout: PATIENCE });
    await server.kill();
    await server.start();
    await vi.waitFor(() => files.publish(request('two'), well), { timeout: PATIENCE, interval: 200 });
    await vi.waitFor(() => expect(told).toEqual([1, 2]), { timeout: PATIENCE });
  });

  it('keeps what a node has, and what it has seen', async () => {
    const { database, files } = await conductor();
    const id = '018f0000-0000-7000-8000-000000000001';
    await database.run("insert into nodes (id, name, state, schedules) values ($1, 'a', 'up', true)", [id]);
    expect(await files.seen(id)).toBeUndefined();
    await files.saw(id, 'x', true);
    expect(await files.seen(id)).toBe('x');
    await files.saw(id, 'y', false);
    expect(await files.seen(id)).toBe('x');
    const rows = await database.query('select file_hash, file_seen_hash from nodes');
    expect(rows).toEqual([{ file_hash: 'y', file_seen_hash: 'x' }]);
  });
});
