import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AttemptSpec } from '../../src/engine/ports.ts';
import type { HttpTask } from '../../src/http-task.ts';
import { bench, later, temporaryDirectory, until } from './harness.ts';

const tls = join(import.meta.dirname, '../fixtures/tls');

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  later(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) (server.closeAllConnections as () => void)();
      }),
  );
  return (server.address() as AddressInfo).port;
}

async function served(answering: Answering): Promise<string> {
  return `http://127.0.0.1:${await listening(createServer(answering))}`;
}

async function servedByTls(answering: Answering): Promise<number> {
  const [cert, key] = ['localhost.pem', 'localhost.key'].map((name) => readFileSync(join(tls, name)));
  return listening(createTlsServer({ cert, key }, answering));
}

function bodyOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => resolve(text));
  });
}

function to(
  url: string,
  task: Partial<HttpTask> = {},
  more: Partial<AttemptSpec> = {},
): Partial<AttemptSpec> {
  const blank: HttpTask = {
    kind: 'http',
    method: 'GET',
    url,
    shownUrl: url,
    headers: {},
    expectedStatus: [[200, 299]],
    followRedirects: false,
    secrets: [],
  };
  return { task: { ...blank, ...task }, ...more };
}

const timedOut = { kind: 'timed_out', after: 50 } as const;

describe('a request', () => {
  it('is made as the job says, and says whose it is', async () => {
    const asked: { request: IncomingMessage; body: string }[] = [];
    const url = await served((request, response) => {
      void bodyOf(request).then((body) => {
        asked.push({ request, body });
        response.writeHead(201, { 'content-type': 'text/plain' }).end('thank you\n');
      });
    });
    const given = { since: 'gestern — früh' };
    const attempt = bench().start(
      to(
        `${url}/a?b=c`,
        { method: 'PUT', body: 'hällo', headers: { 'User-Agent': 'me', X: 'y' } },
        { with: given },
      ),
    );
    expect(await attempt.outcome).toEqual({ kind: 'succeeded', status: 201 });
    expect(attempt.reports).toEqual([
      { kind: 'started' },
      { kind: 'ended', outcome: { kind: 'succeeded', status: 201 } },
    ]);
    expect(attempt.log()).toBe(`[http] PUT ${url}/a?b=c\n[http] 201 Created, text/plain\nthank you\n`);
    const [{ request, body } = expect.fail('nobody asked')] = asked;
    expect(request).toMatchObject({ method: 'PUT', url: '/a?b=c' });
    expect(body).toBe('hällo');
    expect(request.headers).toMatchObject({
      'user-agent': 'me',
      x: 'y',
      'content-length': '6',
      'tsched-run-id': 'run-1',
      'tsched-job-id': 'job',
      'tsched-attempt': '1',
      'tsched-scheduled-at': '2026-01-01T00:00:00.000Z',
      'tsched-cause': 'schedule',
    });
    expect(JSON.parse(String(request.headers['tsched-with']))).toEqual(given);
  });

  it.each([
    [500, [[200, 299]], { kind: 'failed', status: 500, hint: 'expected 2xx' }],
    [
      404,
      [
        [200, 200],
        [404, 404],
      ],
      { kind: 'succeeded', status: 404 },
    ],
    [
      204,
      [
        [200, 200],
        [202, 203],
      ],
      { kind: 'failed', status: 204, hint: 'expected 200, 202-203' },
    ],
  ] as const)('with the answer %d where %j is expected', async (status, expectedStatus, outcome) => {
    const url = await served((_, response) => void response.writeHead(status).end());
    expect(await bench().start(to(url, { expectedStatus })).outcome).toEqual(outcome);
  });

  it.each([
    ['"ok": ?true', { kind: 'succeeded', status: 200 }],
    [
      'nowhere',
      { kind: 'failed', status: 200, hint: 'what expect.body_matches says is not found in the body' },
    ],
  ])('with a body in which %s is looked for', async (bodyMatches, outcome) => {
    const url = await served((_, response) => void response.end('{ "ok": true }'));
    expect(await bench().start(to(url, { bodyMatches })).outcome).toEqual(outcome);
  });

  it('does not hold up the daemon with an expression that has no end', async () => {
    const url = await served((_, response) => void response.end(`${'a'.repeat(50)}b`));
    const attempt = bench().start(to(url, { bodyMatches: '(a+)+$' }));
    const other = bench().start(to(url));
    expect(await other.outcome).toMatchObject({ kind: 'succeeded' });
    expect(await attempt.outcome).toMatchObject({
      kind: 'failed',
      hint: expect.stringContaining('takes too long'),
    });
  });
});

