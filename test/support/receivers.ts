/** Real receivers on loopback: what a daemon sends to people and checks. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import type { Later } from './daemon.ts';

export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface HttpReceiver {
  /** Without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly requests: Received[];
  /** What it answers; a number for all, or by request. */
  answer: (request: Received) => number;
  close(): Promise<void>;
}

/** Listens on a port of its own, or on one that another left. */
export async function httpReceiver(later: Later, port = 0): Promise<HttpReceiver> {
  const requests: Received[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const received = { method, path, headers, body: Buffer.concat(chunks).toString('utf8') };
      requests.push(received);
      const status = receiver.answer(received);
      response.writeHead(status, status < 400 && status >= 300 ? { location: '/elsewhere' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  const receiver: HttpReceiver = {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    requests,
    answer: () => 200,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  later(() => receiver.close());
  return receiver;
}

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  /** As it came over the wire. */
  readonly raw: string;
  /** Unfolded, by name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

export interface MailReceiver {
  readonly port: number;
  readonly mails: Mail[];
  /** User and password of each login. */
  readonly logins: string[];
  close(): Promise<void>;
}

export interface MailRules {
  readonly port?: number;
  /** Refuses it with this text. */
  readonly refuseData?: string;
  readonly refuseLogin?: boolean;
}

export async function mailReceiver(later: Later, rules: MailRules = {}): Promise<MailReceiver> {
  const mails: Mail[] = [];
  const logins: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: ({ username = '', password = '' }, _, done) => {
      logins.push(`${username} ${password}`);
      if (rules.refuseLogin === true) done(new Error(`no such login: ${username} ${password}`));
      else done(null, { user: username });
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (rules.refuseData !== undefined) {
          done(Object.assign(new Error(rules.refuseData), { responseCode: 554 }));
          return;
        }
        const { mailFrom, rcptTo } = session.envelope;
        const from = mailFrom === false ? '' : mailFrom.address;
        mails.push(
          parse(
            Buffer.concat(chunks).toString('utf8'),
            from,
            rcptTo.map(({ address }) => address),
          ),
        );
        done();
      });
    },
  });
  // A client that goes away is no concern of a test.
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(rules.port ?? 0, '127.0.0.1', resolve);
  });
  const receiver = {
    port: (server.server.address() as AddressInfo).port,
    mails,
    logins,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
      }),
  };
  later(() => receiver.close());
  return receiver;
}

function parse(raw: string, from: string, to: readonly string[]): Mail {
  const [head = '', ...rest] = raw.split('\r\n\r\n');
  const fields = head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n');
  const headers = new Map(
    fields.map((field): [string, string] => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }),
  );
  const body = rest.join('\r\n\r\n');
  return { from, to, raw, headers, text: decoded(body, headers.get('content-transfer-encoding') ?? '') };
}

function decoded(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8');
  if (encoding !== 'quoted-printable') return body.replaceAll('\r\n', '\n');
  const bytes = body
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8').replaceAll('\r\n', '\n');
}
