/** The API on its listeners. */
import type { Server } from 'node:http';
import type { NodeHandler } from '../engine/ports-calls.ts';
import type { NodeOperator, Operator } from '../engine/ports-operator.ts';
import type { Clock } from '../engine/ports.ts';
import { noConductor, type Elsewhere } from './elsewhere.ts';
import { serveForwarded } from './forwarded.ts';
import { socketGuard, tcpGuard, type Guard } from './guard.ts';
import { closeServer, identityOf, listenOnPort, listenOnSocket } from './listen.ts';
import { openApi } from './openapi.ts';
import type { Api } from './route.ts';
import { pageRoutes } from './page.ts';
import { actRoutes } from './routes-act.ts';
import { clusterRoutes } from './routes-cluster.ts';
import { replayRoutes } from './routes-replays.ts';
import { jobRoutes } from './routes-jobs.ts';
import { readRoutes } from './routes-read.ts';
import { timelineRoutes } from './routes-timeline.ts';
import { simulateRoutes } from './routes-simulate.ts';
import { watchRoutes } from './routes-watch.ts';
import { sessionRoutes } from './session.ts';
import { createApiServer, type Limits } from './server.ts';
import { TokenBook } from './tokens.ts';

/** The API. */
export const routes = [
  ...readRoutes,
  ...timelineRoutes,
  ...jobRoutes,
  ...actRoutes,
  ...replayRoutes,
  ...watchRoutes,
  ...simulateRoutes,
  ...clusterRoutes,
  ...sessionRoutes,
];

export interface HttpParts {
  readonly node: NodeOperator;
  /** In a cluster: undefined while this node does not conduct. */
  readonly operator: () => Operator | undefined;
  /** In a cluster: answers in place of the operator while there is none. */
  readonly elsewhere?: Elsewhere;
  readonly clock: Clock;
  readonly version: string;
  readonly metrics: () => Promise<string>;
  readonly onBug: (error: unknown) => void;
}

export interface Listener {
  /** For people: a path, or host and port. */
  readonly at: string;
  /** Whether it can be reached: of a socket, the file may have been removed, or something else be there in its place. */
  state(): 'well' | 'gone' | 'replaced';
  close(): Promise<void>;
}

/** Whoever may open the socket is trusted to close what they open. */
const SOCKET: Limits = { connections: 256, headers: 60_000, request: 300_000, looks: 60_000 };
const TCP: Limits = { connections: 256, headers: 5000, request: 15_000, looks: 2500 };

/** @throws ListenTrouble */
export async function serveSocket(
  parts: HttpParts,
  { path, mode }: { path: string; mode: number },
): Promise<Listener> {
  const server = make(parts, socketGuard, SOCKET);
  await listenOnSocket(server, path, mode);
  const own = identityOf(path);
  const state = (): 'well' | 'gone' | 'replaced' => {
    const found = identityOf(path);
    return found === own ? 'well' : found === undefined ? 'gone' : 'replaced';
  };
  return { at: path, state, close: () => closeServer(server, parts.clock) };
}

export interface TcpSettings {
  readonly host: string;
  readonly port: number;
  /** Other names that `Host` may have, with the port or without. */
  readonly allowHosts: readonly string[];
  readonly tokens: string;
}

/** @throws ListenTrouble */
export async function serveTcp(parts: HttpParts, settings: TcpSettings): Promise<Listener> {
  const { host, allowHosts } = settings;
  const hosts = new Set(allowHosts.map((name) => name.toLowerCase()));
  const server = make(parts, tcpGuard({ tokens: new TokenBook(settings.tokens, parts.clock), hosts }), TCP);
  const port = await listenOnPort(server, host, settings.port);
  const shown = host.includes(':') ? `[${host}]` : host;
  for (const name of [shown, 'localhost', '127.0.0.1', '[::1]', ...allowHosts])
    hosts.add(`${name}:${port}`.toLowerCase());
  return { at: `${shown}:${port}`, state: () => 'well', close: () => closeServer(server, parts.clock) };
}

/** What the other nodes of a cluster pass on to this one while it conducts: for what serves calls between nodes. */
export function answerNodes(parts: HttpParts): NodeHandler {
  const { onBug, elsewhere } = parts;
  return serveForwarded({
    routes,
    // Nobody logs in that way.
    api: apiOf(parts, () => undefined),
    tenure: () => elsewhere?.tenure(),
    onBug,
  });
}

function make(parts: HttpParts, guard: Guard, limits: Limits): Server {
  const { clock, elsewhere, onBug } = parts;
  const api = apiOf(parts, (secret) => guard.login(secret));
  return createApiServer({ api, routes: [...routes, ...pageRoutes], guard, elsewhere, clock, limits, onBug });
}

function apiOf({ node, operator, version, metrics }: HttpParts, login: Api['login']): Api {
  let document: object | undefined;
  return {
    node,
    get operator() {
      const present = operator();
      if (present === undefined) throw noConductor('this node does not conduct');
      return present;
    },
    metrics,
    login,
    document: () => (document ??= openApi(routes, version)),
  };
}
