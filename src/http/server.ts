/** From a request to its reply. */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { NodeRequest } from '../engine/ports-calls.ts';
import type { Clock } from '../engine/ports.ts';
import { readBody } from './body.ts';
import type { Elsewhere } from './elsewhere.ts';
import { duringTenure } from './forwarded.ts';
import type { Guard, Visitor } from './guard.ts';
import { headersNamed } from './headers.ts';
import { HttpProblem } from './problem.ts';
import { write, writeProblem } from './reply.ts';
import type { Api, Route } from './route.ts';
import { Turns } from './turns.ts';
import { findRoute, LONGEST_BODY, readAsked, type Body } from './understand.ts';

export interface ServerParts {
  readonly api: Api;
  readonly routes: readonly Route[];
  readonly guard: Guard;
  /** In a cluster. */
  readonly elsewhere: Elsewhere | undefined;
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
  const answering = { ...parts, turns: new Turns(parts.clock) };
  const serve = (request: IncomingMessage, response: ServerResponse): void =>
    void answer(answering, request, response);
  server.on('request', serve);
  // Who asks whether to send a body is told so when it is to be read, or learns from the answer what is wrong with it.
  server.on('checkContinue', serve);
  return server;
}

/** Why a request is given up: one for all, since each that is closed would make one, with a stack. */
const GONE = new Error('who asked has gone');

interface AnswerParts extends ServerParts {
  readonly turns: Turns;
}

async function answer(parts: AnswerParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { guard, turns } = parts;
  const gone = new AbortController();
  const { signal } = gone;
  const giveUp = (): void => gone.abort(GONE);
  response.on('close', giveUp);
  // What comes of a connection that is going is nobody's concern.
  request.on('error', giveUp);
  response.on('error', giveUp);
  try {
    await turns.next();
    if (signal.aborted) return;
    guard.welcome(request);
    await reply(parts, request, { response, gone: signal });
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof HttpProblem)) parts.onBug(error);
    const problem =
      error instanceof HttpProblem ? error : new HttpProblem('bug', 'this is a mistake of tsched itself');
    writeProblem(request, response, problem);
  }
}

async function reply(
  { api, routes, guard, elsewhere, clock, turns }: AnswerParts,
  request: IncomingMessage,
  { response, gone }: { readonly response: ServerResponse; readonly gone: AbortSignal },
): Promise<void> {
  const { method = '', url = '' } = request;
  const found = findRoute(routes, method, url);
  const { route } = found;
  const visitor = guard.admit(request, route.scope);
  const given =
    method === 'POST' || method === 'PUT' ? await bodyOf(request, route, { response, gone }) : undefined;
  const body = elsewhere === undefined ? given : await enclosed(given, route, api);
  const header = (name: string): string | undefined => headerOf(request, name);
  // Read here even if another node answers: what is wrong with it is told without asking there.
  const read = readAsked(found, body);
  const others = route.local === true ? undefined : elsewhere;
  const passed = others?.forward(passedOn(request, route, { ...visitor, body }), gone);
  if (passed !== undefined) return write(response, await passed, { signal: gone, clock });
  const { signal, answered } = duringTenure(others?.tenure(), gone, method);
  const asked = { ...read, ...visitor, header, signal };
  const made = await answered(route.handle(asked, api));
  // What history answers comes in heaps too. A reply that nobody waits for any more is written all the same: it may hold a file.
  await turns.next();
  await write(response, made, { signal, clock });
}

/** As the node that conducts needs it. What is only asked for its head is asked for whole, and not read. */
function passedOn(
  request: IncomingMessage,
  { headers = {} }: Route,
  { by, scope, body }: Visitor & { readonly body: Body | undefined },
): NodeRequest {
  const { method = '', url = '' } = request;
  const named = Object.keys(headers).map((name) => [name, headerOf(request, name)] as const);
  const type = body?.type === undefined ? {} : { 'content-type': body.type };
  return {
    method: method === 'HEAD' ? 'GET' : method,
    target: url,
    headers: { ...type, ...Object.fromEntries(named.filter((pair) => isThere(pair))) },
    body: body?.bytes,
    by,
    scope,
  };
}

function isThere(pair: readonly [string, string | undefined]): pair is readonly [string, string] {
  return pair[1] !== undefined;
}

async function bodyOf(
  request: IncomingMessage,
  { longest = LONGEST_BODY }: Route,
  { response, gone }: { readonly response: ServerResponse; readonly gone: AbortSignal },
): Promise<Body> {
  if (isLonger(request, longest)) throw tooLarge(longest);
  if (/^100-continue$/i.test(request.headers.expect ?? '')) response.writeContinue();
  const bytes = await readBody(request, longest, gone);
  if (bytes === undefined) throw tooLarge(longest);
  return { bytes, type: request.headers['content-type'] };
}

async function enclosed(given: Body | undefined, route: Route, api: Api): Promise<Body | undefined> {
  if (route.enclose === undefined || (given !== undefined && !isEmpty(given))) return given;
  return { bytes: Buffer.from(JSON.stringify(await route.enclose(api))), type: 'application/json' };
}

/** `{}` too: clients send it for want of anything to say. */
function isEmpty({ bytes }: Body): boolean {
  return bytes.length < 10 && /^\s*(?:\{\s*\})?\s*$/.test(bytes.toString('latin1'));
}

function isLonger({ headers }: IncomingMessage, most: number): boolean {
  return Number(headers['content-length'] ?? 0) > most;
}

function tooLarge(most: number): HttpProblem {
  const headers = { connection: 'close' };
  return new HttpProblem('too_large', `a body has at most ${most} bytes here`, { headers });
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const found = headersNamed(request, name);
  if (found.length > 1)
    throw new HttpProblem('bad_request', `the header ${name} is there ${found.length} times`);
  return found[0];
}
