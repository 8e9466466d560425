/** A page's login over TCP: what its cookie opens, and what it does not; the files the page is made of. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tsched } from '../cli/tsched.ts';
import type { Daemon, Later } from '../support/daemon.ts';
import { ask, portOf, startAsked, type Place, type Told } from './support.ts';

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let daemon: Daemon;
let place: Place;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  daemon = await startAsked({
    jobs: 'jobs: { a: { cron: "0 0 1 1 *", run: "true" } }',
    args: ['--listen', '127.0.0.1:0'],
    later,
  });
  place = portOf(daemon);
  for (const scope of ['read', 'run']) {
    const args = ['token', 'create', scope, '--scope', scope, '--state-dir', daemon.stateDirectory];
    tokens[scope] = tsched(args).out.trim();
  }
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const logIn = (token: string | undefined): Promise<Told> =>
  ask(place, '/api/v1/session', { method: 'POST', json: { token } });

async function cookieOf(scope: string): Promise<string> {
  const [cookie = ''] = (await logIn(tokens[scope])).headers['set-cookie'] ?? [];
  return cookie.split(';')[0] ?? '';
}

const runA = (headers: Record<string, string>): Promise<Told> =>
  ask(place, '/api/v1/jobs/a/runs', { method: 'POST', headers });

describe('a session', () => {
  it('is a cookie that no script reads and no other site sends', async () => {
    const told = await logIn(tokens['run']);
    expect(told.body).toEqual({ by: 'token "run"', scope: 'run' });
    const [cookie = ''] = told.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Strict$/);
    const origin = `https://127.0.0.1:${portOf(daemon).port}`;
    const behindTls = await ask(place, '/api/v1/session', {
      method: 'POST',
      json: { token: tokens['run'] },
      headers: { origin },
    });
    expect(behindTls.headers['set-cookie']?.[0]).toMatch(/; Secure$/);
  });

  it('is not begun with a token that is none', async () => {
    const told = await logIn(`${tokens['run']}x`);
    expect(told).toMatchObject({ status: 401, body: { code: 'no_token' } });
    expect(told.headers['set-cookie']).toBeUndefined();
  });

  it('reads, and with the header of our page does what its token may', async () => {
    const cookie = await cookieOf('run');
    expect((await ask(place, '/api/v1/session', { headers: { cookie } })).body.scope).toBe('run');
    expect((await runA({ cookie, 'tsched-page': '1' })).status).toBe(202);
    expect((await runA({ cookie })).body.code).toBe('foreign_origin');
    const foreign = { cookie, 'tsched-page': '1', origin: 'http://127.0.0.1:1' };
    expect((await runA(foreign)).body.code).toBe('foreign_origin');
    const lesser = await cookieOf('read');
    expect((await runA({ cookie: lesser, 'tsched-page': '1' })).body.code).toBe('too_small_scope');
  });

  it('never stands in for a token that was sent and is wrong', async () => {
    const cookie = await cookieOf('run');
    const headers = { cookie, authorization: 'Bearer wrong' };
    expect((await ask(place, '/api/v1/status', { headers })).status).toBe(401);
  });

  it('ends with its token', async () => {
    const made = ['token', 'create', 'brief', '--state-dir', daemon.stateDirectory];
    tokens['brief'] = tsched(made).out.trim();
    await expect.poll(async () => (await logIn(tokens['brief'])).status).toBe(200);
    const cookie = await cookieOf('brief');
    tsched(['token', 'revoke', 'brief', '--state-dir', daemon.stateDirectory]);
    const status = async (): Promise<number> =>
      (await ask(place, '/api/v1/status', { headers: { cookie } })).status;
    await expect.poll(status).toBe(401);
  });
});

describe('the page', () => {
  it('is a shell without data that anybody may have, under a strict policy', async () => {
    const told = await ask(place, '/');
    expect(told.status).toBe(200);
    expect(told.headers['content-type']).toBe('text/html; charset=utf-8');
    const policy = told.headers['content-security-policy'];
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
      "img-src 'self'",
      "frame-ancestors 'none'",
    ])
      expect(policy).toContain(rule);
    expect(told.text).not.toMatch(/<script>|<style|style=|https?:/);
    const again = await ask(place, '/', { headers: { 'if-none-match': told.headers.etag } });
    expect(again).toMatchObject({ status: 304, text: '' });
  });

  it('names files that never change, and sends them compressed', async () => {
    const { text } = await ask(place, '/');
    const paths = [...text.matchAll(/"(\/assets\/[^"]+)"/g)].map(([, path = '']) => path);
    // The icon, the style, the page, and what it shares with views that are loaded later.
    expect(paths).toHaveLength(5);
    for (const path of paths) {
      const plain = await ask(place, path);
      expect(plain.headers['cache-control']).toContain('immutable');
      const packed = await fetch(`http://127.0.0.1:${portOf(daemon).port}${path}`, {
        headers: { 'accept-encoding': 'gzip' },
      });
      expect(packed.headers.get('content-encoding')).toBe('gzip');
      expect(await packed.text()).toBe(plain.text); // fetch has unpacked it
    }
    expect((await ask(place, '/assets/..%2findex.js')).status).toBe(404);
  });
});
