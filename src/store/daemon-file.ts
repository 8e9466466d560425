/**
 * What a daemon says of itself to those who ask while it runs, in a file beside its state. The file has its full size from the
 * start and is written over in place, so that on a full disk it can still say that the disk is full.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Away } from '../engine/ports-cluster.ts';
import type { Instant } from '../model.ts';

export interface DaemonInfo {
  readonly pid: number;
  /** Of the process, in clock ticks since the host's boot; absent where the system does not tell. */
  readonly startTime?: number;
  readonly startedAt: Instant;
  readonly version: string;
  /** Absolute path of the job file. */
  readonly file: string;
  readonly jobs: number;
  readonly loadedAt: Instant;
  /** Why what the job file holds now is not what runs. */
  readonly fileProblem?: { readonly since: Instant; readonly message: string } | undefined;
  readonly store: StoreState;
  /** Of a node of a cluster: the PostgreSQL database that has the history, without its password. */
  readonly database?: string | undefined;
  /** Of a node: that database does not answer. */
  readonly away?: Away | undefined;
  /** Where it can be talked to. */
  readonly socket?: string | undefined;
  readonly listen?: string | undefined;
}

export type StoreState =
  | { readonly kind: 'well' }
  /** `--ephemeral`: history is kept in memory alone. */
  | { readonly kind: 'memory' }
  | { readonly kind: 'degraded'; readonly since: Instant; readonly message: string; readonly hint?: string };

/** Bytes; whatever a message says, the file stays this size. */
const SIZE = 8192;
const LONGEST_MESSAGE = 1000;

export class DaemonFile {
  readonly #path: string;
  #descriptor: number;
  #info: DaemonInfo;

  /** Throws what the system says when the file cannot be made. */
  constructor(path: string, info: DaemonInfo) {
    this.#path = path;
    this.#descriptor = openSync(path, 'w+', 0o600);
    this.#info = info;
    this.update({});
  }

  get info(): DaemonInfo {
    return this.#info;
  }

  /** Makes the file anew, in place of one that was removed. Throws as the constructor does. */
  renew(): void {
    const descriptor = openSync(this.#path, 'w+', 0o600);
    closeSync(this.#descriptor);
    this.#descriptor = descriptor;
    this.update({});
  }

  /** Says something new. A disk that does not even take this is no reason to fail. */
  update(change: Partial<DaemonInfo>): void {
    this.#info = { ...this.#info, ...change };
    const text = JSON.stringify(this.#info, (_, value: unknown) =>
      typeof value === 'string' ? value.slice(0, LONGEST_MESSAGE) : value,
    );
    try {
      writeSync(this.#descriptor, Buffer.from(`${text}\n`.padStart(SIZE)), 0, SIZE, 0);
    } catch {
      return;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Where it is in a state directory. */
export function daemonFileIn(directory: string): string {
  return join(directory, 'daemon.json');
}

/** Undefined when there is none, or what is there says nothing. */
export function readDaemonFile(path: string): DaemonInfo | undefined {
  // It may just be written.
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as DaemonInfo;
    } catch (error) {
      if (!(error instanceof SyntaxError)) return undefined;
    }
  }
  return undefined;
}
