/** The statements of calls. Each can be asked again when nobody knows whether it was done: it does nothing twice. */
import type { NodeRequest } from '../engine/ports-calls.ts';
import type { Duration } from '../model.ts';
import type { Database } from '../postgres/database.ts';

/** What a node is told about its calls: `NODE` (there are new ones), `NODE gone CALL`, `NODE read CALL SEQ` (all before that). */
const callChannel = (schema: string): string => `${schema}_call`;
/** The id of a call that has news. */
const answerChannel = (schema: string): string => `${schema}_answer`;

export interface CallRow {
  readonly id: string;
  readonly from_node: string;
  readonly request: Omit<NodeRequest, 'body'>;
  readonly body: Buffer | null;
}

export interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** There is no answer, or no more of it: its maker failed. */
  readonly broken?: boolean;
}

export interface AnswerRow {
  readonly seq: number;
  readonly head: Head | null;
  readonly chunk: Buffer | null;
  readonly last: boolean;
}

/** How a call is, and the node at its other end. */
export interface CallState {
  readonly id: string;
  /** It is neither over nor called off. */
  readonly open: boolean;
  readonly taken: boolean;
  /** The first chunk nobody has read. */
  readonly unread: number | null;
  readonly other: OtherNode;
}

export interface OtherNode {
  /** Null: there is no such node. */
  readonly name: string | null;
  readonly state: string | null;
  /** How long ago it was heard of. */
  readonly heard: Duration | null;
}

/** A node that was not heard of for so long is taken for dead. */
export const SILENCE: Duration = 15_000;
/** A call whose asker has said nothing for so long is swept away; askers say every two minutes that they are there. Seconds. */
const SWEPT = 600;

const HEARD = `(extract(epoch FROM clock_timestamp() - nodes.beat_at) * 1000)::bigint`;

export class CallTable {
  readonly #database: Database;
  readonly #node: string;

  /** @param node id of this node */
  constructor(database: Database, node: string) {
    this.#database = database;
    this.#node = node;
  }

  async listen(hearing: {
    readonly call: (payload: string) => void;
    readonly answer: (payload: string) => void;
    readonly again: () => void;
  }): Promise<void> {
    const { schema } = this.#database;
    await this.#database.listen(answerChannel(schema), hearing.answer, () => undefined);
    await this.#database.listen(callChannel(schema), hearing.call, hearing.again);
  }

  /** Ends what an earlier process of this node had to do with calls. */
  async forgetEarlier(): Promise<void> {
    await this.#database.query(
      `WITH gone AS (DELETE FROM calls WHERE from_node = $1 OR (to_node = $1 AND taken IS NOT NULL) RETURNING id)
       SELECT pg_notify($2, id::text) FROM gone`,
      [this.#node, answerChannel(this.#database.schema)],
    );
  }

  /** The node that is asked; the call is made only if that lives. */
  async ask(id: string, to: string, { body, ...request }: NodeRequest): Promise<OtherNode> {
    const [row] = await this.#database.query<OtherNode>(
      `WITH node AS (SELECT name, state, ${HEARD} AS heard FROM nodes WHERE id = $3),
       made AS (
         INSERT INTO calls (id, from_node, to_node, request, body)
         SELECT $1, $2, $3, $4, $5 FROM node WHERE heard < ${SILENCE} AND state <> 'stopped'
         ON CONFLICT (id) DO NOTHING RETURNING to_node)
       SELECT name, state, heard, (SELECT count(pg_notify($6, to_node::text)) FROM made) FROM node`,
      [id, this.#node, to, request, body ?? null, callChannel(this.#database.schema)],
    );
    return row ?? { name: null, state: null, heard: null };
  }

