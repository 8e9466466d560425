/** What a node answers of its cluster: real nodes at a real database, and its routes on a real socket. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createMembership, type Membership } from '../../src/cluster/membership.ts';
import { ClusterOffice } from '../../src/cluster/office.ts';
import { systemClock } from '../../src/engine/clock.ts';
import type { FileInForce, PublishRequest } from '../../src/engine/ports-cluster.ts';
import type { Answer, Operator } from '../../src/engine/ports-operator.ts';
import { serveSocket } from '../../src/http/http.ts';
import { openDatabase, type Database } from '../../src/postgres/database.ts';
import { directory, until, type Later } from '../support/daemon.ts';
import { PATIENCE } from '../support/patience.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { Promises } from './promises.ts';
import { ask, type Place, type Told, type Wanted } from './support.ts';

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let postgres: Postgres;
let database: Database;
let promises: Promises;
let alone: Place;
const members = new Map<string, Membership>();
const wishes: [string, boolean][] = [];
const published: PublishRequest[] = [];
const said: string[] = [];
const inForce: Answer<FileInForce>[] = [];
const NO_FILE = { refused: 'no_file', message: 'none was published' } as const;

async function node(name: string, where: string): Promise<Membership> {
  mkdirSync(join(where, name));
  const membership = createMembership({
    database,
    clock: systemClock,
    nodeIdFile: join(where, name, 'node-id'),
    name,
    schedules: name !== 'worker',
    labels: name === 'worker' ? ['gpu'] : [],
    slots: 4,
    host: `${name}.example`,
    pid: process.pid,
    version: '1.2.3',
    startedAt: Date.now(),
    busy: () => 1,
    document: () => ({ lacks: ['/srv/report.ts'] }),
    onReady: () => undefined,
    onWish: (drain) => void wishes.push([name, drain]),
    onAway: () => undefined,
    log: { write: () => undefined },
  });
  await membership.start();
  later(() => membership.close());
  members.set(name, membership);
  return membership;
}

beforeAll(async () => {
  postgres = await startPostgres();
  later(() => postgres.stop());
  database = await openDatabase({ url: await postgres.createDatabase(), clock: systemClock });
  later(() => database.close());
  const where = directory(later);
  const first = await node('first', where);
  await until('it to conduct', () => first.term);
  await node('worker', where);
  first.beatNow();
  await until('one to hear of the other', () => first.nodes().length === 2);
  const cluster = new ClusterOffice({
    database,
    clock: systemClock,
    membership: first,
    file: {
      publish: (request) => {
        published.push(request);
        return Promise.resolve({
          ok: false,
          refusal: { refused: 'bad_file', message: 'the file is bad', problems: [] },
        });
      },
      copy: () => Promise.resolve({ ok: false, refusal: { refused: 'bad_file', message: 'it has none' } }),
      inForce: () => Promise.resolve(inForce.shift() ?? { ok: false, refusal: NO_FILE }),
    },
    say: (message) => void said.push(message),
  });
  const place = await serve(join(where, 'sock'), { cluster });
  alone = await serve(join(where, 'alone'), {});
  promises = new Promises(place, (await ask(place, '/openapi.json')).body);
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function serve(path: string, operator: Pick<Operator, 'cluster'>): Promise<Place> {
  const listener = await serveSocket(
    {
      node: operator as Operator,
      operator: () => operator as Operator,
      clock: systemClock,
      version: '1.2.3',
      metrics: () => Promise.resolve(''),
      onBug: (error) => void said.push(String(error)),
    },
    { path, mode: 0o600 },
  );
  later(() => listener.close());
  return { socketPath: path };
}

const promised = (path: string, wanted?: Wanted): Promise<Told> => promises.ask(path, wanted);

describe('the nodes', () => {
  it('are told of, with who conducts', async () => {
    const { status, body } = await promised('/api/v1/nodes');
    expect(status).toBe(200);
    expect(body).toMatchObject({ conductor: 'first', term: 1, fileVersion: null, queued: [] });
    const shared = {
      state: 'up',
      slots: 4,
      busy: 1,
      version: '1.2.3',
      file: 'none',
      lacks: ['/srv/report.ts'],
    };
    expect(body.nodes).toMatchObject([
      { ...shared, name: 'first', conducts: true, schedules: true, labels: [], host: 'first.example' },
      { ...shared, name: 'worker', conducts: false, schedules: false, labels: ['gpu'] },
    ]);
  });

  it('tell what waits for them, by what it needs', async () => {
    await database.run('create schema tsched_queue');
    await database.run(`create table tsched_queue.job (name text, state text, blocked boolean default false,
      start_after timestamptz default now(), created_on timestamptz default now() - interval '5 s')`);
    await database.run(
      `insert into queues (name, labels, module) values ('any', '{}', null), ('r.1', '{gpu}', '/srv/report.ts')`,
    );
    await database.run(
      `insert into tsched_queue.job (name, state) values ('r.1', 'a'), ('r.1', 'a'), ('any', 'done')`,
    );
    const queued = async () => (await promised('/api/v1/nodes')).body.queued as { oldestMs: number }[];
    const told = await vi.waitUntil(
      async () => {
        const found = await queued();
        return found.length > 0 && found;
      },
      { timeout: PATIENCE, interval: 20 },
    );
    expect(told).toMatchObject([{ labels: ['gpu'], module: '/srv/report.ts', count: 2 }]);
    expect(told[0]?.oldestMs).toBeGreaterThanOrEqual(5000);
    await database.run('drop schema tsched_queue cascade');
  });

  it('are drained, which they hear of at once, and take again', async () => {
    const drained = await promised('/api/v1/nodes/worker/drain', { method: 'POST' });
    expect(drained).toMatchObject({ status: 200, body: { name: 'worker', state: 'draining' } });
    await until('it to hear of it', () => wishes.at(-1));
    expect(wishes).toEqual([['worker', true]]);
    const worker = members.get('worker');
    await until(
      'all to know',
      () => worker?.nodes().find(({ name }) => name === 'worker')?.state === 'draining',
    );
    const resumed = await promised('/api/v1/nodes/worker/resume', { method: 'POST' });
    expect(resumed).toMatchObject({ status: 200, body: { state: 'up' } });
    await until('it to hear of it', () => wishes.length > 1);
    expect(wishes.at(-1)).toEqual(['worker', false]);
    expect(said).toEqual([
      'somebody on the socket drains the node worker',
      'somebody on the socket lets the node worker take again',
    ]);
  });

  it('are not drained when there are none of that name', async () => {
    const { status, body } = await promised('/api/v1/nodes/other/drain', { method: 'POST' });
    expect([status, body.code, body.hint]).toEqual([404, 'unknown_node', 'there are first, worker']);
  });
});

describe('a job file', () => {
  it('is given to be published as it came', async () => {
    const json = { documents: [{ path: '/a/jobs.yaml', text: 'jobs: {}' }], directory: '/a' };
    const { status, body } = await promised('/api/v1/file', { method: 'PUT', json });
    expect([status, body.code]).toEqual([422, 'bad_file']);
    expect(published).toEqual([{ ...json, dryRun: false, by: 'somebody on the socket' }]);
  });

  it('is told as it was published, once one was', async () => {
    const documents = [{ path: 'jobs.yaml', text: 'jobs: {}' }];
    const value = { version: 3, by: 'ann', at: 0, documents, directory: '/a', timezone: 'Asia/Tokyo' };
    inForce.push({ ok: true, value }, { ok: true, value: { ...value, timezone: undefined } });
    const at = '1970-01-01T00:00:00Z';
    const { status, body } = await promised('/api/v1/file');
    expect([status, body]).toEqual([200, { ...value, at }]);
    expect((await promised('/api/v1/file')).body).toEqual({ ...value, at, timezone: null });
    const none = await promised('/api/v1/file');
    expect([none.status, none.body.code]).toEqual([404, 'no_file']);
  });

  it('may be a large one', async () => {
    const text = `jobs:\n${'  # a line of some length\n'.repeat(200_000)}`;
    expect(text.length).toBeGreaterThan(4 * 1024 * 1024);
    const json = { documents: [{ path: '/a/jobs.yaml', text }], directory: '/a' };
    const { status } = await promised('/api/v1/file', { method: 'PUT', json });
    expect(status).toBe(422);
    expect(published.pop()?.documents[0]?.text).toBe(text);
    const longer = { ...json, directory: `/${'a'.repeat(16 * 1024 * 1024)}` };
    // A client that only writes may miss the answer.
    const refused = promised('/api/v1/file', { method: 'PUT', json: longer });
    expect(
      await refused.then(
        ({ status }) => status,
        () => 413,
      ),
    ).toBe(413);
    expect(published).toHaveLength(1);
  });

  it.each([
    ['no documents', { documents: [], directory: '/a' }],
    ['a document without a text', { documents: [{ path: '/a' }], directory: '/a' }],
    ['more than that', { documents: [{ path: '/a', text: '', mode: 1 }], directory: '/a' }],
    ['a relative directory', { documents: [{ path: '/a', text: '' }], directory: 'a' }],
  ])('is refused with %s', async (_, json) => {
    const { status } = await promised('/api/v1/file', { method: 'PUT', json });
    expect(status).toBe(400);
    expect(published).toHaveLength(1);
  });
});

describe('a daemon that is alone', () => {
  it.each([
    ['GET', 'nodes'],
    ['POST', 'nodes/a/drain'],
    ['POST', 'nodes/a/resume'],
    ['GET', 'file'],
    ['PUT', 'file', { documents: [{ path: '/a', text: '' }], directory: '/a' }],
  ] as const)('says so to %s /%s', async (method, path, json?: object) => {
    const told = await ask(alone, `/api/v1/${path}`, { method, ...(json && { json }) });
    expect([told.status, told.body.code]).toEqual([409, 'no_cluster']);
    expect(told.body.detail).toBe('this daemon is alone: it was started without --store postgres://');
  });
});

describe('a database that is away', () => {
  it('is said to be', async () => {
    await postgres.kill();
    await until('the node to notice', () => members.get('first')?.contactFor === 0);
    for (const told of [
      await promised('/api/v1/nodes'),
      await promised('/api/v1/nodes/worker/drain', { method: 'POST' }),
    ])
      expect([told.status, told.body.code]).toEqual([503, 'cluster_away']);
  });
});
