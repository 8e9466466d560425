/** What a route is: where it is, who may use it, what it takes, what it answers. The table of them is the API. */
import type { Answer, NodeOperator, Operator } from '../engine/ports-operator.ts';
import type { Fields, Schema, Values } from './fields.ts';
import { problemOf, type ProblemCode } from './problem.ts';

/** Each includes the ones before it. `open` needs no token. */
export const SCOPES = ['open', 'read', 'run', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** What routes answer from. */
export interface Api {
  /** The daemon that was asked; all that `local` routes may ask. */
  readonly node: NodeOperator;
  /** Getting it throws HttpProblem while there is none, because another node of the cluster conducts. */
  readonly operator: Operator;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
  /** Whom this token makes one; undefined when there is no such token. */
  login(secret: string): { readonly by: string; readonly scope: Scope } | undefined;
  /** The OpenAPI document. */
  document(): object;
}

export interface Asked<Q, B> {
  /** Of the path's variables, decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Q;
  readonly body: B;
  /** A header, if it is there once. */
  readonly header: (name: string) => string | undefined;
  /** Who asks, for the log. */
  readonly by: string;
  /** What they may do. */
  readonly scope: Scope;
  /** The asker has gone. */
  readonly signal: AbortSignal;
  /** Name of the node that was asked, and passed it on to this one. */
  readonly via?: string | undefined;
}

/** A stream of server-sent events. */
export interface EventStream {
  /** Without an id: whoever comes back goes on after the last event that had one. */
  send(event: { readonly name: string; readonly id?: string; readonly data: unknown }): void;
  /** Resolves when more may be sent. */
  drained(): Promise<void>;
  readonly signal: AbortSignal;
}

export type Reply =
  | { readonly kind: 'json'; readonly body: unknown; readonly status?: number; readonly headers?: Headers }
  | { readonly kind: 'text'; readonly text: string; readonly type: string }
  | { readonly kind: 'file'; readonly status: 200 | 304; readonly headers: Headers; readonly bytes: Buffer }
  | {
      readonly kind: 'bytes';
      readonly status: number;
      readonly headers: Headers;
      readonly length: number;
      readonly bytes: AsyncIterable<Uint8Array>;
      close(): Promise<void>;
    }
  /** Ends when `run` resolves, or the asker goes. */
  | { readonly kind: 'events'; run(stream: EventStream): Promise<void> };

export type Headers = Readonly<Record<string, string>>;

/** What an answer is, for the document. */
export interface Documented {
  readonly about: string;
  /** Of a JSON body, by its name among the components. */
  readonly schema?: string;
  /** Of any other body. */
  readonly type?: string;
}

export interface Sketch<Q extends Fields, B extends Fields> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With variables in braces. */
  readonly path: string;
  readonly scope: Scope;
  /** About the daemon that is asked: in a cluster every node answers it itself; all else the one that conducts. */
  readonly local?: boolean;
  /** In a cluster: what the node that is asked puts into the body, where there is none, whoever answers. */
  enclose?(api: Api): Promise<object>;
  readonly summary: string;
  readonly query?: Q;
  readonly body?: B;
  /** Longest body, in bytes, where the usual length is too short. */
  readonly longest?: number;
  /** Request headers that mean something, with what they take. */
  readonly headers?: Readonly<Record<string, { readonly about: string; readonly schema: Schema }>>;
  readonly answers: Readonly<Record<number, Documented>>;
  /** Of those every route may answer with, none need be named. */
  readonly problems?: readonly ProblemCode[];
  handle(asked: Asked<Values<Q>, Values<B>>, api: Api): Reply | Promise<Reply>;
}

export interface Route extends Omit<Sketch<Fields, Fields>, 'handle'> {
  readonly query: Fields;
  readonly body: Fields;
  readonly segments: readonly string[];
  handle(asked: Asked<unknown, unknown>, api: Api): Reply | Promise<Reply>;
}

/** No field at all. */
type Nothing = Readonly<Record<string, never>>;

export function route<const Q extends Fields = Nothing, const B extends Fields = Nothing>(
  sketch: Sketch<Q, B>,
): Route {
  return {
    ...sketch,
    query: sketch.query ?? {},
    body: sketch.body ?? {},
    segments: sketch.path.split('/').slice(1),
    handle: (asked, api) => sketch.handle(asked as Asked<Values<Q>, Values<B>>, api),
  };
}

/** @throws HttpProblem when it was refused */
export function valueOf<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value;
  throw problemOf(answer.refusal);
}

export function json(body: unknown, status = 200, headers: Headers = {}): Reply {
  return { kind: 'json', body, status, headers };
}

/** Whether who may do the one may do the other. */
export function includes(scope: Scope, needed: Scope): boolean {
  return SCOPES.indexOf(scope) >= SCOPES.indexOf(needed);
}

/** The route for a path, with its variables; or the methods that the path has. */
export function match(
  routes: readonly Route[],
  method: string,
  segments: readonly string[],
):
  | { readonly route: Route; readonly path: Record<string, string> }
  | { readonly methods: readonly string[] } {
  const methods: string[] = [];
  for (const route of routes) {
    const path = variablesOf(route.segments, segments);
    if (path === undefined) continue;
    if (route.method === method) return { route, path };
    methods.push(route.method);
  }
  return { methods };
}

function variablesOf(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (part.startsWith('{')) found[part.slice(1, -1)] = segment;
    else if (part !== segment) return undefined;
  }
  return found;
}
