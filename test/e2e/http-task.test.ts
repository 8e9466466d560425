/** The built daemon makes requests of real servers on loopback. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask, Events, socketOf, startAsked } from '../http/support.ts';
import { bin, directory } from '../support/daemon.ts';
import { httpReceiver } from '../support/receivers.ts';

const SECRETS = {
  TOKEN: 'T0P-S3CRET/+',
  PASSWORD: 'pa55-w0rd',
  QUERY: 'qu3ry',
  BODY: 'b0dy-s3cret',
};

/** Every spelling of each that anybody could have let out. */
const SPELLINGS = Object.values(SECRETS).flatMap((secret) => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(`me:${secret}`).toString('base64'),
]);

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command beside this process, in which the servers are. */
function tsched(words: readonly string[], cwd: string): Promise<Ran> {
  const env = { PATH: process.env.PATH, HOME: cwd, ...SECRETS };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [bin, ...words], { cwd, env }, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());
}

describe('an http task of the daemon', () => {
  it('tells nobody its secrets: not in log, API, events, history and output, nor on the command line', async () => {
    const server = await httpReceiver(onTestFinished);
    server.answer = () => (server.requests.length % 2 === 0 ? 200 : 500);
    const address = `${server.url.replace('//', '//me:${PASSWORD}@')}/hook?key=\${QUERY}`;
    const jobs = `
jobs:
  j:
    every: 200ms
    retry: { limit: 1, delay: 50ms, jitter: false, on: [500] }
    output: { log: all }
    http: { url: "${address}", headers: { X-Token: "\${TOKEN}" }, json: { key: "\${BODY}" } }
  dead:
    every: 200ms
    http: "http://me:\${PASSWORD}@127.0.0.1:1/\${TOKEN}?key=\${QUERY}"
`;
    const daemon = await startAsked({ jobs, env: SECRETS, later: onTestFinished });
    const place = socketOf(daemon);
    const events = new Events(place, '/api/v1/events');
    onTestFinished(() => events.close());
    await daemon.until('a run that failed first', () =>
      daemon
        .events('run_finished', 'j')
        .some(({ outcome, attempt }) => outcome === 'succeeded' && attempt === 2),
    );
    await daemon.until('a request that could not be made', () =>
      daemon.events('run_finished', 'dead').some(({ outcome }) => outcome === 'not_started'),
    );
    const [first = expect.fail('no request came')] = server.requests;
    expect(first).toMatchObject({
      method: 'POST',
      path: `/hook?key=${SECRETS.QUERY}`,
      body: `{"key":"${SECRETS.BODY}"}`,
    });
    expect(first.headers).toMatchObject({
      'x-token': SECRETS.TOKEN,
      authorization: `Basic ${Buffer.from(`me:${SECRETS.PASSWORD}`).toString('base64')}`,
    });
    const run = first.headers['tsched-run-id'] as string;
    const paths = [
      '/jobs',
      '/jobs/j',
      '/jobs/dead',
      '/runs',
      `/runs/${run}`,
      `/runs/${run}/output?attempt=1`,
    ];
    const told = await Promise.all(paths.map((path) => ask(place, `/api/v1${path}`)));
    expect(told[1]?.body.definition.task).toEqual({
      kind: 'http',
      method: 'POST',
      url: `${server.url.replace('//', '//***@')}/hook?key=\${QUERY}`,
      headers: ['content-type', 'X-Token'],
    });
    expect(told[5]?.text).toContain('[http] 500');
    const state = ['--state-dir', daemon.stateDirectory];
    const file = ['--file', daemon.file];
    const commands = [
      ['history', ...state],
      ['history', '--json', ...state],
      ['logs', run, ...state],
      ['list', '--json', ...file, ...state],
      ['why', 'j', ...file, ...state],
      ['validate', ...file],
    ];
    const said = await Promise.all(commands.map((words) => tsched(words, daemon.directory)));
    expect(said.map(({ code }) => code)).toEqual(commands.map(() => 0));
    expect(await daemon.stop()).toBe(0);
    const all = [
      JSON.stringify(daemon.lines) + daemon.text,
      JSON.stringify(events.all),
      ...told.map(({ text }) => text),
      ...said.map(({ out, err }) => out + err),
      ...filesIn(daemon.stateDirectory).map((path) => readFileSync(path, 'latin1')),
    ].join('\n');
    expect(SPELLINGS.filter((secret) => all.includes(secret))).toEqual([]);
  });

  it('is lost with a daemon that is killed, and tried again by its retry policy', async () => {
    const open = new Set<{ destroy: () => void }>();
    let answers = false;
    const server = createServer((socket) => {
      open.add(socket);
      socket
        .on('error', () => undefined)
        .once('data', () => {
          if (answers) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
        });
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      for (const socket of open) socket.destroy();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const jobs = `jobs: { j: { startup: boot, http: "http://127.0.0.1:${port}/", retry: { limit: 1, delay: 0s, on: lost } } }`;
    const first = await startAsked({ jobs, later: onTestFinished });
    await first.until('the request to be under way', () => open.size > 0);
    first.signal('SIGKILL');
    await first.exited;
    answers = true;
    const second = await startAsked({ jobs, directory: first.directory, later: onTestFinished });
    const end = await second.waitFor('the end of the run', ({ event }) => event === 'run_finished');
    expect(end).toMatchObject({ job: 'j', outcome: 'succeeded', attempt: 2 });
    expect(open.size).toBe(2);
    expect(await second.stop()).toBe(0);
  });
});

describe('run-once of an http task', () => {
  it('shows the answer and ends as it did', async () => {
    const server = await httpReceiver(onTestFinished);
    server.answer = () => 503;
    const jobs = `jobs: { j: { every: 1h, http: "${server.url}/a" } }`;
    const where = directory(onTestFinished);
    writeFileSync(join(where, 'jobs.yaml'), jobs);
    const { out, err, code } = await tsched(['run-once', 'j'], where);
    expect(out).toBe(`[http] GET ${server.url}/a\n[http] 503 Service Unavailable\n`);
    expect(err).toContain('✖ j failed with status 503 (expected 2xx)');
    expect(code).toBe(1);
  });
});
