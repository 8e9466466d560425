import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startAsked } from '../http/support.ts';
import { bin, directory, plainEnvironment, tsched, type Ran } from './tsched.ts';

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly body: {
    readonly documents: readonly { readonly path: string; readonly text: string }[];
    readonly directory: string;
  };
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** What a conductor answers, in the shapes of its API. */
async function conductor(status: number, answer: object): Promise<{ socket: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    request.on('end', () => {
      asked.push({ method: request.method, url: request.url, body: JSON.parse(text) as Asked['body'] });
      const type = status < 300 ? 'application/json' : 'application/problem+json';
      response.writeHead(status, { 'content-type': type }).end(JSON.stringify(answer));
    });
  });
  const socket = join(directory(), 'tsched.sock');
  server.listen(socket);
  await once(server, 'listening');
  servers.push(server);
  return { socket, asked };
}

/** Not `tsched`, which would keep the conductor from answering. */
async function run(args: readonly string[], cwd: string): Promise<Ran> {
  const child = spawn(process.execPath, [bin, ...args], { cwd, env: plainEnvironment() });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (out += piece));
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (err += piece));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

const plan = {
  kind: 'applied',
  added: ['b'],
  changed: [],
  rescheduled: ['a'],
  removed: [],
  unchanged: 3,
  changedKeys: { a: ['every'] },
  activeRuns: [],
  warnings: [],
};

function files(): string {
  const cwd = directory();
  const inner = join(cwd, 'etc');
  mkdirSync(join(inner, 'conf.d'), { recursive: true });
  writeFileSync(
    join(inner, 'jobs.yaml'),
    'include: [conf.d/*.yaml, ../beside.yaml]\njobs:\n  a: { every: 1h, run: x, cwd: "${ONLY_THERE}" }\n',
  );
  writeFileSync(join(inner, 'conf.d/more.yaml'), 'jobs:\n  b: { every: 1h, run: x }\n');
  writeFileSync(join(cwd, 'beside.yaml'), 'jobs:\n  c: { every: 1h, run: x }\n');
  return cwd;
}

describe('tsched publish', () => {
  it('carries the file and what it includes to the conductor, and says what that changes', async () => {
    const cwd = files();
    const { socket, asked } = await conductor(200, { version: 5, changed: true, plan });
    const { code, out, err } = await run(['publish', 'etc/jobs.yaml', '--socket', socket], cwd);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe(
      'etc/jobs.yaml: 1 added (b), 1 rescheduled (a), 3 unchanged.\n  rescheduled  a  (every)\nIt is version 5, in force on every node.\n',
    );
    // A variable that only the daemons have is no mistake.
    expect(asked).toMatchObject([
      { method: 'PUT', url: '/api/v1/file', body: { directory: join(cwd, 'etc') } },
    ]);
    expect(asked[0]?.body.documents.map(({ path }) => path)).toEqual([
      'jobs.yaml',
      'conf.d/more.yaml',
      '../beside.yaml',
    ]);
    expect(asked[0]?.body.documents[1]?.text).toBe('jobs:\n  b: { every: 1h, run: x }\n');
  });

  it('tells with --dry-run what it would change', async () => {
    const cwd = files();
    const told = { version: 5, changed: true, plan: { ...plan, kind: 'planned' } };
    const { socket, asked } = await conductor(200, told);
    const { code, out } = await run(['publish', 'etc/jobs.yaml', '--dry-run', '--socket', socket], cwd);
    expect(code).toBe(0);
    expect(out).toContain('It would be version 5 on every node.');
    expect(asked).toMatchObject([{ method: 'PUT', url: '/api/v1/file?dry_run=true' }]);
  });

  it('says what is in force already, in words and in JSON', async () => {
    const answer = { version: 4, changed: false, plan: { ...plan, kind: 'unchanged' } };
    const { socket, asked } = await conductor(200, answer);
    const cwd = files();
    const at = ['etc/jobs.yaml', '--socket', socket];
    expect(await run(['publish', ...at], cwd)).toEqual({
      code: 0,
      out: 'etc/jobs.yaml: it is version 4 already.\n',
      err: '',
    });
    const { out } = await run(['publish', ...at, '--json', '--directory', '/srv/tsched'], cwd);
    expect(JSON.parse(out)).toEqual(answer);
    expect(asked[1]?.body.directory).toBe('/srv/tsched');
  });

  it('shows what the conductor finds wrong, where it stands here', async () => {
    const error = {
      severity: 'error',
      file: 'conf.d/more.yaml',
      line: 2,
      column: 8,
      length: 5,
      path: 'jobs.b.every',
      message: 'this is no \u001b[31mduration',
      hint: 'write 1h',
      frame: '2 |   b: { every: 1h, run: x }\n  |        ^^^^^ write 1h',
      related: null,
    };
    const problem = { code: 'bad_file', detail: 'the job file has errors', errors: [error] };
    const { socket } = await conductor(422, problem);
    const { code, out, err } = await run(['publish', 'etc/jobs.yaml', '--socket', socket], files());
    expect({ code, out }).toEqual({ code: 78, out: '' });
    expect(err).toBe(
      'etc/conf.d/more.yaml:2:8: error: jobs.b.every: this is no \ufffd[31mduration\n' +
        '2 |   b: { every: 1h, run: x }\n  |        ^^^^^ write 1h\ntsched: the job file has errors\n',
    );
  });

  it.each<[string, number, string]>([
    ['no_cluster', 409, 'exit 1'],
    ['cluster_away', 503, 'exit 69'],
    ['too_small_scope', 403, 'exit 77'],
  ])('ends as its refusal is: %s', async (code, status, expected) => {
    const { socket } = await conductor(status, { code, detail: 'no', hint: 'that' });
    const ran = await run(['publish', 'etc/jobs.yaml', '--socket', socket], files());
    expect(`exit ${ran.code}`).toBe(expected);
    expect(ran.err).toBe('tsched: no; that\n');
  });

  it('is for clusters: a daemon on its own says so', async () => {
    const where = directory();
    const daemon = await startAsked({ directory: where, jobs: 'jobs: { a: { every: 1000d, run: "true" } }' });
    const ran = tsched(['publish', '--state-dir', daemon.stateDirectory], { cwd: where });
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err).toMatch(/^tsched: this daemon is alone: it was started without --store postgres:\/\//);
    expect(await daemon.stop()).toBe(0);
  });

  it('asks nobody when not all of the files can be read here', async () => {
    const cwd = files();
    const { socket, asked } = await conductor(200, { version: 5, changed: true, plan });
    writeFileSync(join(cwd, 'etc/jobs.yaml'), 'include: conf.d/none.yaml\n');
    const ran = await run(['publish', 'etc/jobs.yaml', '--socket', socket], cwd);
    expect(ran.code).toBe(78);
    expect(ran.err).toContain('etc/conf.d/none.yaml:1:1: error: there is no such file');
    expect((await run(['publish', 'none.yaml', '--socket', socket], cwd)).code).toBe(66);
    const relative = ['publish', 'etc/jobs.yaml', '--socket', socket, '--directory', 'here'];
    expect((await run(relative, cwd)).code).toBe(64);
    expect(asked).toEqual([]);
  });
});
