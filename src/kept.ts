/** What the store keeps beside history and places. Instants are epoch milliseconds. */

/** A job that was added while the daemon ran, instead of in its job file. */
export interface AddedJob {
  /** A job file of this job alone, as config/documents.ts makes it. */
  readonly document: string;
  /** What relative paths in it are relative to. */
  readonly directory: string;
  readonly addedAt: number;
}

/** A request that whoever asked gave a key, so that the same again begins no second run. */
export interface KeyedRequest {
  readonly key: string;
  /** Stands for what was asked for: another wish under the same key is a mistake. */
  readonly what: string;
  /** That was begun for it. */
  readonly runId: string;
  readonly at: number;
}
