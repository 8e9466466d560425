/** The URL of a store: where its database is, how to be sure of it, and what of that people may see. */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { DatabaseUnfit } from './errors.ts';

export interface Address {
  /** Without its password. */
  readonly url: string;
  /** Undefined: the driver's defaults, which are libpq's (PGHOST, PGUSER, ~/.pgpass). */
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  /** Of our tables. */
  readonly schema: string;
  /** False: unencrypted. */
  readonly tls: ConnectionOptions | false;
}

/** The database's own limit is 63 bytes; `_queue` is added for pg-boss. */
const SCHEMA = /^[a-z_][a-z0-9_]{0,49}$/;

const MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;

/** Parameters of libpq that URLs of hosting services carry, and that nothing here depends on. */
const PASSED_OVER: ReadonlySet<string> = new Set([
  'application_name',
  'channel_binding',
  'connect_timeout',
  'gssencmode',
  'target_session_attrs',
]);

const KNOWN: ReadonlySet<string> = new Set(['schema', 'host', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey']);

/** @throws DatabaseUnfit, which never repeats a password */
export function parseAddress(text: string): Address {
  const url = parsed(text);
  const question = url.searchParams;
  for (const key of question.keys()) {
    if (KNOWN.has(key) || PASSED_OVER.has(key)) continue;
    throw unfit(
      `the store's URL has the unknown parameter ${JSON.stringify(key)}`,
      `it may have ${[...KNOWN].join(', ')}`,
    );
  }
  const schema = question.get('schema') ?? 'tsched';
  if (!SCHEMA.test(schema))
    throw unfit(
      `the store's URL has schema=${JSON.stringify(schema)}`,
      'a schema is named with small letters, digits and _, at most 50 of them',
    );
  const host = question.get('host') ?? (decoded(url.hostname) || undefined);
  return {
    url: shown(url, host),
    host: host?.replace(/^\[(.+)\]$/, '$1'),
    port: url.port === '' ? undefined : Number(url.port),
    user: decoded(url.username) || undefined,
    password: decoded(url.password) || undefined,
    database: decoded(url.pathname.slice(1)) || undefined,
    schema,
    tls: tlsOf(question),
  };
}

function parsed(text: string): URL {
  const hint =
    'write it as postgres://user:password@host:5432/database; what is special in a URL, as %40 for @';
  // A socket's directory is the host of no URL: libpq writes postgres:///database?host=/run/postgresql.
  const url = URL.parse(text);
  if (url === null) throw unfit("the store's URL cannot be read", hint);
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:')
    throw unfit(`the store's URL begins with ${url.protocol}//`, hint);
  if (url.pathname.slice(1).includes('/')) throw unfit("the store's URL names no database", hint);
  return url;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw unfit("the store's URL has a % that no two hex digits follow", 'write %25 for %');
  }
}

function shown({ username, port, pathname }: URL, host: string | undefined): string {
  const user = username === '' ? '' : `${username}@`;
  const at =
    host?.startsWith('/') === true
      ? `${host}${port === '' ? '' : `:${port}`}`
      : `${host ?? ''}${port === '' ? '' : `:${port}`}`;
  return `postgres://${user}${at}${pathname}`;
}

/**
 * As libpq: `require` encrypts and believes anybody, unless an authority is named; `verify-ca` wants a certificate of
 * it, `verify-full` one with the server's name. What is not said is not encrypted, and `prefer`, which leaves it to the network, does not exist.
 */
function tlsOf(question: URLSearchParams): ConnectionOptions | false {
  const file = (key: string): string | undefined => {
    const path = question.get(key);
    if (path === null) return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw unfit(`the store's URL: ${key}: ${(error as Error).message}`, 'name a file in PEM format');
    }
  };
  const given = question.get('sslmode');
  const files = { ca: file('sslrootcert'), cert: file('sslcert'), key: file('sslkey') };
  const mode = given ?? (Object.values(files).some((each) => each !== undefined) ? 'verify-full' : 'disable');
  if (!isMode(mode)) throw unfit(`the store's URL has sslmode=${mode}`, `it is one of ${MODES.join(', ')}`);
  if (mode === 'disable') return false;
  const own = Object.fromEntries(Object.entries(files).filter(([, content]) => content !== undefined));
  if (mode === 'verify-full') return own;
  if (mode === 'require' && files.ca === undefined) return { ...own, rejectUnauthorized: false };
  if (files.ca === undefined)
    throw unfit(
      "the store's URL has sslmode=verify-ca without sslrootcert",
      'name the authority with sslrootcert=FILE, or write verify-full for those that the system trusts',
    );
  return { ...own, checkServerIdentity: () => undefined };
}

function isMode(mode: string): mode is (typeof MODES)[number] {
  return (MODES as readonly string[]).includes(mode);
}

function unfit(message: string, hint: string): DatabaseUnfit {
  return new DatabaseUnfit(message, hint);
}
