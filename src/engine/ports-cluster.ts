/** What may be asked of a daemon about the cluster it belongs to: a part of ports-operator.ts. */
import type { Duration, Instant } from '../model.ts';
import type { ReloadPlan } from './ports-reload.ts';
import type { Answer } from './refusal.ts';

/** `draining`: finishes what it has and takes nothing new; `stopped`: it left in good order; `silent`: not heard of for 15 s. */
export type NodeState = 'up' | 'draining' | 'stopped' | 'silent';

export const NODE_STATES: readonly NodeState[] = ['up', 'draining', 'stopped', 'silent'];

/** A daemon of a cluster, as the others know it. */
export interface NodeView {
  /** A UUID, the same after a restart. */
  readonly id: string;
  /** Unique among nodes that live. */
  readonly name: string;
  readonly state: NodeState;
  readonly conducts: boolean;
  /** Whether it may ever conduct; else it only works. */
  readonly schedules: boolean;
  readonly labels: readonly string[];
  /** Attempts that it runs at once at most. */
  readonly slots: number;
  /** Attempts that it has now. */
  readonly busy: number;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAt: Instant;
  /** By the database's clock. */
  readonly heardAgo: Duration;
  /** Its clock minus the database's. */
  readonly skew: Duration;
  /** Its own copy of the job file beside the version in force. */
  readonly file: 'same' | 'differs' | 'none';
  /** Module files that jobs need and it has not. */
  readonly lacks: readonly string[];
}

/** Attempts that nobody has begun, by what they need of a node. */
export interface QueuedView {
  readonly labels: readonly string[];
  readonly module?: string;
  readonly count: number;
  /** How long the oldest of them has been waiting. */
  readonly oldest: Duration;
}

export interface ClusterView {
  /** By name. */
  readonly nodes: readonly NodeView[];
  /** Id of the node that conducts; undefined while none does. */
  readonly conductor: string | undefined;
  /** Of the conductor, or of the last one: counts conductorships. */
  readonly term: number;
  /** Of the published job file that is in force. */
  readonly fileVersion: number | undefined;
  readonly queued: readonly QueuedView[];
}

/** A job file and what it includes, as they can be carried to other nodes. */
export interface FileCopy {
  /** The job file first. Paths as the publisher has them. */
  readonly documents: readonly { readonly path: string; readonly text: string }[];
  /** What relative paths in it are relative to; absolute. */
  readonly directory: string;
  /** Of the machine it is from: what jobs go by that name none. Absent: of the node that conducts. */
  readonly timezone?: string | undefined;
}

/** To be in force on every node. */
export interface PublishRequest extends FileCopy {
  readonly by: string;
  /** Only tell what that would change. */
  readonly dryRun?: boolean;
  /** The same text in another directory is nothing new: nobody asked for that directory. */
  readonly anyDirectory?: boolean;
}

export interface Published {
  /** Of the job file that is in force now; after a dry run, the one that it would be. */
  readonly version: number;
  /** False: this was in force already. What it names (env files) is read again all the same. */
  readonly changed: boolean;
  readonly plan: ReloadPlan;
}

/** A job file that was published. */
export interface FileInForce extends FileCopy {
  /** Counts from 1. */
  readonly version: number;
  readonly by: string;
  readonly at: Instant;
}

/** What may be asked of a cluster. */
export interface ClusterOperator {
  /** As of this node's last beat, and what is queued as of at most a moment before: cheap to ask. Refused while the database is away. */
  view(): Promise<Answer<ClusterView>>;
  /** Takes nothing new, or takes again. By its name. */
  drain(node: string, on: boolean, by: string): Promise<Answer<NodeView>>;
  /** Reads this node's own copy of the job file. Refused where it has none, or one with errors. */
  copy(): Promise<Answer<FileCopy>>;
  /** The published job file that is in force. */
  inForce(): Promise<Answer<FileInForce>>;
  publish(request: PublishRequest): Promise<Answer<Published>>;
}

/** The database does not answer. */
export interface Away {
  /** When it last did. */
  readonly since: Instant;
  readonly message: string;
}
