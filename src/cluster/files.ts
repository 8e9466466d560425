/** The versions of the job file in the store: the newest is in force on every node, whatever copies they have. */
import { createHash } from 'node:crypto';
import type { PublishRequest } from '../engine/ports-cluster.ts';
import type { Clock } from '../engine/ports.ts';
import type { Instant } from '../model.ts';
import { json, type Database, type Queryable } from '../postgres/database.ts';

/** A version without its text. */
export interface FileEdition {
  /** Counts from 1. */
  readonly version: number;
  /** Of its documents, as `hashOf` gives it. */
  readonly hash: string;
  readonly directory: string;
  /** Of the machine it is from. */
  readonly timezone?: string;
  readonly by: string;
  /** Name of the node whose copy it was, or that was asked to publish it. */
  readonly node: string | null;
  readonly at: Instant;
}

export interface FileVersion extends FileEdition {
  readonly documents: PublishRequest['documents'];
}

export interface PublishWish<Refused> {
  /** Of the conductor that publishes: one whose term is over publishes nothing. */
  readonly term: number;
  /** Its name, or that of the node whose copy it is. */
  readonly node: string;
  /** What is wrong with it, before it counts; undefined: nothing. */
  readonly check: () => Promise<Refused | undefined>;
}

export type Publishing<Refused> =
  | { readonly kind: 'published' | 'unchanged'; readonly version: number }
  | { readonly kind: 'refused'; readonly why: Refused }
  /** Another node conducts by now. */
  | { readonly kind: 'deposed' };

/** Versions that are kept. */
const KEPT = 20;

const EDITION = 'version, hash, directory, timezone, "by", node, at';

/**
 * Of the content of a job file and its includes. Neither where it lies nor how the job file is called changes it: nodes may have the same
 * file in different places.
 */
export function hashOf(documents: PublishRequest['documents']): string {
  const hash = createHash('sha256');
  for (const [index, { path, text }] of documents.entries()) {
    hash.update(`${index === 0 ? '' : path}\0${text.length}\0`);
    hash.update(text);
  }
  return hash.digest('hex');
}

/** The table of versions. Every method may throw DatabaseAway, StatementRefused. */
export class JobFiles {
  readonly #database: Database;
  readonly #clock: Pick<Clock, 'now'>;
  #current: FileVersion | undefined;
  /** The version that was published by this very object last. */
  #own: number | undefined;

  constructor(database: Database, clock: Pick<Clock, 'now'>) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The version in force; undefined: none was ever published. */
  newest(): Promise<FileEdition | undefined> {
    return newestOf(this.#database);
  }

  /** The same with its text, which is fetched once. */
  async current(): Promise<FileVersion | undefined> {
    const newest = await this.newest();
    if (newest === undefined) return undefined;
    if (this.#current?.version === newest.version) return this.#current;
    // By its number: a newer one may be there by now, and is told of as well.
    const [row] = await this.#database.query<Pick<FileVersion, 'documents'>>(
      'select documents from files where version = $1',
      [newest.version],
    );
    if (row === undefined) return this.current();
    this.#current = { ...newest, ...row };
    return this.#current;
  }

  /** What `publish` would come to, were it good. */
  async following(
    request: PublishRequest,
  ): Promise<{ readonly kind: 'published' | 'unchanged'; readonly version: number }> {
    const newest = await this.newest();
    if (newest !== undefined && sameAs(request)(newest))
      return { kind: 'unchanged', version: newest.version };
    return { kind: 'published', version: (newest?.version ?? 0) + 1 };
  }

  /** Makes it the version in force, unless it is that already or something is wrong with it. */
  async publish<Refused>(
    request: PublishRequest,
    { term, node, check }: PublishWish<Refused>,
  ): Promise<Publishing<Refused>> {
    const { documents, directory, timezone = null, by } = request;
    const isSame = sameAs(request);
    const before = await this.newest();
    if (before !== undefined && isSame(before)) return { kind: 'unchanged', version: before.version };
    const why = await check();
    if (why !== undefined) return { kind: 'refused', why };
    return this.#transaction(async (tx) => {
      const conductor = await tx.query('select 1 from conductor where term = $1 for key share', [term]);
      if (conductor.length === 0) return { kind: 'deposed' };
      // Of two at once, the second sees the first.
      await tx.run('lock table files in share row exclusive mode');
      const newest = await newestOf(tx);
      if (newest !== undefined && isSame(newest)) return { kind: 'unchanged', version: newest.version };
      const version = (newest?.version ?? 0) + 1;
      this.#own = version;
      await tx.run(
        `insert into files (version, hash, documents, directory, timezone, "by", node, at) overriding system value
         values ($1, $2, $3, $4, $5, $6, $7, $8)`,
        [version, hashOf(documents), json(documents), directory, timezone, by, node, this.#clock.now()],
      );
      await tx.run('delete from files where version <= $1', [version - KEPT]);
      await this.#tell(tx, version);
      return { kind: 'published', version };
    });
  }

  /** What may not have been done after all is none of ours. */
  async #transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    try {
      return await this.#database.transaction(work);
    } catch (error) {
      this.#own = undefined;
      throw error;
    }
  }

  /** To those who watch, and (the empty one) to all nodes, so that they look at once. */
  async #tell(tx: Queryable, version: number): Promise<void> {
    await tx.query(
      `select pg_notify(current_schema() || '_nodes', 'file ' || $1::int), pg_notify(current_schema() || '_nodes', '')`,
      [version],
    );
  }

  /**
   * Calls whenever a newer version is in force than the last that was told, and now if it is newer than `known`; not of what was published
   * here, since who did that knows. `look` is to be called with what a beat heard, should a notification be lost.
   */
  async watch(
    known: number | undefined,
    onVersion: (version: number) => void,
  ): Promise<{ readonly look: (version: number | undefined) => void }> {
    let last = known ?? 0;
    const look = (version: number | undefined): void => {
      if (version === undefined || version <= last || version === this.#own) return;
      last = version;
      onVersion(version);
    };
    // Without the database nothing is to be known; the next beat tells.
    const again = (): void => void this.newest().then((edition) => look(edition?.version), ignore);
    await this.#database.listen(
      `${this.#database.schema}_nodes`,
      (payload) => {
        const version = /^file (\d+)$/.exec(payload)?.[1];
        if (version !== undefined) look(Number(version));
      },
      again,
    );
    again();
    return { look };
  }

  /** Hash of a node's copy when the rule was last applied to it. */
  async seen(node: string): Promise<string | undefined> {
    const [row] = await this.#database.query<{ readonly seen: string | null }>(
      'select file_seen_hash as seen from nodes where id = $1',
      [node],
    );
    return row?.seen ?? undefined;
  }

  /** Tells the others of a node's copy (undefined: it has none), and, where the rule was applied to it, remembers that. */
  async saw(node: string, hash: string | undefined, isSettled: boolean): Promise<void> {
    await this.#database.run(
      `update nodes set file_hash = $2, file_seen_hash = case when $3 then $2 else file_seen_hash end where id = $1`,
      [node, hash ?? null, isSettled],
    );
  }
}

function sameAs(request: PublishRequest): (edition: FileEdition) => boolean {
  const hash = hashOf(request.documents);
  const { directory, anyDirectory = false } = request;
  return (edition) => edition.hash === hash && (anyDirectory || edition.directory === directory);
}

async function newestOf(database: Queryable): Promise<FileEdition | undefined> {
  const [edition] = await database.query<FileEdition>(
    `select ${EDITION} from files order by version desc limit 1`,
  );
  return edition;
}

function ignore(): void {
  // The next beat tells.
}
