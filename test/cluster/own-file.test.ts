import { rmSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AppOptions } from '../../src/app-options.ts';
import { JobFiles } from '../../src/cluster/files.ts';
import { OwnFile } from '../../src/cluster/own-file.ts';
import { systemClock } from '../../src/engine/clock.ts';
import type { PublishRequest, Published } from '../../src/engine/ports-cluster.ts';
import type { Answer } from '../../src/engine/refusal.ts';
import { gather } from '../../src/config/gather.ts';
import { loadJobFile } from '../../src/job-loading.ts';
import { publishedFile } from '../../src/publishing.ts';
import { openDatabase, type Database } from '../../src/postgres/database.ts';
import { Files } from '../config/support.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { PATIENCE } from '../support/patience.ts';

let server: Postgres;
let url: string;
const open: { close(): unknown }[] = [];
const disks: Files[] = [];

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  url = await server.createDatabase();
});
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
  for (const disk of disks.splice(0)) disk[Symbol.dispose]();
});

const plan = {
  kind: 'applied',
  added: [],
  rescheduled: [],
  changed: [],
  removed: [],
  unchanged: 0,
  changedKeys: {},
  activeRuns: [],
  warnings: [],
} as const;

interface NodeOptions {
  readonly conducts?: boolean;
  /** What the conductor says in place of publishing. */
  readonly answer?: () => Answer<Published> | undefined;
}

let count = 0;

class Node {
  readonly disk = new Files();
  readonly said: string[] = [];
  readonly files: JobFiles;
  readonly file: OwnFile;
  readonly id: string;
  readonly name: string;

  constructor(database: Database, name: string, { conducts = false, answer }: NodeOptions = {}) {
    disks.push(this.disk);
    this.id = `018f0000-0000-7000-8000-00000000000${(count += 1) % 10}`;
    this.name = name;
    this.files = new JobFiles(database, systemClock);
    const options = { file: this.disk.path('jobs.yaml'), environment: {}, hostTimezone: 'UTC' } as AppOptions;
    this.file = new OwnFile({
      files: this.files,
      node: this,
      clock: systemClock,
      read: async () => {
        const path = options.file;
        const result = await loadJobFile(options);
        const { sources } = result.ok ? result.file : result;
        const given = await gather(path, sources);
        return given && { given, path, errors: result.ok ? 0 : result.errors.length };
      },
      conducts: () => conducts,
      publish: async (request) => answer?.() ?? this.#publish(request),
      log: {
        write: (level, message) => this.said.push(`${level} ${message.replaceAll(this.disk.directory, '')}`),
      },
    });
    open.push(this.file);
  }

  async #publish(request: PublishRequest): Promise<Answer<Published>> {
    const wish = { term: 1, node: this.name, check: () => Promise.resolve(undefined) };
    const result = await this.files.publish(request, wish);
    if (result.kind === 'refused' || result.kind === 'deposed') throw new Error(result.kind);
    return { ok: true, value: { version: result.version, changed: result.kind === 'published', plan } };
  }

  write(content: string): void {
    this.disk.write('jobs.yaml', content);
  }
}

async function node(name: string, options: NodeOptions = {}): Promise<Node> {
  const database = await openDatabase({ url, clock: systemClock });
  open.push(database);
  const made = new Node(database, name, options);
  await database.run('update conductor set term = 1');
  await database.run("insert into nodes (id, name, state, schedules) values ($1, $2, 'up', true)", [
    made.id,
    name,
  ]);
  return made;
}

const job = (every: string): string => `jobs:\n  j: { every: ${every}, run: x }\n`;