describe('no answer', () => {
  it('is not started where nobody could have got the request', async () => {
    const closed = createTcpServer();
    const port = await listening(closed);
    await new Promise((resolve) => {
      closed.close(resolve);
    });
    expect(await bench().start(to(`http://127.0.0.1:${port}/`)).outcome).toEqual({
      kind: 'not_started',
      message: 'The request could not be made: the connection was refused (ECONNREFUSED).',
    });
    expect(await bench().start(to('http://no-such-host.invalid/')).outcome).toMatchObject({
      kind: 'not_started',
      message: expect.stringMatching(/there is no host of that name|cannot be looked up/u),
    });
  });

  it('has failed where somebody may have got it', async () => {
    const mute = await listening(
      createTcpServer((socket) => void socket.once('data', () => socket.destroy())),
    );
    expect(await bench().start(to(`http://127.0.0.1:${mute}/`)).outcome).toEqual({
      kind: 'failed',
      hint: 'no answer: the connection was broken off (ECONNRESET)',
    });
    const odd = await listening(
      createTcpServer((socket) => void socket.once('data', () => socket.end('hello\r\n'))),
    );
    expect(await bench().start(to(`http://127.0.0.1:${odd}/`)).outcome).toMatchObject({
      kind: 'failed',
      hint: expect.stringContaining('its answer is no HTTP'),
    });
    const half = await served((_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half', () => response.destroy());
    });
    const attempt = bench().start(to(half));
    expect(await attempt.outcome).toEqual({ kind: 'failed', status: 200, hint: 'its answer broke off' });
    expect(attempt.log()).toContain('half');
  });

  it('ends by its time-out, whether it hangs before, in or after the headers', async () => {
    const silent = await listening(createTcpServer());
    const slow = await served((_, response) => {
      response.writeHead(200).write('a little');
    });
    for (const url of [`http://127.0.0.1:${silent}/`, slow]) {
      const attempt = bench().start(to(url));
      await attempt.started;
      if (url === slow) await until('the beginning of the body', () => attempt.log().includes('a little'));
      attempt.handle.stop(timedOut);
      expect(await attempt.outcome).toEqual(timedOut);
    }
  });

  it('ends when it is cancelled, also while it waits for its turn', async () => {
    const silent = await listening(createTcpServer());
    const { start } = bench();
    const attempts = Array.from({ length: 260 }, () => start(to(`http://127.0.0.1:${silent}/`)));
    const by = { kind: 'cancelled', by: 'operator' } as const;
    await attempts[0]?.started;
    const begun = (): number => attempts.filter(({ reports }) => reports.length > 0).length;
    expect(begun(), 'at once').toBe(256);
    attempts.at(-1)?.handle.stop(timedOut);
    expect(await attempts.at(-1)?.outcome, 'while all others hang').toEqual(timedOut);
    attempts.pop();
    for (const { handle } of attempts.toReversed()) handle.kill(by);
    expect(await Promise.all(attempts.map(({ outcome }) => outcome))).toEqual(attempts.map(() => by));
    expect(begun()).toBe(259);
  });
});

describe('a redirection', () => {
  const moved =
    (location: string, status = 302): Answering =>
    (request, response) => {
      if (request.url === '/there')
        response.end(`${request.method} ${request.headers.authorization ?? 'nobody'}`);
      else response.writeHead(status, { location }).end();
    };

  it('is not followed unless the job says so', async () => {
    const url = await served(moved('/there?token=abc'));
    expect(await bench().start(to(url)).outcome).toEqual({
      kind: 'failed',
      status: 302,
      hint: `it redirects to ${url}/there?…; follow_redirects: true follows`,
    });
  });

  it('is followed with all headers on the same host, and with none of its own to another', async () => {
    const other = await served(moved('/there'));
    const url = await served(moved('/there'));
    const away = await served(moved(`${other}/there`));
    const task = { followRedirects: true, headers: { Authorization: 'Bearer x' } };
    const near = bench().start(to(url, task));
    await near.outcome;
    expect(near.log()).toContain(`[http] 302, to ${url}/there\n[http] 200 OK\nGET Bearer x`);
    const far = bench().start(to(away, task));
    await far.outcome;
    expect(far.log()).toContain('GET nobody');
  });

  it.each([
    [302, 'GET nobody'],
    [303, 'GET nobody'],
    [307, 'POST nobody'],
    [308, 'POST nobody'],
  ])('keeps the method as RFC 9110 says: %d', async (status, log) => {
    const url = await served(moved('/there', status));
    const attempt = bench().start(to(url, { followRedirects: true, method: 'POST', body: 'x' }));
    await attempt.outcome;
    expect(attempt.log()).toContain(log);
  });

  it.each([
    ['to nowhere', 'gopher://x/', {}, 'it redirects to what is no web address'],
    [
      'of a body to another host',
      'http://127.0.0.1:1/',
      { method: 'POST', body: 'x' },
      'it redirects to another host, to which the body is not sent',
    ],
    ['without end', '/again', {}, 'more than 10 redirections'],
  ])('is not followed %s', async (_, location, more, hint) => {
    const url = await served(moved(location, 307));
    const outcome = await bench().start(to(url, { followRedirects: true, ...more })).outcome;
    expect(outcome).toEqual({ kind: 'failed', status: 307, hint });
  });

  it('is not followed from https to http', async () => {
    const port = await servedByTls(moved('http://127.0.0.1:1/'));
    const task = { followRedirects: true, ca: join(tls, 'ca.pem') };
    expect(await bench().start(to(`https://localhost:${port}/`, task)).outcome).toMatchObject({
      status: 302,
      hint: 'it redirects from https to http',
    });
  });
});

