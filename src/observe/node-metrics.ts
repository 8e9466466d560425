/** The nodes of a cluster in figures. Every node tells of all of them, as of its own last beat: to ask costs the database nothing. */
import type { ClusterOperator, NodeView, QueuedView } from '../engine/ports-cluster.ts';
import type { Duration } from '../model.ts';

/** What metrics.ts makes. */
interface Series<Label extends string> {
  set(labels: Readonly<Record<Label, string>>, value: number): void;
  reset(): void;
}

export type MakeGauge = <const Label extends string>(
  name: string,
  help: string,
  labels: readonly Label[],
) => Series<Label>;

/** A node that has not been heard of for so long has no series any more. */
const GONE: Duration = 60 * 60_000;
/** Nodes, and requirements, with series of their own: those heard of last, and those with most waiting. */
const MOST = 200;

export class NodeMetrics {
  readonly #cluster: ClusterOperator;
  readonly #nodes;
  readonly #queued;

  constructor(cluster: ClusterOperator, gauge: MakeGauge) {
    this.#cluster = cluster;
    const node = ['node'] as const;
    this.#nodes = {
      up: gauge('tsched_node_up', 'Whether the node of the cluster has been heard of within 15 s', node),
      conducts: gauge('tsched_node_conducts', 'Whether it decides what runs', node),
      slots: gauge('tsched_node_slots', 'Attempts that it runs at once at most; none while it drains', node),
      busy: gauge('tsched_node_busy_slots', 'Attempts that it has', node),
      skew: gauge('tsched_node_clock_skew_seconds', "Its clock minus the database's", node),
    };
    const requirement = ['labels', 'module'] as const;
    this.#queued = {
      waiting: gauge(
        'tsched_queue_waiting',
        'Attempts that no node has begun, by what they need',
        requirement,
      ),
      oldest: gauge('tsched_queue_oldest_seconds', 'How long the oldest of them has waited', requirement),
    };
  }

  /** While the database is away nothing is known of others, so nothing is told. */
  async collect(): Promise<void> {
    const view = await this.#cluster.view();
    for (const series of [...Object.values(this.#nodes), ...Object.values(this.#queued)]) series.reset();
    if (!view.ok) return;
    const heard = view.value.nodes
      .filter(({ heardAgo }) => heardAgo < GONE)
      .sort((one, other) => one.heardAgo - other.heardAgo);
    for (const each of heard.slice(0, MOST)) this.#tellNode(each);
    for (const each of view.value.queued.slice(0, MOST)) this.#tellQueued(each);
  }

  #tellNode({ name, state, conducts, slots, busy, skew }: NodeView): void {
    const isThere = state === 'up' || state === 'draining';
    const series = this.#nodes;
    const node = { node: name };
    series.up.set(node, isThere ? 1 : 0);
    series.conducts.set(node, conducts ? 1 : 0);
    series.slots.set(node, state === 'up' ? slots : 0);
    series.busy.set(node, isThere ? busy : 0);
    if (isThere) series.skew.set(node, skew / 1000);
  }

  #tellQueued({ labels, module = '', count, oldest }: QueuedView): void {
    const requirement = { labels: labels.join(','), module };
    this.#queued.waiting.set(requirement, count);
    this.#queued.oldest.set(requirement, oldest / 1000);
  }
}
