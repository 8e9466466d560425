/** What `http` says, as a task: with all that nobody may see of it. */
import type { HttpTask } from '../http-task.ts';
import type { Problem } from '../schedule/problem.ts';
import { OUR_HEADERS, type SecretText } from './http-fields.ts';
import type { SecretJson } from './shape.ts';
import { SECRET_QUERY } from './source.ts';

/** What the reader makes of the keys of `http`. */
export interface HttpValues {
  url?: SecretText;
  method?: string;
  headers?: Readonly<Record<string, SecretText>>;
  body?: SecretText;
  json?: SecretJson;
  expect?: { status?: HttpTask['expectedStatus']; body_matches?: string };
  follow_redirects?: boolean;
  ca?: string;
}

const SUCCESS: HttpTask['expectedStatus'] = [[200, 299]];

/** Of these, everybody sends the same. */
const HARMLESS = /^(?:accept(?:-.*)?|cache-control|content-language|content-type|pragma|prefer|user-agent)$/i;

/** A variable that is shorter may be any word, and be found in every other text. */
const SHORTEST = 6;

/** What is wrong with it, one thing after another. */
export function* httpProblems(own: HttpValues): Generator<Problem> {
  if (!('url' in own)) yield { message: 'nothing says where the request goes', hint: 'add url:' };
  if ('body' in own && 'json' in own) yield { message: 'body: and json: exclude each other' };
  const { method } = own;
  if ((method === 'GET' || method === 'HEAD') && ('body' in own || 'json' in own))
    yield { message: `a ${method} request has no body`, hint: 'write another method:, or leave it out' };
  for (const name of Object.keys(own.headers ?? {})) {
    if (OUR_HEADERS.test(name)) yield { message: `tsched says the header ${name} itself`, hint: 'remove it' };
  }
}

/** The task; nonsense where `httpProblems` had something to say. */
export function httpTaskOf(own: HttpValues): HttpTask {
  const { url = { text: '', written: '', variables: [] }, ca, expect = {} } = own;
  const text = own.json === undefined ? own.body?.text : JSON.stringify(own.json.value);
  return {
    kind: 'http',
    method: own.method ?? (text === undefined ? 'GET' : 'POST'),
    url: url.text,
    shownUrl: shownAddress(url.written),
    headers: headersOf(own),
    ...(text === undefined ? {} : { body: text }),
    expectedStatus: expect.status ?? SUCCESS,
    ...(expect.body_matches === undefined ? {} : { bodyMatches: expect.body_matches }),
    followRedirects: own.follow_redirects ?? false,
    ...(ca === undefined ? {} : { ca }),
    secrets: secretsOf(own, url),
  };
}

function headersOf({ headers = {}, json }: HttpValues): Record<string, string> {
  const own = Object.entries(headers).map(([name, { text }]) => [name, text.trim()] as const);
  const hasType = own.some(([name]) => name.toLowerCase() === 'content-type');
  const type = json === undefined || hasType ? [] : [['content-type', 'application/json'] as const];
  return Object.fromEntries([...type, ...own]);
}

/** As written, without passwords and what a query calls a secret. */
export function shownAddress(written: string): string {
  return written.replace(/^(https?:\/\/)[^/?#]*@/i, '$1***@').replace(SECRET_QUERY, '$1***');
}

function secretsOf({ headers = {}, body, json }: HttpValues, url: SecretText): string[] {
  const inBody = [...(body?.variables ?? []), ...(json?.secrets ?? [])].filter(isLong);
  const inHeaders = Object.entries(headers).flatMap(([name, value]) =>
    HARMLESS.test(name) ? value.variables.filter(isLong) : credentials(value),
  );
  const all = [...inAddress(url), ...inHeaders, ...inBody].flatMap(spellings);
  return [...new Set(all)].filter((secret) => secret.length > 3).sort((a, b) => b.length - a.length);
}

/** The whole; the token of `Bearer token`; user and password of `Basic`, which is only another spelling; what came from variables. */
function credentials({ text, variables }: SecretText): string[] {
  const [, scheme = '', token = ''] = /^(\S+)\s+(\S.*)$/.exec(text.trim()) ?? [];
  const login = scheme.toLowerCase() === 'basic' ? Buffer.from(token, 'base64').toString() : '';
  const password = login.slice(login.indexOf(':') + 1);
  return [text, token, ...(login.includes(':') ? [login, password] : []), ...variables];
}

function inAddress({ text, written, variables }: SecretText): string[] {
  const url = URL.parse(text);
  if (url === null) return [];
  const { username, password, host } = url;
  const [user, secret] = [username, password].map(decoded);
  const login = password === '' ? '' : Buffer.from(`${user}:${secret}`).toString('base64');
  // A variable may hold any part of the address, or the whole of it; what names the host is no secret.
  const parts = variables.flatMap((value) => [value, ...value.split(/[/?&=#]+/)]);
  const hidden = [...written.matchAll(SECRET_QUERY)].flatMap(([, , value = '']) =>
    value.includes('${') ? [] : [value],
  );
  return [
    username === '' ? '' : `${username}:${password}`,
    password,
    secret ?? '',
    login,
    ...hidden,
    ...[...url.searchParams.values()].filter((value) => variables.some((each) => value.includes(each))),
    ...parts.filter((part) => isLong(part) && !host.includes(part) && !/^https?:\/\/[^/]*\/?$/.test(part)),
  ];
}

function isLong(text: string): boolean {
  return text.length >= SHORTEST;
}

/** As servers repeat it: in an address, in JSON, with what stood around it cut off. */
function spellings(secret: string): string[] {
  const trimmed = secret.trim().toWellFormed();
  return [
    trimmed,
    encodeURIComponent(trimmed),
    encodeURI(trimmed),
    JSON.stringify(trimmed).slice(1, -1),
    decoded(trimmed),
  ];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
