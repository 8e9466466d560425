/** Who may come in. On the socket file permissions have decided; over TCP a token does, and the browser is kept out. */
import type { IncomingMessage } from 'node:http';
import { headersNamed } from './headers.ts';
import { HttpProblem } from './problem.ts';
import { includes, type Scope } from './route.ts';
import { cookieToken, PAGE_HEADER } from './session.ts';
import type { TokenBook } from './tokens.ts';

/** Who asks. */
export interface Visitor {
  /** For the log. */
  readonly by: string;
  /** What they may do. */
  readonly scope: Scope;
}

/** Says who asks. Throws HttpProblem when they may not. */
export interface Guard {
  /** Before anything is looked at: whether the request is meant for us. */
  welcome(request: IncomingMessage): void;
  admit(request: IncomingMessage, scope: Scope): Visitor;
  /** Whom this token makes one; undefined when there is no such token. */
  login(secret: string): Visitor | undefined;
}

const ON_SOCKET: Visitor = { by: 'somebody on the socket', scope: 'admin' };
const NOBODY: Visitor = { by: 'nobody in particular', scope: 'open' };

export const socketGuard: Guard = {
  welcome: () => undefined,
  admit: () => ON_SOCKET,
  login: () => ON_SOCKET,
};

export interface TcpRules {
  readonly tokens: TokenBook;
  /** What `Host` may be, in lower case, with the port. */
  readonly hosts: ReadonlySet<string>;
}

export function tcpGuard({ tokens, hosts }: TcpRules): Guard {
  const login = (secret: string): Visitor | undefined => {
    const token = tokens.find(secret);
    return token === undefined ? undefined : { by: `token "${token.name}"`, scope: token.scope };
  };
  return {
    login,
    welcome(request) {
      const names = headersNamed(request, 'host');
      // A page whose name was made to point here (DNS rebinding) asks by that name.
      if (names.length !== 1 || !hosts.has((names[0] ?? '').toLowerCase())) {
        const hint = 'use the address tsched listens on; other names: --allow-host';
        throw new HttpProblem('foreign_host', 'this is not the host of that name', { hint });
      }
      if (request.method !== 'GET' && request.method !== 'HEAD') refuseForeign(request, hosts);
    },
    admit(request, scope) {
      if (scope === 'open') return NOBODY;
      const visitor = login(secretOf(request));
      if (visitor === undefined) {
        const headers = { 'www-authenticate': 'Bearer realm="tsched"' };
        const hint = 'send Authorization: Bearer with a token of tsched token create';
        throw new HttpProblem('no_token', 'there is no valid token', { hint, headers });
      }
      if (includes(visitor.scope, scope)) return visitor;
      const hint = `make one: tsched token create --scope ${scope}`;
      throw new HttpProblem(
        'too_small_scope',
        `this takes the scope ${scope}; the token has ${visitor.scope}`,
        { hint },
      );
    },
  };
}

/** As a header, or, of our own page, as a cookie. Empty when there is none. */
function secretOf(request: IncomingMessage): string {
  const given = headersNamed(request, 'authorization');
  if (given.length > 0) {
    return /^Bearer ([\x21-\x7e]{1,200})$/i.exec(given.length === 1 ? (given[0] ?? '') : '')?.[1] ?? '';
  }
  const secret = cookieToken(request) ?? '';
  const changes = request.method !== 'GET' && request.method !== 'HEAD';
  if (secret === '' || !changes || headersNamed(request, PAGE_HEADER).length === 1) return secret;
  const hint = `send the header ${PAGE_HEADER} too`;
  throw new HttpProblem('foreign_origin', 'a cookie alone changes nothing here', { hint });
}

/** A page of somebody else cannot send a token, but nothing it sends shall get as far as that. */
function refuseForeign(request: IncomingMessage, hosts: ReadonlySet<string>): void {
  const { origin, 'sec-fetch-site': site } = request.headers;
  const ours = origin === undefined || hosts.has(origin.replace(/^https?:\/\//, '').toLowerCase());
  if (ours && (site === undefined || site === 'same-origin' || site === 'none')) return;
  throw new HttpProblem('foreign_origin', 'pages of other origins may change nothing here');
}
