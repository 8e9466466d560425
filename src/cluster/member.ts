/** What a node's place in the cluster is to the rest of it. */
import type { NodeView } from '../engine/ports-cluster.ts';
import type { Duration, Instant } from '../model.ts';

/** By which a node conducts. */
export interface Term {
  readonly number: number;
  /** Since when there has been a node without a break: taking over is no start. */
  readonly upSince: Instant;
}

export interface Membership {
  readonly node: { readonly id: string; readonly name: string };
  /**
   * The first beat.
   * @throws NodeRefused when another live node has the name, or another process is this node; DatabaseAway
   */
  start(): Promise<void>;
  /** While it conducts, and may trust that it does. */
  readonly term: number | undefined;
  /** Called when it begins to conduct, and when it has to stop at once. */
  onTerm(change: (term: Term | undefined) => void): void;
  /** As of the last beat. */
  nodes(): readonly NodeView[];
  /** Id of the node that conducts, as of the last beat; undefined once it has not been heard of for as long as a lease lasts. */
  readonly conductor: string | undefined;
  /** The number of the term that runs, or of the last one, as of the last beat. */
  readonly lastTerm: number;
  /** Of the job file in force, as of the last beat. */
  readonly fileVersion: number | undefined;
  /** The database does not answer. */
  readonly isAway: boolean;
  /** How long it has had the database without a gap; 0 while it has it not. */
  readonly contactFor: Duration;
  /** Its clock minus the database's. */
  readonly skew: Duration;
  /** Says that it takes nothing new, or takes again, for reasons of its own: it is about to stop. */
  drain(on: boolean): void;
  /** Conducts no more for so long (default: for good); the term is given back at once. It goes on beating: what it runs goes on. */
  resign(pause?: Duration): Promise<void>;
  /** Beats at once: something changed that others should hear of. */
  beatNow(): void;
  /** Leaves: the term is given back at once. */
  close(): Promise<void>;
}
