/** The API of a node of a cluster, whether or not it conducts. Part of the composition, beside cluster-app.ts. */
import type { AppOptions } from './app-options.ts';
import type { ClusterTerm } from './cluster-term.ts';
import type { Calls } from './cluster/calls.ts';
import type { Membership } from './cluster/membership.ts';
import type { ClusterOffice } from './cluster/office.ts';
import { isForOutputs, serveOutputs } from './cluster/outputs.ts';
import { NodeUnanswered } from './engine/ports-calls.ts';
import type { Published, PublishRequest } from './engine/ports-cluster.ts';
import type { DaemonFigures } from './engine/ports-figures.ts';
import type { OutputFiles } from './engine/ports-output.ts';
import type { Answer, FeedEntry, StopWish } from './engine/ports-operator.ts';
import type { Clock } from './engine/ports.ts';
import { elsewhere, type Elsewhere } from './http/elsewhere.ts';
import type { JobId } from './model.ts';
import type { Log } from './observe/log.ts';
import { Node } from './operator/node.ts';
import { Serving } from './serving.ts';
import type { DaemonFile } from './store/daemon-file.ts';
import { statePaths } from './store/state-directory.ts';

export interface NodeServingParts {
  readonly options: AppOptions;
  readonly clock: Clock;
  readonly log: Log;
  readonly daemonFile: DaemonFile;
  readonly membership: Membership;
  readonly calls: Calls;
  readonly office: ClusterOffice;
  /** What runs printed here. */
  readonly local: OutputFiles;
  /** While this node conducts. */
  readonly term: () => ClusterTerm | undefined;
  readonly isStopping: () => boolean;
  readonly stop: (wish: StopWish) => Promise<void>;
  readonly onBug: (error: unknown) => void;
  /** As `Serving` has it. */
  readonly reclaim: () => void;
}

export class NodeServing {
  readonly #parts: NodeServingParts;
  readonly #elsewhere: Elsewhere;
  readonly #serving: Serving;
  readonly #listeners: ((entry: FeedEntry) => void)[] = [];
  #opening: Promise<void> | undefined;

  constructor(parts: NodeServingParts) {
    this.#parts = parts;
    const { clock, log, membership, calls, office, options } = parts;
    this.#elsewhere = elsewhere({
      calls,
      node: membership.node,
      conductor: () => membership.conductor,
      isAway: () => membership.isAway,
      tenure: () => parts.term()?.tenure,
    });
    const operator = () => parts.term()?.operator;
    this.#serving = new Serving({
      node: new Node({
        cluster: office,
        membership,
        operator,
        stopping: parts.isStopping,
        stop: parts.stop,
        say: (message) => log.write('notice', message),
      }),
      operator,
      elsewhere: this.#elsewhere,
      figures: {
        cluster: office,
        standing: () => operator()?.standing() ?? [],
        pools: () => operator()?.pools() ?? [],
        figures: () => operator()?.figures() ?? this.#figures(),
      },
      hear: (listener) => {
        this.#listeners.push(listener);
        operator()?.feed.subscribeFromStart(listener);
      },
      onAnswering: (handler) => {
        const outputs = serveOutputs(parts.local);
        calls.serve((request, signal) =>
          isForOutputs(request.target) ? outputs(request, signal) : handler(request, signal),
        );
      },
      clock,
      version: options.version,
      tokens: statePaths(options.stateDirectory).tokens,
      log,
      reclaim: parts.reclaim,
      onOpen: (where) => parts.daemonFile.update(where),
    });
  }

  async open(): Promise<void> {
    const { serve } = this.#parts.options;
    if (serve === undefined) return;
    this.#opening = this.#serving.open(serve);
    await this.#opening;
  }

  /** This node conducts from now on. */
  conducting(term: ClusterTerm): void {
    const { operator, tenure } = term;
    if (operator === undefined) return;
    for (const listener of this.#listeners) operator.feed.subscribeFromStart(listener);
    // What is known of jobs is another node's to tell then.
    tenure?.addEventListener('abort', () => {
      const removed: readonly JobId[] = Array.from(operator.standing(), ({ jobId }) => jobId);
      const event = { kind: 'jobs_applied', added: [], changed: [], removed, unchanged: 0 } as const;
      for (const listener of this.#listeners) listener({ id: '', at: this.#parts.clock.now(), event });
    });
  }

  /** Has the node that conducts, which is another, publish a job file. */
  async publish({ documents, directory, timezone, by }: PublishRequest): Promise<Answer<Published>> {
    const { calls, membership } = this.#parts;
    const to = membership.conductor;
    if (to === undefined || to === membership.node.id) return { ok: false, refusal: NOBODY };
    try {
      const answer = await calls.request(
        to,
        {
          method: 'PUT',
          target: '/api/v1/file',
          headers: { 'content-type': 'application/json' },
          body: Buffer.from(JSON.stringify({ documents, directory, timezone })),
          by,
          scope: 'admin',
        },
        AbortSignal.timeout(60_000),
      );
      const text = await textOf(answer.body);
      if (answer.status < 300) return { ok: true, value: JSON.parse(text) as Published };
      const { code, detail, hint } = JSON.parse(text) as ToldProblem;
      const refused = code === 'bad_file' ? 'bad_file' : 'cluster_away';
      return { ok: false, refusal: { refused, message: detail ?? code, ...(hint && { hint }) } };
    } catch (error) {
      if (!(error instanceof NodeUnanswered)) throw error;
      return { ok: false, refusal: { ...NOBODY, message: error.message } };
    }
  }

  look(): void {
    this.#serving.look();
  }

  async close(): Promise<void> {
    await this.#opening;
    await this.#serving.close();
  }

  #figures(): DaemonFigures {
    const { daemonFile, log } = this.#parts;
    const { version, startedAt, loadedAt } = daemonFile.info;
    return {
      version,
      startedAt,
      loadedAt,
      fileIsGood: true,
      reloads: { applied: 0, unchanged: 0, refused: 0 },
      storeIsWell: this.#parts.membership.contactFor > 0,
      storeSize: undefined,
      logDropped: log.dropped,
      watchdogPings: 0,
    };
  }
}

interface ToldProblem {
  readonly code: string;
  readonly detail?: string;
  readonly hint?: string;
}

const NOBODY = {
  refused: 'cluster_away',
  message: 'no node conducts at the moment',
  hint: 'ask again in a few seconds',
} as const;

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
