/** `tsched nodes` as people call it, over a real socket; what the API answers from is made up. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { ClusterOperator, ClusterView, NodeView } from '../../src/engine/ports-cluster.ts';
import type { Operator } from '../../src/engine/ports-operator.ts';
import { serveSocket, type Listener } from '../../src/http/http.ts';
import { bin, directory, plainEnvironment, tsched } from './tsched.ts';

function node(name: string, more: Partial<NodeView> = {}): NodeView {
  return {
    id: '019aaec9-0000-4000-8000-000000000000',
    name,
    state: 'up',
    conducts: false,
    schedules: true,
    labels: [],
    slots: 4,
    busy: 0,
    host: `${name}.example`,
    pid: 7,
    version: '1.2.3',
    startedAt: 0,
    heardAgo: 900,
    skew: 20,
    file: 'same',
    lacks: [],
    ...more,
  };
}

const view: ClusterView = {
  nodes: [
    node('web-1', { conducts: true, id: 'one', busy: 2 }),
    node('web-2', { state: 'draining', busy: 1, skew: -2300, file: 'differs', labels: ['eu', 'gpu'] }),
    node('web-3', {
      state: 'silent',
      heardAgo: 65_000,
      schedules: false,
      file: 'none',
      lacks: ['/srv/a\u{1b}[2J.ts'],
    }),
  ],
  conductor: 'one',
  term: 12,
  fileVersion: 3,
  queued: [
    { labels: [], count: 3, oldest: 1000 },
    { labels: ['eu', 'gpu'], module: '/srv/report.ts', count: 1, oldest: 61_000 },
  ],
};

const drains: [string, boolean, string][] = [];
let away = false;
const cluster: ClusterOperator = {
  view: () =>
    Promise.resolve(
      away
        ? { ok: false, refusal: { refused: 'cluster_away', message: 'the database is away' } }
        : { ok: true, value: view },
    ),
  drain(name, on, by) {
    drains.push([name, on, by]);
    const found = view.nodes.find((each) => each.name === name);
    const refusal = {
      refused: 'unknown_node',
      message: `there is no node ${name}`,
      hint: 'there are web-1',
    } as const;
    return Promise.resolve(found === undefined ? { ok: false, refusal } : { ok: true, value: found });
  },
  copy: () => Promise.reject(new Error('nobody asks for it here')),
  inForce: () => Promise.reject(new Error('nobody asks for it here')),
  publish: () => Promise.reject(new Error('nobody asks for it here')),
};

let socket: string;
let alone: string;
const listeners: Listener[] = [];
beforeAll(async () => {
  const where = directory();
  [socket, alone] = [join(where, 'sock'), join(where, 'alone')];
  for (const [path, operator] of [
    [socket, { cluster }],
    [alone, {}],
  ] as const) {
    const parts = {
      node: operator as Operator,
      operator: () => operator as Operator,
      clock: systemClock,
      version: '1.2.3',
      metrics: () => Promise.resolve(''),
      onBug: () => undefined,
    };
    listeners.push(await serveSocket(parts, { path, mode: 0o600 }));
  }
});
afterAll(() => Promise.all(listeners.map((listener) => listener.close())));

/** Beside this process, which answers it. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...plainEnvironment(), TSCHED_SOCKET: args.includes('--socket') ? '' : socket },
  });
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
  const [code] = (await once(child, 'close')) as [number];
  return { code, ...said };
}

describe('tsched nodes', () => {
  it('shows each, what it lacks, and what waits', async () => {
    const { code, out } = await run('nodes');
    expect(code).toBe(0);
    expect(out).toBe(`NODE   STATE     ROLE         LABELS  BUSY  CLOCK  FILE     HEARD      HOST
web-1  up        conducts             2/4   good   same     900ms ago  web-1.example
web-2  draining  may conduct  eu,gpu  1/4   -2.3s  differs  900ms ago  web-2.example
web-3  silent    works                0/4   –      –        1m05s ago  web-3.example
web-3 lacks /srv/a\\x1b[2J.ts: it takes no run of these modules
3 attempts wait for any node, the oldest for 1s
1 attempt waits for a node with eu, gpu and /srv/report.ts, for 1m01s; no node that is up has these labels and takes what is new
term 12, job file version 3
`);
  });

  it('has a shape for programs', async () => {
    const { out } = await run('nodes', '--json');
    expect(out).not.toContain('\u{1b}');
    expect(JSON.parse(out)).toMatchObject({
      conductor: 'web-1',
      term: 12,
      fileVersion: 3,
      nodes: [{ name: 'web-1', busy: 2 }, { skewMs: -2300 }, { state: 'silent', heardAgoMs: 65_000 }],
      queued: [{ module: null }, { module: '/srv/report.ts', oldestMs: 61_000 }],
    });
  });

  it('drains a node and lets it take again', async () => {
    expect(await run('nodes', 'drain', 'web-1')).toMatchObject({
      code: 0,
      out: 'web-1 takes nothing new; 2 attempts may end\n',
    });
    expect(await run('nodes', 'resume', 'web-3')).toMatchObject({
      code: 0,
      out: 'web-3 takes again, once it is back: it is silent\n',
    });
    const by = 'somebody on the socket';
    expect(drains).toEqual([
      ['web-1', true, by],
      ['web-3', false, by],
    ]);
    expect(JSON.parse((await run('nodes', 'drain', 'web-1', '--json')).out)).toMatchObject({ name: 'web-1' });
  });

  it.each([
    ['no such node', ['drain', 'other'], 64, 'tsched: there is no node other; there are web-1'],
    ['no node named', ['drain'], 64, 'nothing says which node is to drain'],
    ['no such action', ['stop', 'web-1'], 64, 'Allowed choices are drain, resume'],
    ['a daemon that is alone', ['--socket', 'alone'], 1, 'this daemon is alone'],
    ['no daemon', ['--socket', '/nowhere'], 69, 'no tsched is running'],
  ])('says so of %s', async (_, args, code, text) => {
    const told = await run('nodes', ...args.map((arg) => (arg === 'alone' ? alone : arg)));
    expect([told.code, told.out]).toEqual([code, '']);
    expect(told.err).toContain(text);
  });

  it('says so of a database that is away', async () => {
    away = true;
    const told = await run('nodes');
    away = false;
    expect([told.code, told.err]).toEqual([69, expect.stringContaining('the database is away')]);
  });

  it('is completed, its nodes too', async () => {
    expect((await run('complete', '--', 'nodes', '')).out).toBe('drain\t\nresume\t\n');
    expect((await run('complete', '--', 'nodes', 'drain', 'web')).out).toBe(
      'web-1\tup\nweb-2\tdraining\nweb-3\tsilent\n',
    );
  });

  it('is in the help', () => {
    expect(tsched(['help', 'nodes']).out).toContain('tsched nodes drain web-2');
  });
});
