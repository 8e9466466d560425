/** Answers what other nodes pass on: by the same routes, read by the same code, as if it had come in here. */
import type { NodeHandler, NodeReply, NodeRequest } from '../engine/ports-calls.ts';
import { cutOff, KIND, noConductor, VIA, type Elsewhere } from './elsewhere.ts';
import { HttpProblem } from './problem.ts';
import { includes, SCOPES, type Api, type EventStream, type Reply, type Route, type Scope } from './route.ts';
import { findRoute, readAsked } from './understand.ts';
import { jsonText } from './writing.ts';

export interface ForwardedParts {
  readonly routes: readonly Route[];
  readonly api: Api;
  readonly tenure: Elsewhere['tenure'];
  /** A mistake of ours. */
  readonly onBug: (error: unknown) => void;
}

/** Waiting for a node that does not read; beyond that the stream ends, and whoever listens comes back. Bytes. */
const MOST_WAITING = 1024 * 1024;
const ENOUGH_WAITING = 64 * 1024;

export function serveForwarded(parts: ForwardedParts): NodeHandler {
  return async (request, signal) => {
    try {
      return await answer(parts, request, signal);
    } catch (error) {
      if (!(error instanceof HttpProblem)) parts.onBug(error);
      const problem =
        error instanceof HttpProblem ? error : new HttpProblem('bug', 'this is a mistake of tsched itself');
      return problemReply(problem);
    }
  };
}

async function answer(
  { routes, api, tenure }: ForwardedParts,
  request: NodeRequest,
  gone: AbortSignal,
): Promise<NodeReply> {
  const conducting = tenure();
  // Never passed on once more: two nodes that take each other for the conductor would play ball.
  if (conducting === undefined || conducting.aborted)
    throw noConductor('the node that conducted does so no more');
  const { method, headers, by } = request;
  const found = findRoute(routes, method, request.target);
  const { route } = found;
  const scope = SCOPES.find((known) => known === request.scope) ?? 'open';
  if (!includes(scope, route.scope))
    throw new HttpProblem('too_small_scope', `this takes the scope ${route.scope}`);
  const { signal, answered } = duringTenure(conducting, gone, method);
  const reply = await answered(
    route.handle(
      { ...askedOf(found, request), by, scope: scope satisfies Scope, signal, via: headers[VIA] },
      api,
    ),
  );
  return wired(reply, signal);
}

function askedOf(found: ReturnType<typeof findRoute>, { method, headers, body }: NodeRequest) {
  const mayHaveBody = method === 'POST' || method === 'PUT';
  const bytes = Buffer.from(body ?? []);
  const read = readAsked(found, mayHaveBody ? { bytes, type: headers['content-type'] } : undefined);
  return { ...read, header: (name: string) => headers[name] };
}

/**
 * A node that ceases to conduct answers nothing more of what it was asked as the conductor: its streams would fall silent, and what it
 * waits for in the store may never come.
 */
export function duringTenure(tenure: AbortSignal | undefined, gone: AbortSignal, method: string): During {
  if (tenure === undefined) return { signal: gone, answered: (answer) => Promise.resolve(answer) };
  return {
    signal: AbortSignal.any([tenure, gone]),
    answered: (answer) =>
      new Promise((resolve, reject) => {
        const cease = (): void => reject(cutOff('this node ceased to conduct while it was asked', method));
        tenure.addEventListener('abort', cease);
        if (tenure.aborted) cease();
        Promise.resolve(answer)
          .then(resolve, reject)
          .finally(() => tenure.removeEventListener('abort', cease));
      }),
  };
}

interface During {
  /** The asker has gone, or this node conducts no more. */
  readonly signal: AbortSignal;
  readonly answered: <T>(answer: T | Promise<T>) => Promise<T>;
}

function problemReply({ status, body, more }: HttpProblem): NodeReply {
  return wholeReply(status, { ...more.headers, 'content-type': 'application/problem+json' }, jsonText(body));
}

function wholeReply(status: number, headers: NodeReply['headers'], content: string | Buffer): NodeReply {
  const body = typeof content === 'string' ? Buffer.from(content) : content;
  return { status, headers: { ...headers, 'content-length': `${body.length}` }, body };
}

function wired(reply: Reply, signal: AbortSignal): NodeReply {
  switch (reply.kind) {
    case 'json':
      return wholeReply(
        reply.status ?? 200,
        { ...reply.headers, 'content-type': 'application/json' },
        jsonText(reply.body),
      );
    case 'text':
      return wholeReply(200, { 'content-type': reply.type }, reply.text);
    case 'file':
      return wholeReply(reply.status, reply.headers, reply.bytes);
    case 'bytes':
      return {
        status: reply.status,
        headers: { ...reply.headers, 'content-length': `${reply.length}` },
        body: reply.bytes,
        close: () => reply.close(),
      };
    case 'events':
      return { status: 200, headers: { [KIND]: 'events' }, body: new EventLines(signal).of(reply) };
  }
}

/** Events, each as a line of JSON, at the pace of who reads them. */
class EventLines implements EventStream {
  readonly signal: AbortSignal;
  readonly #ended = new AbortController();
  #waiting: string[] = [];
  #size = 0;
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;
  #wake = (): void => undefined;
  #drain = (): void => undefined;

  /** @param signal that nobody reads them any more */
  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, this.#ended.signal]);
    this.signal.addEventListener('abort', () => {
      this.#wake();
      this.#drain();
    });
  }

  send(event: Parameters<EventStream['send']>[0]): void {
    const line = `${JSON.stringify(event)}\n`;
    this.#waiting.push(line);
    this.#size += line.length;
    if (this.#size > MOST_WAITING) this.#ended.abort();
    this.#wake();
  }

  drained(): Promise<void> {
    if (this.#size < ENOUGH_WAITING || this.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => (this.#drain = resolve));
  }

  async *of(reply: Extract<Reply, { kind: 'events' }>): AsyncIterable<Uint8Array> {
    const running = this.#run(reply);
    try {
      while (!this.signal.aborted && (!this.#isOver || this.#size > 0)) {
        if (this.#size === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
        const text = this.#waiting.join('');
        this.#waiting = [];
        this.#size = 0;
        this.#drain();
        if (text !== '') yield Buffer.from(text);
      }
    } finally {
      this.#ended.abort();
      await running;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #run(reply: Extract<Reply, { kind: 'events' }>): Promise<void> {
    try {
      await reply.run(this);
    } catch (error) {
      this.#failure = { error };
    }
    this.#isOver = true;
    this.#wake();
  }
}
