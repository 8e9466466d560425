/** Whoever comes to the port with bad intent: nothing gets in, nothing breaks, and jobs keep their time meanwhile. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tsched } from '../cli/tsched.ts';
import type { Daemon, Later } from '../support/daemon.ts';
import { ask, Events, portOf, socketOf, startAsked, type Told, type Wanted } from './support.ts';

/** Markup, a terminal escape, CRLF, a reversed text, a half character. */
const HOSTILE =
  '<img src=x onerror=alert(1)></script>\u001b[2J\u009b2J\r\nevent: forged\r\n\r\n\u202edoc\ud800';

const JOBS = {
  // However busy the machine is: a slot that is late, or whose turn comes while another still runs, is not to be lost.
  tick: {
    cron: '* * * * * *',
    run: 'true',
    misfire: { run: 'all', grace: '1h' },
    overlap: 'allow',
    max_instances: 50,
  },
  says: {
    description: HOSTILE,
    tags: ['<b>'],
    every: '1000d',
    run: `printf '%b' '<script>x</script>\\033[2J\\r\\n\\000\\377end'`,
  },
  long: { every: '1000d', run: 'sleep 60', on_shutdown: 'terminate' },
};

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let daemon: Daemon;
let port: { host: string; port: number };
const tokens: Record<string, string> = {};

