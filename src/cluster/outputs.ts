/** The output of runs where it is: on the node that had the attempt, which keeps it. */
import { NodeUnanswered, type NodeCalls, type NodeHandler, type NodeReply } from '../engine/ports-calls.ts';
import type { NodeView } from '../engine/ports-cluster.ts';
import type { OpenOutput, OutputPiece, OutputPlace } from '../engine/ports-operator.ts';
import { OutputElsewhere, type OutputFiles, type Watch } from '../engine/ports-output.ts';
import type { Clock } from '../engine/ports.ts';
import type { Duration, RunId, RunRecord } from '../model.ts';

export interface OutputsParts {
  /** Of this node. */
  readonly local: OutputFiles;
  /** Of tasks/output-files.ts. */
  readonly follow: Follow;
  readonly calls: NodeCalls;
  /** Name of this node. */
  readonly node: string;
  /** The run of that id, or the part of one. */
  readonly find: (runId: RunId) => Promise<Pick<RunRecord, 'attempts'> | undefined>;
  /** The node of that name, as it was last heard of. */
  readonly nodeNamed: (name: string) => Promise<Pick<NodeView, 'id' | 'state' | 'heardAgo'> | undefined>;
  readonly clock: Clock;
}

type Follow = (
  from: OutputPlace,
  following: Watch & {
    readonly clock: Clock;
    readonly interval: () => Duration;
    readonly open: (attempt: number) => Promise<OpenOutput | undefined>;
  },
) => AsyncIterable<OutputPiece>;

/** Between two looks at output that grows, here and on another node. */
const HERE: Duration = 250;
const THERE: Duration = 1000;
/** Until another node must have begun to answer. */
const PATIENCE: Duration = 10_000;

const SIZE = 'tsched-size';
const TARGET =
  /^\/node\/output\/(?<run>[0-9a-f\-]{36}(?:\.\d{1,6})?)\/(?<attempt>\d{1,7})(?:\?start=(?<start>\d{1,15})&end=(?<end>\d{1,15}))?$/v;

/** Requests between nodes that `serveOutputs` answers. */
export function isForOutputs(target: string): boolean {
  return target.startsWith('/node/output/');
}

/** Answers other nodes from what this one keeps: how much there is, or a range of it. */
export function serveOutputs(local: OutputFiles): NodeHandler {
  return async ({ target }) => {
    const { run = '', attempt, start, end } = TARGET.exec(target)?.groups ?? {};
    const output = await local.open(run, Number(attempt ?? 0));
    if (output === undefined) return reply(404, 0);
    if (start !== undefined && end !== undefined) {
      const { size } = output;
      const body = output.read(Number(start), Math.min(Number(end), size));
      return { ...reply(200, size), body, close: () => output.close() };
    }
    await output.close();
    return reply(200, output.size);
  };
}

function reply(status: number, size: number): NodeReply {
  return { status, headers: { [SIZE]: `${size}` }, body: new Uint8Array() };
}

export class ClusterOutputs implements OutputFiles {
  readonly #parts: OutputsParts;

  constructor(parts: OutputsParts) {
    this.#parts = parts;
  }

  async open(runId: RunId, attempt: number): Promise<OpenOutput | undefined> {
    const name = await this.#nodeOf(runId, attempt);
    return name === undefined
      ? this.#parts.local.open(runId, attempt)
      : this.#openThere(name, { runId, attempt });
  }

  follow(runId: RunId, from: OutputPlace, watch: Watch): AsyncIterable<OutputPiece> {
    const { follow, clock, local } = this.#parts;
    let interval = HERE;
    return follow(from, {
      ...watch,
      clock,
      interval: () => interval,
      open: async (attempt) => {
        const name = await this.#nodeOf(runId, attempt);
        interval = name === undefined ? HERE : THERE;
        if (name === undefined) return local.open(runId, attempt);
        return this.#openThere(name, { runId, attempt, signal: watch.signal });
      },
    });
  }

  /** The name of the other node that had an attempt. Undefined: this one, or nobody has begun it. */
  async #nodeOf(runId: RunId, attempt: number): Promise<string | undefined> {
    const run = await this.#parts.find(runId);
    const node = run?.attempts.find(({ number }) => number === attempt)?.node;
    return node === this.#parts.node ? undefined : node;
  }

  async #openThere(
    name: string,
    { runId, attempt, signal }: { runId: RunId; attempt: number; signal?: AbortSignal },
  ): Promise<OpenOutput | undefined> {
    const id = await this.#idOf(name);
    const wanted = new AbortController();
    const give = (): void => wanted.abort();
    signal?.addEventListener('abort', give);
    const close = (): Promise<void> => {
      signal?.removeEventListener('abort', give);
      give();
      return Promise.resolve();
    };
    const ask = (range = '') =>
      this.#ask({ id, name, target: `/node/output/${runId}/${attempt}${range}`, signal: wanted.signal });
    try {
      const answer = await ask();
      const { status, headers } = answer;
      answer.close();
      if (status !== 200) return (await close(), undefined);
      const read = (start: number, end: number) => bytesOf(name, () => ask(`?start=${start}&end=${end}`));
      return { attempt, size: Number(headers[SIZE]), read, close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** @throws OutputElsewhere */
  async #idOf(name: string): Promise<string> {
    const { nodeNamed, clock } = this.#parts;
    const node = await nodeNamed(name);
    if (node === undefined) throw new OutputElsewhere(`it is on node ${name}, which is not known any more`);
    if (node.state === 'stopped') throw new OutputElsewhere(`it is on node ${name}, which was stopped`);
    if (node.state !== 'silent') return node.id;
    const since = new Date(clock.now() - node.heardAgo).toISOString().replace(/\.\d+/v, '');
    throw new OutputElsewhere(`it is on node ${name}, which has not been heard of since ${since}`);
  }

  /** @throws OutputElsewhere when it has not begun to answer in time */
  async #ask({
    id,
    name,
    target,
    signal,
  }: {
    id: string;
    name: string;
    target: string;
    signal: AbortSignal;
  }) {
    const { calls, clock, node } = this.#parts;
    const late = new AbortController();
    const callOff = clock.after(PATIENCE, () => late.abort());
    const request = { method: 'GET', target, headers: {}, by: `node ${node}`, scope: 'read' };
    try {
      return await calls.request(id, request, AbortSignal.any([signal, late.signal]));
    } catch (error) {
      throw late.signal.aborted
        ? new OutputElsewhere(`it is on node ${name}, which did not answer within ${PATIENCE / 1000} s`)
        : elsewhere(name, error);
    } finally {
      callOff();
    }
  }
}

async function* bytesOf(
  name: string,
  ask: () => Promise<{ readonly body: AsyncIterable<Uint8Array> }>,
): AsyncIterable<Uint8Array> {
  const { body } = await ask();
  try {
    yield* body;
  } catch (error) {
    throw elsewhere(name, error);
  }
}

function elsewhere(name: string, error: unknown): unknown {
  return error instanceof NodeUnanswered
    ? new OutputElsewhere(`it is on node ${name}, which cannot be asked: ${error.message}`)
    : error;
}