describe('the copy of a node', () => {
  it('of the first conductor is version 1; another node that differs follows and says so', async () => {
    const [a, b] = [await node('a', { conducts: true }), await node('b')];
    a.write(job('1h'));
    b.write(job('2h'));
    expect(await b.file.settle('start')).toEqual({ kind: 'wait', reason: 'not_conducting' });
    expect(await a.file.settle('start')).toEqual({ kind: 'publish', reason: 'first' });
    expect(a.said).toEqual(['notice /jobs.yaml is version 1 of the job file: there was none before']);
    expect(await b.file.settle('start')).toEqual({ kind: 'follow', reason: 'differs' });
    await b.file.settle('changed');
    expect(b.said).toEqual([
      'warning /jobs.yaml differs from version 1 of the job file (published by node a), which is in force; ' +
        'to put this one in its place: tsched publish /jobs.yaml',
    ]);
    expect(await publishedFile(b.files).read()).toMatchObject({ version: 1, directory: a.disk.directory });
  });

  it('that is edited is the next version, with what it includes; also when its daemon was down', async () => {
    const [a, b] = [await node('a', { conducts: true }), await node('b')];
    for (const { disk } of [a, b]) disk.write('jobs.yaml', `include: conf.d/*.yaml\n${job('1h')}`);
    expect(await a.file.settle('start')).toMatchObject({ reason: 'first' });
    expect(await b.file.settle('start')).toEqual({ kind: 'follow', reason: 'same' });
    b.disk.write('conf.d/more.yaml', 'jobs:\n  k: { every: 1h, run: x }\n');
    // All that is known of it lies in the database.
    expect(await b.file.settle('start')).toEqual({ kind: 'publish', reason: 'edited' });
    expect(await a.files.current()).toMatchObject({
      version: 2,
      by: 'node b',
      documents: [{ path: 'jobs.yaml' }, { path: 'conf.d/more.yaml' }],
    });
    // Of the other node nobody touched anything: its copy does not come back.
    expect(await a.file.settle('changed')).toEqual({ kind: 'follow', reason: 'differs' });
    expect(await a.file.settle('asked', 'ann')).toEqual({ kind: 'publish', reason: 'asked' });
    expect(await a.files.newest()).toMatchObject({ version: 3, by: 'ann' });
    expect(await b.file.settle('changed')).toEqual({ kind: 'follow', reason: 'differs' });
  });

  it('with errors is not published', async () => {
    const a = await node('a', { conducts: true });
    a.write('jobs:\n  j: { evry: 1h, run: x }\n');
    expect(await a.file.settle('start')).toEqual({ kind: 'wait', reason: 'broken' });
    a.write(job('1h'));
    expect(await a.file.settle('changed')).toEqual({ kind: 'publish', reason: 'first' });
    a.write('jobs:\n  j: { evry: 1h, run: x }\n');
    for (let n = 0; n < 2; n += 1)
      expect(await a.file.settle('changed')).toEqual({ kind: 'follow', reason: 'broken' });
    expect(a.said.filter((line) => line.startsWith('error'))).toEqual([
      'error /jobs.yaml has errors and is not published, nothing runs; tsched validate /jobs.yaml shows them',
      'error /jobs.yaml has errors and is not published, version 1 stays in force; tsched validate /jobs.yaml shows them',
    ]);
    a.write(job('3h'));
    expect(await a.file.settle('changed')).toEqual({ kind: 'publish', reason: 'edited' });
  });

  it('that is not there is none', async () => {
    const a = await node('a', { conducts: true });
    expect(await a.file.settle('start')).toEqual({ kind: 'wait', reason: 'no_copy' });
    a.write(job('1h'));
    await a.file.settle('changed');
    rmSync(a.disk.path('jobs.yaml'));
    expect(await a.file.settle('changed')).toEqual({ kind: 'follow', reason: 'no_copy' });
    expect(await a.files.newest()).toMatchObject({ version: 1 });
  });

  it('that the conductor refuses is told, and tried again once it changes', async () => {
    let answer: Answer<Published> | undefined = {
      ok: false,
      refusal: { refused: 'bad_file', message: 'the job file has errors', hint: 'see there' },
    };
    const a = await node('a', { conducts: true, answer: () => answer });
    a.write(job('1h'));
    await a.file.settle('start');
    await a.file.settle('changed');
    expect(a.said).toEqual(['error /jobs.yaml is not published: the job file has errors; see there']);
    expect(await a.files.seen(a.id)).toBeUndefined();
    answer = undefined;
    await a.file.settle('changed');
    expect(await a.files.newest()).toMatchObject({ version: 1 });
  });

  it('waits while nobody conducts, or the database is away', async () => {
    let isAway = true;
    const away: Answer<Published> = { ok: false, refusal: { refused: 'cluster_away', message: 'not now' } };
    const a = await node('a', { conducts: true, answer: () => (isAway ? away : undefined) });
    a.write(job('1h'));
    expect(await a.file.settle('start')).toBeUndefined();
    isAway = false;
    await vi.waitFor(async () => expect(await a.files.newest()).toMatchObject({ version: 1 }), {
      timeout: PATIENCE,
    });
    await server.kill();
    writeFileSync(a.disk.path('jobs.yaml'), job('2h'));
    expect(await a.file.settle('changed')).toBeUndefined();
    await server.start();
    await vi.waitFor(async () => expect(await a.files.newest()).toMatchObject({ version: 2 }), {
      timeout: PATIENCE,
      interval: 200,
    });
  });

  it('waits too while the database cannot be used, which may be mended', async () => {
    const a = await node('a', { conducts: true });
    a.write(job('1h'));
    await a.file.settle('start');
    const name = new URL(url).pathname.slice(1);
    await server.ask(`DROP DATABASE ${name} WITH (FORCE)`);
    a.write(job('2h'));
    await expect(a.files.newest()).rejects.toThrow(`database "${name}" does not exist`);
    expect(await a.file.settle('changed')).toBeUndefined();
  });

  it('that cannot be read is told, once, and looked at again', async () => {
    const a = await node('a', { conducts: true });
    a.write(job('1h'));
    const newest = vi.spyOn(a.files, 'newest').mockRejectedValue(new Error('what nobody thought of'));
    expect(await a.file.settle('start')).toBeUndefined();
    expect(await a.file.settle('changed')).toBeUndefined();
    expect(a.said).toEqual([expect.stringContaining('what nobody thought of')]);
    newest.mockRestore();
    await vi.waitFor(async () => expect(await a.files.newest()).toMatchObject({ version: 1 }), {
      timeout: PATIENCE,
    });
  });
});