beforeAll(async () => {
  daemon = await startAsked({
    jobs: JSON.stringify({ jobs: JOBS }),
    args: ['--listen', '127.0.0.1:0'],
    later,
  });
  port = portOf(daemon);
  for (const scope of ['read', 'run', 'admin']) {
    const args = ['token', 'create', `t-${scope}`, '--scope', scope, '--state-dir', daemon.stateDirectory];
    tokens[scope] = tsched(args).out.trim();
  }
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const bearer = (scope: string): { authorization: string } => ({ authorization: `Bearer ${tokens[scope]}` });
const as = (scope: string, path: string, wanted: Wanted = {}): Promise<Told> =>
  ask(port, path, { ...wanted, headers: { ...bearer(scope), ...(wanted.headers as object) } });

/** Sends these very bytes; gives all that comes back until the connection ends. */
function raw(text: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, () => socket.write(text));
    socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
const host = (): string => `Host: 127.0.0.1:${port.port}`;

describe('without the right token', () => {
  it('nothing is told but that: the same to all', async () => {
    const path = '/api/v1/status';
    const wrong = {
      none: {},
      wrong: { authorization: `Bearer ${tokens['read']?.slice(0, -1)}x` },
      empty: { authorization: 'Bearer ' },
      'another scheme': { authorization: `Basic ${Buffer.from(`x:${tokens['admin']}`).toString('base64')}` },
      'the hash itself': {
        authorization: 'Bearer e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      },
      'two of them': { authorization: [`Bearer ${tokens['admin']}`, 'Bearer x'].join(', ') },
    };
    const told = await Promise.all(Object.values(wrong).map((headers) => ask(port, path, { headers })));
    for (const answer of told) {
      expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer realm="tsched"' } });
      expect(answer.text).toBe(told[0]?.text);
    }
    expect((await ask(port, `${path}?token=${tokens['admin']}`)).status).toBe(401);
    expect((await ask(port, '/metrics')).status).toBe(401);
    expect((await ask(port, '/openapi.json')).status).toBe(401);
    expect((await ask(port, '/healthz')).status).toBe(200);
  });

  it('a token does what its scope says, and no more', async () => {
    const asked: [scope: string, path: string, wanted: Wanted, status: number][] = [
      ['read', '/api/v1/status', {}, 200],
      ['read', '/api/v1/jobs/says/runs', { method: 'POST' }, 403],
      ['read', '/api/v1/stop', { method: 'POST' }, 403],
      ['read', '/api/v1/validate', { method: 'POST', json: { text: 'jobs: {}' } }, 403],
      ['run', '/api/v1/jobs/says/runs', { method: 'POST' }, 202],
      ['run', '/api/v1/reload', { method: 'POST' }, 403],
      ['run', '/api/v1/stop', { method: 'POST' }, 403],
      ['admin', '/api/v1/reload', { method: 'POST' }, 200],
    ];
    for (const [scope, path, wanted, status] of asked) {
      expect((await as(scope, path, wanted)).status, `${scope} ${path}`).toBe(status);
    }
    const { body } = await as('read', '/api/v1/jobs/says/runs', { method: 'POST' });
    expect(body).toMatchObject({
      code: 'too_small_scope',
      hint: 'make one: tsched token create --scope run',
    });
  });

  it('no token is ever in the log', () => {
    const log = daemon.lines.map((line) => JSON.stringify(line)).join('\n') + daemon.text;
    for (const token of Object.values(tokens)) expect(log).not.toContain(token);
    expect(log).toContain('token \\"t-run\\" runs says');
  });
});

describe('from a browser', () => {
  it('no page gets in by a name that was made to point here', async () => {
    for (const name of [
      'evil.example',
      `evil.example:${port.port}`,
      '127.0.0.1',
      `127.0.0.1.evil:${port.port}`,
    ]) {
      expect((await as('admin', '/api/v1/status', { headers: { host: name } })).status, name).toBe(421);
    }
    const get = 'GET /healthz HTTP/1.1\r\n';
    expect(statusOf(await raw(`${get}${host()}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`))).toBe(
      421,
    );
    expect(
      statusOf(
        await raw(`GET http://evil.example/healthz HTTP/1.1\r\n${host()}\r\nConnection: close\r\n\r\n`),
      ),
    ).toBe(400);
    expect(statusOf(await raw(`${get}Connection: close\r\n\r\n`))).toBe(400);
  });

  it('no page of another origin changes anything, even with a token', async () => {
    const path = '/api/v1/jobs/says/runs';
    const post = (headers: Record<string, string>, more: Wanted = {}): Promise<Told> =>
      as('admin', path, { method: 'POST', ...more, headers });
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1']) {
      expect((await post({ origin })).body.code, origin).toBe('foreign_origin');
    }
    expect((await post({ 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await post({ 'sec-fetch-site': 'same-site' })).status).toBe(403);
    expect(
      (await post({ origin: `http://127.0.0.1:${port.port}`, 'sec-fetch-site': 'same-origin' })).status,
    ).toBe(202);
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await post(form, { raw: 'now=true' })).status).toBe(415);
    expect((await post({ 'content-type': 'text/plain' }, { raw: '{}' })).status).toBe(415);
  });

  it('nothing is shared, kept, guessed or framed', async () => {
    for (const path of ['/api/v1/status', '/healthz', '/nothing']) {
      const { headers } = await as('read', path, { headers: { origin: 'https://evil.example' } });
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      });
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    expect((await as('read', '/api/v1/status', { method: 'OPTIONS' })).status).toBe(405);
  });
});

describe('what is asked for', () => {
  it('is never a path of the file system', async () => {
    const secret = join(daemon.directory, 'secret');
    writeFileSync(secret, 'the secret');
    const tries = [
      '/api/v1/runs/../../../../etc/passwd/output',
      '/api/v1/runs/..%2f..%2f..%2fetc%2fpasswd/output',
      '/api/v1/runs/%2e%2e/output',
      '/api/v1/runs/%00/output',
      '/api/v1/jobs/..%2f..%2fsecret',
      '/api/v1/../../etc/passwd',
      '//etc/passwd',
      '/api/v1/runs/x/output?attempt=1/../../secret',
      `/api/v1/runs/${encodeURIComponent(secret)}/output`,
    ];
    for (const path of tries) {
      const answer = await raw(
        `GET ${path} HTTP/1.1\r\n${host()}\r\nAuthorization: Bearer ${tokens['admin']}\r\nConnection: close\r\n\r\n`,
      );
      expect([400, 404], `${path}: ${answer}`).toContain(statusOf(answer));
      expect(answer).not.toContain('root:');
    }
    expect((await as('read', '/api/v1/jobs/%')).status).toBe(400);
  });

  it('is never what a job put in place of its output', async () => {
    const begun = await as('run', '/api/v1/jobs/long/runs', { method: 'POST' });
    const id = begun.body.id as string;
    await daemon.waitFor('the run', ({ event, run }) => event === 'attempt_started' && run === id);
    const directory = join(daemon.stateDirectory, 'runs', id);
    const output = `/api/v1/runs/${id}/output`;
    const own = await as('read', output);
    expect(own.status, own.text).toBe(200);
    symlinkSync('/etc/passwd', join(directory, 'attempt-3.log'));
    mkdirSync(join(directory, 'attempt-4.log'));
    for (const attempt of [3, 4]) {
      expect((await as('read', `${output}?attempt=${attempt}`)).body.code).toBe('no_output');
    }
    await as('run', `/api/v1/runs/${id}/cancel`, { method: 'POST' });
  });

  it('comes back harmless', async () => {
    const listed = await as('read', '/api/v1/jobs');
    expect(listed.headers['content-type']).toBe('application/json');
    expect(listed.body.jobs.find(({ id }: { id: string }) => id === 'says').description).toContain('<img');
    expect(listed.text).not.toMatch(/[^\x20-\x7e\u00a0-\u024f]/);
    const begun = await as('run', '/api/v1/jobs/says/runs', { method: 'POST' });
    const id = begun.body.id as string;
    await daemon.waitFor('its end', ({ event, run }) => event === 'run_finished' && run === id);
    const output = await as('read', `/api/v1/runs/${id}/output`);
    expect(output.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining('sandbox'),
    });
    expect(output.text).toBe('<script>x</script>\u001b[2J\r\n\0\ufffdend');
    const stream = new Events(port, `/api/v1/runs/${id}/output/stream`, bearer('read'));
    await daemon.until('the stream to end', () => stream.ended);
    expect(stream.all.map(({ name }) => name)).toEqual(['output', 'end']);
    expect(stream.all[0]?.data.text).toBe(output.text);
  });

  it('forges no event and no line of the log', async () => {
    const stream = new Events(port, '/api/v1/events', bearer('read'));
    await daemon.until('the stream to begin', () => stream.all.length > 0);
    await as('run', '/api/v1/jobs/says/pause', { method: 'POST', json: { reason: HOSTILE } });
    await daemon.until('the event', () => stream.all.some(({ name }) => name === 'job_paused'));
    await as('run', '/api/v1/jobs/says/resume', {
      method: 'POST',
      headers: { 'user-agent': 'x\\r\\nforged' },
    });
    await daemon.until('the event', () => stream.all.some(({ name }) => name === 'job_resumed'));
    expect(stream.all.some(({ name }) => name === 'forged')).toBe(false);
    expect(stream.all.find(({ name }) => name === 'job_paused')?.data.pause.reason).toContain('forged');
    expect(daemon.text).toBe('');
    stream.close();
  });
});

