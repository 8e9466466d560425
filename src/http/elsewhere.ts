/** Requests that another node of the cluster answers, since it conducts. */
import { NodeUnanswered, type NodeAnswer, type NodeCalls, type NodeRequest } from '../engine/ports-calls.ts';
import { HttpProblem } from './problem.ts';
import type { EventStream, Reply } from './route.ts';

/** Who answers what is not about a single node. */
export interface Elsewhere {
  /**
   * Has it answered where it can be. Undefined: this node conducts, and answers itself. The promise rejects with HttpProblem.
   * `request.headers`: those that mean something to the route.
   */
  forward(request: NodeRequest, signal: AbortSignal): Promise<Reply> | undefined;
  /** While this node conducts: aborted when it ceases to. */
  tenure(): AbortSignal | undefined;
}

export interface ElsewhereParts {
  readonly calls: NodeCalls;
  /** This node. */
  readonly node: { readonly id: string; readonly name: string };
  /** Id of the node that conducts, as far as is known here. */
  readonly conductor: () => string | undefined;
  /** Whether the database is away, by which nodes know of each other. */
  readonly isAway: () => boolean;
  /** While this node conducts and its jobs are armed: aborted when it ceases to. */
  readonly tenure: () => AbortSignal | undefined;
}

/** Of an answer's headers: what kind of Reply it is. */
export const KIND = 'tsched-kind';
/** Of a request's headers: the name of the node that passes it on. */
export const VIA = 'tsched-via';

/** Seconds after which it is worth while to ask again. */
const AGAIN = 2;

export function elsewhere({ calls, node, conductor, isAway, tenure }: ElsewhereParts): Elsewhere {
  return {
    tenure,
    forward(request, signal) {
      if (tenure()?.aborted === false) return undefined;
      const to = conductor();
      if (isAway()) return Promise.reject(noConductor(AWAY, 'what runs goes on; ask again when it is back'));
      if (to === undefined) return Promise.reject(noConductor('no node conducts at the moment'));
      if (to === node.id) return Promise.reject(noConductor('this node is about to conduct'));
      const passed = { ...request, headers: { ...request.headers, [VIA]: node.name } };
      return calls.request(to, passed, signal).then(replyOf, refused(request.method));
    },
  };
}

const AWAY = 'the database of the cluster cannot be reached, and without it no node conducts';

/** Nobody can answer now; soon somebody will. */
export function noConductor(
  why: string,
  hint = 'ask again in a few seconds; tsched nodes shows who is there',
): HttpProblem {
  return new HttpProblem('no_conductor', why, { hint, headers: { 'retry-after': `${AGAIN}` } });
}

/** Why a request that was given to somebody came to no answer. */
export function cutOff(why: string, method: string): HttpProblem {
  return method === 'GET' || method === 'HEAD'
    ? noConductor(why)
    : noConductor(`${why}; whether it did what was asked is not known`, 'look before you ask for it again');
}

function refused(method: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof NodeUnanswered)) throw error;
    if (error.reason === 'busy') throw new HttpProblem('busy', error.message, { hint: 'try again later' });
    throw error.mayBeDone ? cutOff(error.message, method) : noConductor(error.message);
  };
}

function replyOf(answer: NodeAnswer): Reply {
  const { [KIND]: kind, 'content-length': length, ...headers } = answer.headers;
  if (kind === 'events') return { kind: 'events', run: (stream) => tell(answer, stream) };
  return {
    kind: 'bytes',
    status: answer.status,
    headers,
    length: Number(length),
    bytes: readable(answer),
    close: () => Promise.resolve(answer.close()),
  };
}

async function* readable({ body }: NodeAnswer): AsyncIterable<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    refused('GET')(error);
  }
}

/** What `serveForwarded` made of events. Where it breaks off the stream just ends: whoever listens comes back and goes on. */
async function tell(answer: NodeAnswer, stream: EventStream): Promise<void> {
  try {
    for await (const line of lines(answer.body)) {
      stream.send(JSON.parse(line) as Parameters<EventStream['send']>[0]);
      await stream.drained();
    }
  } catch (error) {
    if (!(error instanceof NodeUnanswered)) throw error;
  }
}

async function* lines(body: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  let begun: Uint8Array[] = [];
  for await (const piece of body) {
    let from = 0;
    for (let at = piece.indexOf(10); at !== -1; at = piece.indexOf(10, from)) {
      yield Buffer.concat([...begun, piece.subarray(from, at)]).toString('utf8');
      begun = [];
      from = at + 1;
    }
    if (from < piece.length) begun.push(piece.subarray(from));
  }
}