describe('TLS', () => {
  it('trusts the authority that the job names, and no unknown one', async () => {
    const port = await servedByTls((_, response) => void response.end('safe'));
    const url = `https://localhost:${port}/`;
    const ca = join(tls, 'ca.pem');
    const trusting = bench().start(to(url, { ca }));
    expect(await trusting.outcome).toEqual({ kind: 'succeeded', status: 200 });
    expect(trusting.log()).toContain('safe');
    expect(await bench().start(to(url)).outcome).toMatchObject({
      kind: 'not_started',
      message: expect.stringContaining('name its authority with ca:'),
    });
    expect(await bench().start(to(`https://127.0.0.1:${port}/`, { ca })).outcome).toMatchObject({
      kind: 'not_started',
      message: expect.stringContaining('its certificate is for another name'),
    });
  });

  it('says so where there is none, or no authority', async () => {
    const url = await served((_, response) => void response.end());
    const secure = url.replace('http:', 'https:');
    expect(await bench().start(to(secure)).outcome).toMatchObject({
      kind: 'not_started',
      message: expect.stringContaining('is http:// meant?'),
    });
    const empty = join(temporaryDirectory(), 'empty.pem');
    writeFileSync(empty, '');
    for (const [ca, message] of [
      [empty, 'there is no certificate in'],
      ['/no/such.pem', 'cannot be read'],
    ] as const) {
      expect(await bench().start(to(secure, { ca })).outcome).toMatchObject({
        kind: 'not_started',
        message: expect.stringContaining(message),
      });
    }
  });
});

describe('what a server repeats of secrets', () => {
  it('is in neither output nor outcome, however it comes in pieces', async () => {
    const secrets = ['correct-horse', 'hunter2'];
    const url = await served((request, response) => {
      response.writeHead(500, `no hunter2`, {
        'content-type': 'x/hunter2',
        location: '/correct-horse?hunter2',
      });
      const pieces = `${String(request.headers['x-key'])} and hunter2hunter2, correct-hors`.split('');
      const next = (): void => {
        const piece = pieces.shift();
        if (piece === undefined) response.end();
        else response.write(piece, () => setImmediate(next));
      };
      next();
    });
    const attempt = bench().start(to(url, { secrets, headers: { 'X-Key': 'correct-horse' } }));
    expect(await attempt.outcome).toEqual({ kind: 'failed', status: 500, hint: 'expected 2xx' });
    expect(attempt.log()).toBe(`[http] GET ${url}\n[http] 500 no ***, x/***\n*** and ******, correct-hors`);
  });
});

describe('a body without measure', () => {
  it('stays within max_size, and is never held', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 'x');
    const url = await served((_, response) => {
      let left = 200;
      const next = (): void => {
        left -= 1;
        if (left === 0) response.end('the end');
        else response.write(megabyte, next);
      };
      next();
    });
    const before = process.memoryUsage().rss;
    const output = { maxSize: 100_000, keep: 1, log: 'none' } as const;
    const attempt = bench().start(to(url, {}, { output }));
    expect(await attempt.outcome).toMatchObject({ kind: 'succeeded' });
    const log = attempt.log();
    expect(log.length).toBeLessThanOrEqual(100_000);
    expect(log).toMatch(/^\[http\] GET/u);
    expect(log).toMatch(/bytes removed here\][^]*the end$/u);
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  });

  it('goes to the log as the output of any job', async () => {
    const url = await served((_, response) => void response.writeHead(500).end('why it failed\n'));
    const benched = bench();
    await benched.start(to(url, {}, { output: { maxSize: 1000, keep: 1, log: 'failures' } })).outcome;
    expect(benched.output.flatMap(({ lines }) => lines)).toContain('why it failed');
  });
});
