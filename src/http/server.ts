/** From a request to its reply. */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { Clock } from '../engine/ports.ts';
import { readBody } from './body.ts';
import { readFields } from './fields.ts';
import type { Guard } from './guard.ts';
import { headersNamed } from './headers.ts';
import { HttpProblem } from './problem.ts';
import { write, writeProblem } from './reply.ts';
import { match, type Api, type Asked, type Route } from './route.ts';

export interface ServerParts {
  readonly api: Api;
  readonly routes: readonly Route[];
  readonly guard: Guard;
  readonly clock: Clock;
  readonly limits: Limits;
  /** A mistake of ours. */
  readonly onBug: (error: unknown) => void;
}

/** How much one listener bears. Times in milliseconds. */
export interface Limits {
  readonly connections: number;
  /** Until a request's headers, and until all of it, must have come. */
  readonly headers: number;
  readonly request: number;
  /** Between two looks for requests that take too long; each wakes the process. */
  readonly looks: number;
}

export function createApiServer(parts: ServerParts): Server {
  const { connections, headers, request, looks } = parts.limits;
  const options: ServerOptions = {
    headersTimeout: headers,
    requestTimeout: request,
    connectionsCheckingInterval: looks,
    keepAliveTimeout: 5000,
    maxHeaderSize: 16 * 1024,
  };
  const server = createServer(options);
  server.maxConnections = connections;
  server.maxHeadersCount = 100;
  const serve = (request: IncomingMessage, response: ServerResponse): void =>
    void answer(parts, request, response);
  server.on('request', serve);
  // Who asks whether to send a body learns from the answer that it is too large, before sending it.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (!isTooLarge(request)) response.writeContinue();
    serve(request, response);
  });
  return server;
}

/** Longest body. Bytes. */
const LONGEST_BODY = 1024 * 1024;

async function answer(parts: ServerParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  // What comes of a connection that is going is nobody's concern.
  request.on('error', () => gone.abort());
  response.on('error', () => gone.abort());
  try {
    parts.guard.welcome(request);
    const { route, asked } = await understand(parts, request, gone.signal);
    await write(response, await route.handle(asked, parts.api), { signal: gone.signal, clock: parts.clock });
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!(error instanceof HttpProblem)) parts.onBug(error);
    const problem =
      error instanceof HttpProblem ? error : new HttpProblem('bug', 'this is a mistake of tsched itself');
    writeProblem(request, response, problem);
  }
}

async function understand(
  { guard, routes }: ServerParts,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<{ readonly route: Route; readonly asked: Asked<unknown, unknown> }> {
  const { segments, query } = targetOf(request.url ?? '');
  const { method = '' } = request;
  const found = match(routes, method === 'HEAD' ? 'GET' : method, segments);
  if ('methods' in found) throw notThere(found.methods);
  const { route, path } = found;
  const visitor = guard.admit(request, route.scope);
  const body = method === 'POST' || method === 'PUT' ? await bodyOf(request, route, signal) : {};
  const asked = {
    path,
    query: readFields(route.query, query, 'bad_request'),
    body,
    ...visitor,
    signal,
    header: (name: string) => headerOf(request, name),
  };
  return { route, asked };
}

function notThere(methods: readonly string[]): HttpProblem {
  if (methods.length === 0) {
    return new HttpProblem('unknown_path', 'there is nothing here', {
      hint: '/openapi.json says what there is',
    });
  }
  const allow = methods.join(', ');
  return new HttpProblem('wrong_method', `this takes ${allow}`, { headers: { allow } });
}

/** @throws HttpProblem: only paths, so that nobody takes us for a proxy, and only what can be decoded */
function targetOf(url: string): { segments: string[]; query: Map<string, string> } {
  const [path = '', search = ''] = url.split(/\?(.*)/s);
  if (!path.startsWith('/')) throw new HttpProblem('bad_request', 'the target of a request is a path');
  try {
    const segments = path.slice(1).split('/').map(decodeURIComponent);
    const query = new Map<string, string>();
    for (const [name, value] of new URLSearchParams(search)) {
      if (query.has(name)) throw new HttpProblem('bad_request', `"${name}" is there twice`);
      query.set(name, value);
    }
    return { segments, query };
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    throw new HttpProblem('bad_request', 'the path holds a % that means nothing');
  }
}

async function bodyOf(request: IncomingMessage, route: Route, signal: AbortSignal): Promise<unknown> {
  if (isTooLarge(request)) throw tooLarge();
  const bytes = await readBody(request, LONGEST_BODY, signal);
  if (bytes === undefined) throw tooLarge();
  if (bytes.length > 0 && !/^application\/json(?:\s*;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new HttpProblem('wrong_type', 'a body is JSON here', {
      hint: 'send Content-Type: application/json',
    });
  }
  return readFields(route.body, objectOf(bytes), 'bad_body');
}

function objectOf(bytes: Buffer): ReadonlyMap<string, unknown> {
  if (bytes.length === 0) return new Map();
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new HttpProblem('bad_body', `the body is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HttpProblem('bad_body', 'the body is not a JSON object');
  }
  return new Map(Object.entries(value));
}

function isTooLarge({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? 0) > LONGEST_BODY;
}

function tooLarge(): HttpProblem {
  const headers = { connection: 'close' };
  return new HttpProblem('too_large', `a body has at most ${LONGEST_BODY} bytes here`, { headers });
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const found = headersNamed(request, name);
  if (found.length > 1)
    throw new HttpProblem('bad_request', `the header ${name} is there ${found.length} times`);
  return found[0];
}
