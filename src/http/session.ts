/**
 * How a page is logged in. The cookie holds the token itself, where no script can read it and no other site's request takes it
 * along: nothing is kept here, a restart logs nobody out, and a revoked token opens nothing any more.
 */
import type { IncomingMessage } from 'node:http';
import { text } from './fields.ts';
import { headersNamed } from './headers.ts';
import { HttpProblem } from './problem.ts';
import { json, route, type Asked, type Reply, type Route } from './route.ts';

/** Our page sends it with every change. Pages of other origins cannot: a browser asks us first, and gets no permission. */
export const PAGE_HEADER = 'tsched-page';

/** How long a browser keeps it. Seconds. */
const KEPT = 30 * 24 * 3600;

export const sessionRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/api/v1/session',
    scope: 'read',
    local: true,
    summary: 'Who asks, and what they may do',
    answers: { 200: { about: 'Whom the token, or the cookie, makes you', schema: 'Session' } },
    handle: ({ by, scope }) => json({ by, scope }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/session',
    scope: 'open',
    local: true,
    summary: 'Logs a page in: gives a cookie in place of the token',
    body: { token: text('A token of tsched token create', 200) },
    answers: { 200: { about: 'Whom the token makes you; with the cookie', schema: 'Session' } },
    problems: ['no_token'],
    handle(asked, api) {
      const { token } = asked.body;
      const visitor = api.login(token);
      if (visitor === undefined) {
        const hint = 'make one with tsched token create NAME, on the machine where the daemon runs';
        throw new HttpProblem('no_token', 'there is no such token', { hint });
      }
      return withCookie(visitor, asked, `${encodeURIComponent(token)}; Max-Age=${KEPT}`);
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/session',
    scope: 'open',
    local: true,
    summary: 'Logs a page out',
    answers: { 200: { about: 'The cookie is gone', schema: 'Session' } },
    handle: (asked) => withCookie({ by: asked.by, scope: 'open' }, asked, '; Max-Age=0'),
  }),
];

/** The token that came as a cookie. */
export function cookieToken(request: IncomingMessage): string | undefined {
  const name = cookieName(request.headers.host);
  for (const pair of headersNamed(request, 'cookie').flatMap((header) => header.split(';'))) {
    const [key, value = ''] = pair.trim().split('=');
    if (key === name && /^[\w.~%-]{1,600}$/.test(value)) return decoded(value);
  }
  return undefined;
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined; // a % that means nothing: none of ours
  }
}

function withCookie(body: object, { header }: Asked<unknown, unknown>, value: string): Reply {
  const secure = header('origin')?.startsWith('https:') === true ? '; Secure' : '';
  const cookie = `${cookieName(header('host'))}=${value}; Path=/; HttpOnly; SameSite=Strict${secure}`;
  return json(body, 200, { 'set-cookie': cookie });
}

/** Browsers send cookies to all ports of a host: daemons beside each other must not log each other out. */
function cookieName(host = ''): string {
  return `tsched_${/:(\d{1,5})$/.exec(host)?.[1] ?? 'page'}`;
}
