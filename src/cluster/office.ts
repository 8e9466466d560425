/** Answers what may be asked of a cluster (engine/ports-cluster.ts), on any node: over what its beats hear, and the database. */
import type {
  ClusterOperator,
  ClusterView,
  FileCopy,
  FileInForce,
  NodeView,
  Published,
  PublishRequest,
  QueuedView,
} from '../engine/ports-cluster.ts';
import type { Answer, Refusal } from '../engine/ports-operator.ts';
import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';
import { DatabaseAway, type Database } from '../postgres/database.ts';
import { wishOf } from './beat.ts';
import { BEAT } from './lease.ts';
import type { Membership } from './membership.ts';

export interface OfficeParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly membership: Pick<
    Membership,
    'nodes' | 'conductor' | 'lastTerm' | 'fileVersion' | 'contactFor' | 'beatNow'
  >;
  readonly file: Pick<ClusterOperator, 'copy' | 'inForce' | 'publish'>;
  /** Tells the log who asked for what. */
  readonly say: (message: string) => void;
}

/** What is queued is counted at most so often, whoever asks. */
const SELDOM: Duration = 2000;
/** Who asks is not held up by a database that does not answer. */
const PATIENCE: Duration = 2000;
/** By then a node has beaten twice. */
const HEEDED: Duration = 2 * BEAT + 1000;
/** Requirements that are told of at most, those with most waiting first. */
const MOST_QUEUES = 100;

interface Counted {
  readonly at: Duration;
  readonly queued: Promise<readonly QueuedView[]>;
}

export class ClusterOffice implements ClusterOperator {
  readonly #parts: OfficeParts;
  readonly #wishes = new Map<string, { readonly drain: boolean; readonly until: Duration }>();
  #counted: Counted | undefined;

  constructor(parts: OfficeParts) {
    this.#parts = parts;
  }

  async view(): Promise<Answer<ClusterView>> {
    const { membership } = this.#parts;
    if (membership.contactFor === 0) return refuse(AWAY);
    try {
      const queued = await this.#queued();
      const { conductor, lastTerm: term, fileVersion } = membership;
      return { ok: true, value: { nodes: this.#nodes(), conductor, term, fileVersion, queued } };
    } catch (error) {
      if (error instanceof DatabaseAway) return refuse(AWAY);
      throw error;
    }
  }

  async drain(name: string, on: boolean, by: string): Promise<Answer<NodeView>> {
    const { database, clock, membership, say } = this.#parts;
    try {
      const id = await wishOf(database, name, on ? 'drain' : null);
      if (id === undefined) return refuse(unknownNode(name, membership.nodes()));
      say(on ? `${by} drains the node ${name}` : `${by} lets the node ${name} take again`);
      this.#wishes.set(id, { drain: on, until: clock.monotonic() + HEEDED });
      const node = this.#nodes().find((each) => each.id === id);
      return node === undefined ? refuse(justCome(name)) : { ok: true, value: node };
    } catch (error) {
      if (error instanceof DatabaseAway) return refuse(AWAY);
      throw error;
    }
  }

  copy(): Promise<Answer<FileCopy>> {
    return this.#parts.file.copy();
  }

  inForce(): Promise<Answer<FileInForce>> {
    return this.#parts.file.inForce();
  }

  publish(request: PublishRequest): Promise<Answer<Published>> {
    return this.#parts.file.publish(request);
  }

  /** A node heeds a wish at once, and is heard of with the next beat: until then it is told as it will be. */
  #nodes(): readonly NodeView[] {
    const now = this.#parts.clock.monotonic();
    for (const [id, { until }] of this.#wishes) if (until < now) this.#wishes.delete(id);
    return this.#parts.membership.nodes().map((node) => {
      const wish = this.#wishes.get(node.id);
      const isThere = node.state === 'up' || node.state === 'draining';
      return wish === undefined || !isThere ? node : withState(node, wish.drain ? 'draining' : 'up');
    });
  }

  #queued(): Promise<readonly QueuedView[]> {
    const now = this.#parts.clock.monotonic();
    if (this.#counted === undefined || now - this.#counted.at > SELDOM) {
      const queued = this.#within(PATIENCE, this.#count());
      this.#counted = { at: now, queued };
      // Who asks next tries anew.
      queued.catch(() => (this.#counted = undefined));
    }
    return this.#counted.queued;
  }

  /** @throws DatabaseAway when it takes longer */
  #within<T>(patience: Duration, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const callOff = this.#parts.clock.after(patience, () => reject(new DatabaseAway('it does not answer')));
      work.then(resolve, reject).finally(callOff);
    });
  }

  async #count(): Promise<readonly QueuedView[]> {
    const { database } = this.#parts;
    const queue = `"${database.schema}_queue".job`;
    const [table] = await database.query<{ readonly there: boolean }>(
      'select to_regclass($1) is not null as there',
      [queue],
    );
    if (table?.there !== true) return [];
    const rows = await database.query<QueuedRow>(
      `select q.labels, q.module, count(*)::int as count,
         (extract(epoch from clock_timestamp() - min(j.created_on)) * 1000)::float8 as oldest
       from queues q join ${queue} j on j.name = q.name and j.state < 'active'
       group by q.name order by count desc, q.name limit ${MOST_QUEUES}`,
    );
    return rows.map(queuedView);
  }
}

function withState(node: NodeView, state: NodeView['state']): NodeView {
  return { ...node, state };
}

type QueuedRow = Omit<QueuedView, 'module'> & { readonly module: string | null };

function queuedView({ module, oldest, ...row }: QueuedRow): QueuedView {
  const told = { ...row, oldest: Math.max(Math.round(oldest), 0) };
  return module === null ? told : { ...told, module };
}

const AWAY: Refusal = {
  refused: 'cluster_away',
  message: 'the database of the cluster cannot be reached',
  hint: 'try again when it is back; runs that have begun go on',
};

/** This node has not heard of it yet; that one hears of its wish nonetheless. */
function justCome(name: string): Refusal {
  return {
    refused: 'cluster_away',
    message: `the node ${name} has only just come`,
    hint: 'ask again in a moment',
  };
}

function unknownNode(name: string, nodes: readonly NodeView[]): Refusal {
  const names = nodes.map((node) => node.name);
  const known = names.length === 0 ? '' : `there are ${names.slice(0, 10).join(', ')}`;
  return { refused: 'unknown_node', message: `there is no node ${name}`, ...(known && { hint: known }) };
}

function refuse(refusal: Refusal): Answer<never> {
  return { ok: false, refusal };
}
