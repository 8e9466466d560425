/** Requests from one node of a cluster to another: what those who ask and those who answer agree on, however they travel. */

/** What one node asks of another. Who asks was found out, and checked, where the request came in. */
export interface NodeRequest {
  readonly method: string;
  /** A path, with its query; as it came. */
  readonly target: string;
  /** By name in small letters; only those that mean something. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** Who asks, for the log. */
  readonly by: string;
  /** What they may do. */
  readonly scope: string;
}

/** What a node answers with. */
export interface NodeReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Read no faster than the asker reads. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
  /** Called once, when no more of it is read. */
  close?(): Promise<void>;
}

/** An answer on its way. */
export interface NodeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Once. @throws NodeUnanswered when it breaks off */
  readonly body: AsyncIterable<Uint8Array>;
  /** Says that no more is wanted: to be called by whoever does not read the body to its end. */
  close(): void;
}

/** Answers requests of other nodes. `signal`: the asker has gone, or gave up. What it throws is a mistake of ours. */
export type NodeHandler = (
  request: NodeRequest & { /** Id of the node that asks. */ readonly from: string },
  signal: AbortSignal,
) => Promise<NodeReply>;

export interface NodeCalls {
  /**
   * Asks the node of that id. It is done there once or not at all.
   * @throws NodeUnanswered
   */
  request(node: string, request: NodeRequest, signal: AbortSignal): Promise<NodeAnswer>;
}

/**
 * `unknown`: there is no such node. `silent`: it has not been heard of for a while, or stopped. `deaf`: it lives and takes no requests. `cut`: the
 * answer broke off, because it ended or was restarted. `away`: the database cannot be reached. `broken`: it made a mistake. `busy`: too much
 * is being asked already. `given_up`: by whoever asked.
 */
export type NoAnswer = 'unknown' | 'silent' | 'deaf' | 'cut' | 'away' | 'broken' | 'busy' | 'given_up';

/** Another node did not answer. */
export class NodeUnanswered extends Error {
  override readonly name = 'NodeUnanswered';
  readonly reason: NoAnswer;
  /** Whether what was asked may have been done all the same. */
  readonly mayBeDone: boolean;

  constructor(reason: NoAnswer, message: string, { mayBeDone }: { readonly mayBeDone: boolean }) {
    super(message);
    this.reason = reason;
    this.mayBeDone = mayBeDone;
  }
}
