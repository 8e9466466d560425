/** A node of a cluster as such: what it answers itself, whether or not it conducts. */
import type { ClusterOperator } from '../engine/ports-cluster.ts';
import type { Readiness } from '../engine/ports-figures.ts';
import type { NodeOperator, Operator, StopWish } from '../engine/ports-operator.ts';
import type { Duration } from '../model.ts';

export interface NodeParts {
  readonly cluster: ClusterOperator;
  /** How it stands with the others; see Membership. */
  readonly membership: {
    /** Id of the node that conducts, as of the last beat. */
    readonly conductor: string | undefined;
    /** How long it has had the database without a gap; 0: it is away. */
    readonly contactFor: Duration;
  };
  /** While it conducts. */
  readonly operator: () => Operator | undefined;
  readonly stopping: () => boolean;
  readonly stop: (wish: StopWish) => Promise<void>;
  /** Tells the log. */
  readonly say: (message: string) => void;
}

export class Node implements NodeOperator {
  readonly cluster: ClusterOperator;
  readonly #parts: NodeParts;

  constructor(parts: NodeParts) {
    this.cluster = parts.cluster;
    this.#parts = parts;
  }

  /** Whether it does its part: has the others, by way of the database, and one of them, or itself, that decides. */
  readiness(): Readiness {
    const { membership, operator, stopping } = this.#parts;
    const own = stopping() ? ['tsched is stopping'] : [];
    const away = membership.contactFor === 0 ? ['the database of the cluster cannot be reached'] : [];
    // What is known of the others is old while the database is away.
    const alone = away.length === 0 && membership.conductor === undefined ? ['no node conducts'] : [];
    const deciding = operator()?.readiness().problems ?? [];
    const problems = [...new Set([...own, ...away, ...alone, ...deciding])];
    return { ready: problems.length === 0, problems };
  }

  stop({ now, drain, by }: StopWish & { readonly by: string }): void {
    const how = now ? ' now' : drain ? ' when all runs have ended' : '';
    this.#parts.say(`${by} asks to stop${how}`);
    void this.#parts.stop({ now, drain });
  }
}