  /** Calls that nobody has taken yet, now taken under `token`, and those that were. */
  take(token: string, most: number): Promise<readonly CallRow[]> {
    return this.#database.query<CallRow>(
      `UPDATE calls SET taken = $2
       WHERE id IN (SELECT id FROM calls WHERE to_node = $1 AND (taken IS NULL OR taken = $2) ORDER BY at LIMIT $3)
       RETURNING id, from_node, request, body`,
      [this.#node, token, most],
    );
  }

  /** False: the call is over or was called off. */
  async answer(call: string, { seq, head, chunk, last }: AnswerRow): Promise<boolean> {
    const [row] = await this.#database.query<{ open: boolean }>(
      `WITH open AS (SELECT id FROM calls WHERE id = $1 FOR KEY SHARE),
       put AS (
         INSERT INTO answers (call, seq, head, chunk, last) SELECT id, $2, $3, $4, $5 FROM open
         ON CONFLICT DO NOTHING RETURNING call)
       SELECT EXISTS (SELECT FROM open) AS open, (SELECT count(pg_notify($6, call::text)) FROM put)`,
      [call, seq, head, chunk, last, answerChannel(this.#database.schema)],
    );
    return row?.open === true;
  }

  /** At most `most` chunks from `next` on; those before it were read, which is told to the node that answers. Undefined: the call is not there. */
  async read(
    call: string,
    { to, next, most }: { readonly to: string; readonly next: number; readonly most: number },
  ): Promise<readonly AnswerRow[] | undefined> {
    const rows = await this.#database.query<AnswerRow & { open: boolean }>(
      `WITH read AS (DELETE FROM answers WHERE call = $1 AND seq < $2 RETURNING seq)
       SELECT EXISTS (SELECT FROM calls WHERE id = $1) AS open, found.*, (SELECT count(pg_notify($4, $5)) FROM read)
       FROM (SELECT) AS one LEFT JOIN
         (SELECT seq, head, chunk, last FROM answers WHERE call = $1 AND seq >= $2 ORDER BY seq LIMIT $3) AS found ON true
       ORDER BY found.seq`,
      [call, next, most, callChannel(this.#database.schema), `${to} read ${call} ${next}`],
    );
    if (rows[0]?.open !== true) return undefined;
    // Of none there is one row without anything.
    return rows.filter((row) => (row.seq as number | null) !== null);
  }

  /** They are over, or nobody wants them any more. */
  async end(calls: readonly string[]): Promise<void> {
    await this.#database.query(
      `WITH gone AS (DELETE FROM calls WHERE id = ANY($1::uuid[]) RETURNING id, to_node)
       SELECT pg_notify($2, to_node || ' gone ' || id) FROM gone`,
      [calls, callChannel(this.#database.schema)],
    );
  }

  states(calls: readonly string[]): Promise<readonly CallState[]> {
    return this.#database
      .query<Omit<CallState, 'other'> & OtherNode>(
        `SELECT asked.id, calls.id IS NOT NULL AS open, calls.taken IS NOT NULL AS taken,
           (SELECT min(seq) FROM answers WHERE call = asked.id) AS unread, nodes.name, nodes.state, ${HEARD} AS heard
         FROM unnest($1::uuid[]) AS asked(id) LEFT JOIN calls ON calls.id = asked.id
         LEFT JOIN nodes ON nodes.id = CASE calls.from_node WHEN $2 THEN calls.to_node ELSE calls.from_node END`,
        [calls, this.#node],
      )
      .then((rows) =>
        rows.map(({ name, state, heard, ...row }) => ({ ...row, other: { name, state, heard } })),
      );
  }

  /** The asker is still there. */
  async touch(calls: readonly string[]): Promise<void> {
    await this.#database.run('UPDATE calls SET at = clock_timestamp() WHERE id = ANY($1::uuid[])', [calls]);
  }

  /** What nobody will ever end. */
  async sweep(): Promise<void> {
    await this.#database.run(
      `DELETE FROM calls WHERE at < clock_timestamp() - make_interval(secs => ${SWEPT})`,
    );
  }
}