describe('too much', () => {
  const megabyte = 'x'.repeat(1024 * 1024);

  /** Sends a hundred of them, or until it is told to stop. */
  function flood(
    headers: Record<string, string | number>,
  ): Promise<{ status: number | undefined; sent: number }> {
    return new Promise((resolve) => {
      let sent = 0;
      let status: number | undefined;
      const asking = request({ ...port, path: '/api/v1/explain', method: 'POST', headers, agent: false });
      const end = (): void => resolve({ status, sent });
      asking.on('response', (response) => {
        status = response.statusCode;
        response.resume();
      });
      asking.on('error', end);
      asking.on('close', end);
      const more = (): void => {
        if (sent === 100 || asking.destroyed) return void asking.end();
        sent += 1;
        asking.write(megabyte, () => setImmediate(more));
      };
      more();
    });
  }

  it('is refused before it is read: 100 MB, however they are sent', async () => {
    const headers = { ...bearer('admin'), 'content-type': 'application/json' };
    const announced = await flood({ ...headers, 'content-length': 100 * megabyte.length });
    expect([413, undefined]).toContain(announced.status); // a client that only writes may miss the answer
    expect(announced.sent).toBeLessThan(100);
    const chunked = await flood(headers);
    expect([413, undefined]).toContain(chunked.status);
    expect(chunked.sent).toBeLessThan(100);
    const head = `POST /api/v1/explain HTTP/1.1\r\n${host()}\r\nAuthorization: Bearer ${tokens['admin']}\r\n`;
    const asked = await raw(`${head}Content-Length: 104857600\r\nExpect: 100-continue\r\n\r\n`);
    expect(statusOf(asked)).toBe(413);
    expect(asked).toContain('a body has at most 1048576 bytes here');
    expect(asked).not.toContain('100 Continue');
    const stranger = `POST /api/v1/explain HTTP/1.1\r\n${host()}\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n`;
    expect(statusOf(await raw(stranger))).toBe(401);
    const welcome = `${head}Content-Type: application/json\r\nContent-Length: 26\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
    const answered = await raw(`${welcome}{"expression":"* * * * *"}`);
    expect(answered).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    const deep = `{"expression":${'['.repeat(200_000)}`;
    expect(
      (
        await as('admin', '/api/v1/explain', {
          method: 'POST',
          raw: deep,
          headers: { 'content-type': 'application/json' },
        })
      ).status,
    ).toBe(400);
  });

  it('ten thousand headers, a header and a target without end', async () => {
    const many = Array.from({ length: 10_000 }, (_, n) => `X-${n}: y`).join('\r\n');
    expect(statusOf(await raw(`GET /healthz HTTP/1.1\r\n${host()}\r\n${many}\r\n\r\n`))).toBe(431);
    expect(statusOf(await raw(`GET /healthz HTTP/1.1\r\n${host()}\r\nX: ${megabyte}\r\n\r\n`))).toBe(431);
    expect([414, 431]).toContain(statusOf(await raw(`GET /${megabyte} HTTP/1.1\r\n${host()}\r\n\r\n`)));
    expect(statusOf(await raw('\u0016\u0003\u0001 this is no HTTP\r\n\r\n'))).toBe(400);
  });

  it('two hundred that never finish their request are cut off, and others are answered meanwhile', async () => {
    const before = new Set(daemon.lines);
    const slow = await Promise.all(Array.from({ length: 200 }, () => halfOpen()));
    expect(slow.filter((socket) => !socket.destroyed).length).toBeGreaterThan(150);
    expect((await as('read', '/api/v1/status')).status).toBe(200);
    expect((await ask(socketOf(daemon), '/api/v1/status')).status).toBe(200);
    await daemon.until('all of them to be cut off', () => slow.every((socket) => socket.destroyed));
    const ran = daemon.lines.filter(
      (line) => !before.has(line) && line.event === 'run_finished' && line.job === 'tick',
    );
    expect(ran.length).toBeGreaterThan(1);
  });

  function halfOpen(): Promise<Socket> {
    return new Promise((resolve) => {
      const socket = connect(port, () => {
        socket.write(`GET /api/v1/status HTTP/1.1\r\n${host()}\r\nX-Slow: `);
        resolve(socket);
      });
      socket.on('error', () => undefined).on('end', () => socket.destroy());
      socket.resume();
    });
  }

  it('runs by hand: so many at once, and no more', async () => {
    const asked = await Promise.all(
      Array.from({ length: 60 }, () => as('run', '/api/v1/jobs/long/runs', { method: 'POST' })),
    );
    const refused = asked.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(35);
    expect(refused[0]?.body).toMatchObject({ code: 'too_many', hint: 'wait for some of them to end' });
    const begun = asked.filter(({ status }) => status === 202).map(({ body }) => body.id as string);
    expect(begun.length + refused.length).toBe(60);
    await Promise.all(begun.map((id) => as('run', `/api/v1/runs/${id}/cancel`, { method: 'POST' })));
  });

  it('streams: so many at once, and no more', async () => {
    const streams = Array.from({ length: 100 }, () => new Events(port, '/api/v1/events', bearer('read')));
    await daemon.until('a hundred streams', () => streams.every(({ all, ended }) => ended || all.length > 0));
    expect((await as('read', '/api/v1/events')).body.code).toBe('busy');
    for (const stream of streams) stream.close();
    expect((await as('read', '/api/v1/status')).status).toBe(200);
  });
});

describe('meanwhile', () => {
  it('each second had its run, and none two; the daemon lives, and nothing was our mistake', async () => {
    expect(await daemon.stop()).toBe(0);
    const slots = daemon.events('run_finished', 'tick').map(({ slot }) => Date.parse(slot ?? ''));
    const sorted = [...slots].sort((a, b) => a - b);
    const missed = sorted.filter((slot, n) => n > 0 && slot - (sorted[n - 1] ?? 0) !== 1000);
    expect(missed.map((slot) => new Date(slot).toISOString())).toEqual([]);
    expect(sorted.length).toBeGreaterThan(5);
    expect(daemon.lines.filter(({ msg }) => msg.includes('mistake of tsched'))).toEqual([]);
    expect(daemon.events('slots_skipped')).toEqual([]);
  });
});
