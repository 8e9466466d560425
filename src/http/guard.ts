/** Who may come in. On the socket file permissions have decided; over TCP a token does, and the browser is kept out. */
import type { IncomingMessage } from 'node:http';
import { HttpProblem } from './problem.ts';
import { SCOPES, type Scope } from './route.ts';
import type { TokenBook } from './tokens.ts';

/** Says who asks, for the log. Throws HttpProblem when they may not. */
export interface Guard {
  /** Before anything is looked at: whether the request is meant for us. */
  welcome(request: IncomingMessage): void;
  admit(request: IncomingMessage, scope: Scope): string;
}

export const socketGuard: Guard = { welcome: () => undefined, admit: () => 'somebody on the socket' };

export interface TcpRules {
  readonly tokens: TokenBook;
  /** What `Host` may be, in lower case, with the port. */
  readonly hosts: ReadonlySet<string>;
}

export function tcpGuard({ tokens, hosts }: TcpRules): Guard {
  return {
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
      if (scope === 'open') return 'nobody in particular';
      const given = headersNamed(request, 'authorization');
      const [, secret] =
        /^Bearer ([\x21-\x7e]{1,200})$/i.exec(given.length === 1 ? (given[0] ?? '') : '') ?? [];
      const token = tokens.find(secret ?? '');
      if (token === undefined) {
        const headers = { 'www-authenticate': 'Bearer realm="tsched"' };
        const hint = 'send Authorization: Bearer with a token of tsched token create';
        throw new HttpProblem('no_token', 'there is no valid token', { hint, headers });
      }
      if (SCOPES.indexOf(token.scope) >= SCOPES.indexOf(scope)) return `token "${token.name}"`;
      const hint = `make one: tsched token create --scope ${scope}`;
      throw new HttpProblem(
        'too_small_scope',
        `this takes the scope ${scope}; the token has ${token.scope}`,
        { hint },
      );
    },
  };
}

/** A page of somebody else cannot send a token, but nothing it sends shall get as far as that. */
function refuseForeign(request: IncomingMessage, hosts: ReadonlySet<string>): void {
  const { origin, 'sec-fetch-site': site } = request.headers;
  const ours = origin === undefined || hosts.has(origin.replace(/^https?:\/\//, '').toLowerCase());
  if (ours && (site === undefined || site === 'same-origin' || site === 'none')) return;
  throw new HttpProblem('foreign_origin', 'pages of other origins may change nothing here');
}

/** As they came: Node keeps the first of two. */
export function headersNamed({ rawHeaders }: IncomingMessage, name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
}
