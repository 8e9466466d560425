/** One request and the answer to it, over redirections. Nothing here is held: the body of the answer is a stream. */
import { lookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { HttpTask } from '../http-task.ts';
import { reasonOf } from './http-words.ts';
import { Turns } from './turns.ts';

/** There was no answer. `reached`: somebody may have got the request. Not yet free of secrets. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  readonly reached: boolean;

  constructor(message: string, { reached }: { readonly reached: boolean }) {
    super(message);
    this.reached = reached;
  }
}

export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly type: string | undefined;
  readonly body: IncomingMessage;
  /** Where it sends us, and why we do not go there; not yet free of secrets. */
  readonly refused: string | undefined;
}

export interface Exchange {
  readonly task: HttpTask;
  /** Headers that say whose request it is. */
  readonly about: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Another address is asked now. */
  readonly onRedirect: (status: number, to: URL) => void;
}

/** Redirections followed one after another. */
const MOST_HOPS = 10;

/** What another host may see of the headers of a job. */
const FOR_ALL = /^(?:accept(?:-.*)?|cache-control|content-language|content-type|user-agent)$/i;

interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** @throws NoAnswer */
export async function exchange(asked: Exchange): Promise<Answer> {
  const { task } = asked;
  const ca = task.ca === undefined ? undefined : await authorities(task.ca);
  let hop: Hop = { url: new URL(task.url), method: task.method, body: task.body, headers: task.headers };
  for (let hops = 0; ; hops += 1) {
    const response = await send(hop, asked, ca);
    const answer = answerOf(response);
    const next = task.followRedirects ? following(hop, response) : undefined;
    if (next === undefined) return answer;
    const refused = hops === MOST_HOPS ? `more than ${MOST_HOPS} redirections` : next;
    if (typeof refused === 'string') return { ...answer, refused };
    response.destroy();
    asked.onRedirect(answer.status, refused.url);
    hop = refused;
  }
}

function answerOf(response: IncomingMessage): Answer {
  const { statusCode = 0, statusMessage = '', headers } = response;
  return {
    status: statusCode,
    reason: statusMessage,
    type: headers['content-type'],
    body: response,
    refused: undefined,
  };
}

/** The hop that an answer asks for; why it is not made; or undefined, if it asks for none. RFC 9110, 15.4. */
function following(
  hop: Hop,
  { statusCode = 0, headers: { location } }: IncomingMessage,
): Hop | string | undefined {
  if (![301, 302, 303, 307, 308].includes(statusCode) || location === undefined) return undefined;
  const url = URL.parse(location, hop.url.href);
  if (url === null || !/^https?:$/.test(url.protocol)) return 'it redirects to what is no web address';
  if (hop.url.protocol === 'https:' && url.protocol === 'http:') return 'it redirects from https to http';
  const becomesGet = statusCode === 303 ? hop.method !== 'HEAD' : statusCode < 303 && hop.method === 'POST';
  const body = becomesGet ? undefined : hop.body;
  const method = becomesGet ? 'GET' : hop.method;
  if (url.origin === hop.url.origin) {
    // A redirection within a host does not repeat who asks.
    if (url.username === '') [url.username, url.password] = [hop.url.username, hop.url.password];
    return { url, method, body, headers: hop.headers };
  }
  if (body !== undefined) return 'it redirects to another host, to which the body is not sent';
  const headers = Object.fromEntries(Object.entries(hop.headers).filter(([name]) => FOR_ALL.test(name)));
  return { url, method, body, headers };
}

function send(
  { url, method, body, headers }: Hop,
  { about, signal }: Exchange,
  ca: string | undefined,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const isSecure = url.protocol === 'https:';
  const request = (isSecure ? httpsRequest : httpRequest)(url, {
    method,
    signal,
    agent: false,
    lookup: lookupInTurn,
    ...(isSecure && ca !== undefined && { ca }),
    headers: {
      'user-agent': 'tsched',
      'accept-encoding': 'identity',
      accept: '*/*',
      ...lowercase(headers),
      ...about,
      ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
    },
  });
  let reached = false;
  request.once('socket', (socket) => {
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      reached = true;
    });
  });
  request.once('response', resolve);
  // What it becomes after that is no HTTP any more.
  request.once('upgrade', (response, socket) => {
    socket.destroy();
    resolve(response);
  });
  request.on('error', (error) => reject(new NoAnswer(reasonOf(error), { reached })));
  request.end(body);
  return promise;
}

/** So that what a job says replaces what we would. */
function lowercase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Read for each attempt: it may have been renewed. */
async function authorities(path: string): Promise<string> {
  try {
    const pem = await readFile(path, 'utf8');
    if (pem.includes('-----BEGIN ')) return pem;
  } catch (error) {
    throw new NoAnswer(`the file of authorities cannot be read: ${(error as Error).message}`, {
      reached: false,
    });
  }
  throw new NoAnswer(`there is no certificate in ${path}`, { reached: false });
}

/**
 * The system's resolver works in one of four threads, which the files of the daemon need as well: should it hang, two of them
 * stay free.
 */
const lookups = new Turns(2);

type Found = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

const lookupInTurn: NonNullable<RequestOptions['lookup']> = (host, options: LookupOptions, found: Found) => {
  void lookups.take().then(() =>
    lookup(host, options, (error, address, family) => {
      lookups.done();
      found(error, address, family);
    }),
  );
};
