/** A node's own copy of the job file: what becomes of it, and who hears of that. What is decided is decided in file-rule.ts. */
import type { PublishRequest, Published } from '../engine/ports-cluster.ts';
import type { Clock } from '../engine/ports.ts';
import type { Answer } from '../engine/ports-operator.ts';
import type { Duration } from '../model.ts';
import { DatabaseAway } from '../postgres/database.ts';
import { decideFile, type FileDecision } from './file-rule.ts';
import { hashOf, type FileEdition, type JobFiles } from './files.ts';

/** As it is on the disk. */
export interface OwnCopy {
  readonly given: Pick<PublishRequest, 'documents' | 'directory' | 'timezone'>;
  /** Path of the job file, for messages. */
  readonly path: string;
  /** How many errors it has. */
  readonly errors: number;
}

export interface OwnFileParts {
  readonly files: Pick<JobFiles, 'newest' | 'seen' | 'saw'>;
  readonly node: { readonly id: string; readonly name: string };
  readonly clock: Clock;
  /** Reads it; undefined: there is none. */
  readonly read: () => Promise<OwnCopy | undefined>;
  readonly conducts: () => boolean;
  /** Has the conductor, be it this node or another, publish it. */
  readonly publish: (request: PublishRequest) => Promise<Answer<Published>>;
  readonly log: { write(level: 'notice' | 'warning' | 'error', message: string): void };
}

/**
 * `start`: of the daemon, or of its conductorship; `changed`: something happened on its disk; `asked`: a person did; `published`: another
 * version is in force, which is no reason to publish what nobody asked to be looked at.
 */
export type FileCause = 'start' | 'changed' | 'asked' | 'published';

const AGAIN: Duration = 2000;

export class OwnFile {
  readonly #parts: OwnFileParts;
  #last: Promise<unknown> = Promise.resolve();
  /** What was said last: at each look the same is not worth a word. */
  #said = '';
  #callOff: (() => void) | undefined;
  #isClosed = false;

  constructor(parts: OwnFileParts) {
    this.#parts = parts;
  }

  /**
   * Looks at the copy and does with it what the rule says. While the database is away, or nobody conducts, it is tried again. One after
   * another. Undefined: not yet.
   */
  settle(cause: FileCause, by = `node ${this.#parts.node.name}`): Promise<FileDecision | undefined> {
    const result = this.#last.then(() => this.#settle(cause, by));
    this.#last = result.catch(() => undefined);
    return result;
  }

  close(): void {
    this.#isClosed = true;
    this.#callOff?.();
  }

  async #settle(cause: FileCause, by: string): Promise<FileDecision | undefined> {
    this.#callOff?.();
    if (this.#isClosed) return undefined;
    try {
      return await this.#apply(cause, by);
    } catch (error) {
      // Whoever asked may wait for no answer, and no copy is worth the daemon.
      if (!(error instanceof DatabaseAway))
        this.#once('error', `this node's copy of the job file cannot be looked after: ${String(error)}`);
      return this.#later(cause, by);
    }
  }

  async #apply(cause: FileCause, by: string): Promise<FileDecision | undefined> {
    const { files, node, read, conducts } = this.#parts;
    const own = await read();
    const hash = own && hashOf(own.given.documents);
    const newest = await files.newest();
    const decision = decideFile({
      newest: newest?.hash,
      copy: own && { hash: hash ?? '', isGood: own.errors === 0 },
      seen: await files.seen(node.id),
      conducts: conducts(),
      asked: cause === 'asked',
    });
    if (decision.kind === 'publish' && cause === 'published') return decision;
    if (decision.kind === 'publish' && own !== undefined) {
      const isOver = await this.#publish(own, { decision, by });
      await files.saw(node.id, hash, isOver === true);
      return isOver === undefined ? this.#later(cause, by) : decision;
    }
    this.#say(decision, own, newest);
    await files.saw(node.id, hash, decision.kind === 'follow' && decision.reason !== 'broken');
    return decision;
  }

  /** Whether it is published; undefined: it cannot be now. */
  async #publish(
    { given, path }: OwnCopy,
    { decision, by }: { readonly decision: FileDecision & { readonly kind: 'publish' }; readonly by: string },
  ): Promise<boolean | undefined> {
    const { publish, log } = this.#parts;
    const answer = await publish({ ...given, by });
    if (answer.ok) {
      this.#said = '';
      const { version, changed } = answer.value;
      if (changed)
        log.write('notice', `${path} is version ${version} of the job file: ${WHY[decision.reason]}`);
      return true;
    }
    const { refused, message, hint } = answer.refusal;
    if (PASSING.has(refused)) return undefined;
    const rest = hint === undefined ? '' : `; ${hint}`;
    this.#once('error', `${path} is not published: ${message}${rest}`);
    return false;
  }

  #say(decision: FileDecision, own: OwnCopy | undefined, newest: FileEdition | undefined): void {
    const path = own?.path ?? '';
    if (decision.reason === 'differs' && newest !== undefined) {
      const { version, by } = newest;
      const what = `${path} differs from version ${version} of the job file (published by ${by}), which is in force`;
      this.#once('warning', `${what}; to put this one in its place: tsched publish ${path}`);
    } else if (decision.reason === 'broken') {
      const rest = newest === undefined ? 'nothing runs' : `version ${newest.version} stays in force`;
      this.#once(
        'error',
        `${path} has errors and is not published, ${rest}; tsched validate ${path} shows them`,
      );
    } else if (decision.kind === 'wait' && decision.reason === 'no_copy') {
      this.#once(
        'warning',
        'no job file was published, and this node has none, so nothing runs; publish one: tsched publish FILE',
      );
    } else {
      this.#said = '';
    }
  }

  #once(level: 'warning' | 'error', message: string): void {
    if (message !== this.#said) this.#parts.log.write(level, message);
    this.#said = message;
  }

  #later(cause: FileCause, by: string): undefined {
    this.#callOff?.();
    if (!this.#isClosed) this.#callOff = this.#parts.clock.after(AGAIN, () => void this.settle(cause, by));
  }
}

/** Why it is published. */
const WHY: Readonly<Record<(FileDecision & { readonly kind: 'publish' })['reason'], string>> = {
  first: 'there was none before',
  edited: 'it was edited',
  asked: 'a person asked for it',
};

/** Refusals that say nothing against the file. */
const PASSING: ReadonlySet<string> = new Set(['cluster_away', 'stopping']);
