/** The statements by which a node lives in the database. Ages and instants are by the database's clock. */
import type { Instant, Json } from '../model.ts';
import type { Database, Queryable } from '../postgres/database.ts';
import { json } from '../postgres/values.ts';
import { SILENT } from './lease.ts';

/** What does not change while a node runs. */
export interface NodeFacts {
  readonly id: string;
  readonly name: string;
  /** Whether it may ever conduct. */
  readonly schedules: boolean;
  readonly labels: readonly string[];
  /** Attempts that it runs at once at most. */
  readonly slots: number;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAt: Instant;
}

/** A row of nodes. */
export interface NodeRow extends NodeFacts {
  readonly state: 'up' | 'draining' | 'stopped';
  readonly busy: number;
  readonly skew: number | null;
  /** Milliseconds since its last beat. */
  readonly ago: number;
  readonly fileHash: string | null;
  readonly document: Json;
}

/** Another node that has the name, or another process of this node, as it was heard of last. */
export interface Namesake {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly ago: number;
  readonly state: NodeRow['state'];
}

/** What a beat says. */
export interface Beat {
  readonly id: string;
  readonly state: NodeRow['state'];
  readonly busy: number;
  readonly skew: number;
  readonly document: Json;
}

/** What it hears. */
export interface Heard {
  /** The database's clock, somewhere in the middle of the beat. */
  readonly now: Instant;
  /** False: the node has no row any more. */
  readonly known: boolean;
  readonly wish: 'drain' | null;
  readonly term: number;
  readonly conductor: string | null;
  /** Since the conductor was heard of. */
  readonly conductorAgo: number;
  readonly fileVersion: number | null;
  readonly fileHash: string | null;
  readonly nodes: readonly NodeRow[];
  /** Where the queue has its tables; null: nobody has made them. */
  readonly queue: string | null;
  /** Queues that have something ready. */
  readonly ready: readonly string[];
}

/** Nodes that left in good order, or whose name another has by now, are told of for so long; those that fell silent until they are forgotten. */
const TOLD = "interval '1 hour'";
const FORGOTTEN = "interval '7 days'";
/** More than anybody looks at. */
const MOST_NODES = 1000;

const AGO = (since: string): string => `(extract(epoch from clock_timestamp() - ${since}) * 1000)::float8`;
/** Of all nodes; the payload is the one it is about, or nothing. */
const TELL = (about: string): string => `pg_notify(current_schema() || '_nodes', ${about})`;

/** `queue`: the schema of pg-boss, if it is there. */
function beatText(queue: string | null): string {
  const ready =
    queue === null
      ? `'{}'::text[]`
      : `array(select q.name from queues q where exists (
           select 1 from ${queue}.job j
           where j.name = q.name and j.state < 'active' and not j.blocked and j.start_after <= now()))`;
  return `
    with beat as (
      update nodes set state = $2, busy = $3, skew = $4, document = $5, beat_at = clock_timestamp()
      where id = $1 returning wish
    )
    select
      (extract(epoch from clock_timestamp()) * 1000)::float8 as now,
      exists (select 1 from beat) as known,
      (select wish from beat) as wish,
      c.term, c.node as conductor,
      ${AGO("coalesce((select n.beat_at from nodes n where n.id = c.node), c.since, 'epoch')")} as "conductorAgo",
      f.version as "fileVersion", f.hash as "fileHash",
      (select coalesce(jsonb_agg(jsonb_build_object(
          'id', n.id, 'name', n.name, 'state', n.state, 'schedules', n.schedules, 'labels', n.labels, 'slots', n.slots,
          'busy', n.busy, 'host', n.host, 'pid', n.pid, 'version', n.version, 'startedAt', n.started_at,
          'ago', ${AGO('n.beat_at')}, 'skew', n.skew, 'fileHash', n.file_hash, 'document', n.document)), '[]')
        from (select * from nodes
          where (state <> 'stopped' and not document ? 'replaced') or beat_at > clock_timestamp() - ${TOLD}
          order by beat_at desc limit ${MOST_NODES}) n) as nodes,
      case when to_regclass(quote_ident(current_schema() || '_queue') || '.job') is not null
        then quote_ident(current_schema() || '_queue') end as queue,
      ${ready} as ready
    from conductor c left join (select version, hash from files order by version desc limit 1) f on true`;
}

/** One beat, and all that a node wants to know every other second, in one statement. */
export async function beat(
  database: Database['urgent'],
  { id, state, busy, skew, document }: Beat,
  queue: string | null,
): Promise<Heard> {
  const values = [id, state, busy, skew, json(document)];
  const [heard] = await database.query<{ [K in keyof Heard]: Heard[K] }>(beatText(queue), values);
  if (heard === undefined) throw new Error('the table conductor has no row');
  return heard;
}

/**
 * Makes this process the node, in a transaction; gives since when it is, or who is in the way. `isAlive` says whether a
 * process of that node still has its session.
 */
export function register(
  database: Database,
  facts: NodeFacts,
  isAlive: (other: Namesake) => Promise<boolean>,
): Promise<{ readonly joinedAt: Instant } | { readonly taken: Namesake }> {
  const { id, name, schedules, labels, slots, host, pid, version, startedAt } = facts;
  return database.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock(hashtextextended(current_schema() || '.nodes', 0))");
    const others = await tx.query<Namesake & { readonly [key: string]: unknown }>(
      `select id, host, pid, state, ${AGO('beat_at')} as ago from nodes
       where (name = $2 and id <> $1) or (id = $1 and (host, pid, started_at) is distinct from ($3, $4, $5))`,
      [id, name, host, pid, startedAt],
    );
    for (const other of others) {
      if (other.state !== 'stopped' && other.ago < SILENT && (await isAlive(other))) return { taken: other };
      // It keeps its row, for what it may still be said to run; the name goes to who lives.
      if (other.id !== id)
        await tx.run(
          `update nodes set name = name || ' (' || left(id::text, 8) || ')', document = '{"replaced": true}' where id = $1`,
          [other.id],
        );
    }
    // Those that nobody has heard of since the cluster was down are declared lost first, with what they had.
    await tx.run(
      `delete from nodes n where id <> $1 and beat_at < clock_timestamp() - ${FORGOTTEN}
         and not exists (select 1 from held h where h.node = n.id)`,
      [id],
    );
    await tx.run('insert into conductor (term) select 0 where not exists (select 1 from conductor)');
    // What an earlier process of this node conducted, it conducted until its last beat.
    await tx.run(
      'update conductor set node = null, beat_at = (select n.beat_at from nodes n where n.id = $1) where node = $1',
      [id],
    );
    const [row] = await tx.query<{ readonly joined: number }>(
      `insert into nodes (id, name, state, schedules, labels, slots, busy, host, pid, version, started_at, beat_at)
       values ($1, $2, 'up', $3, $4, $5, 0, $6, $7, $8, $9, clock_timestamp())
       on conflict (id) do update set name = $2, state = 'up', schedules = $3, labels = $4, slots = $5, busy = 0,
         host = $6, pid = $7, version = $8, started_at = $9, beat_at = clock_timestamp()
       returning (extract(epoch from beat_at) * 1000)::float8 as joined`,
      [id, name, schedules, labels, slots, host, pid, version, startedAt],
    );
    return { joinedAt: row?.joined ?? 0 };
  });
}

export interface TakeOver {
  readonly id: string;
  /** The term that is over. */
  readonly term: number;
  /** Not from a conductor that was heard of within so long. */
  readonly unheard: number;
  /** Since when this process is the node. */
  readonly joinedAt: Instant;
}

/**
 * Begins the next term, if this is still the one before it: with a beat, since it may have waited for a transaction of the
 * last conductor, which the server ends when nothing is heard from it any more. `upSince`: since when there has been a node without a break, be it this
 * one, or one that beat just now.
 */
export async function takeOver(
  database: Database['urgent'],
  { id, term, unheard, joinedAt }: TakeOver,
): Promise<{ readonly number: number; readonly upSince: Instant } | undefined> {
  const [taken] = await database.query<{ readonly number: number; readonly upSince: number }>(
    `with taken as (
       update conductor c set
         term = c.term + 1, node = $1, since = clock_timestamp(), beat_at = clock_timestamp(),
         up_since = case
           when c.up_since is not null and (
             exists (select 1 from nodes n where n.id <> $1 and n.beat_at > clock_timestamp() - ${SILENT} * interval '1 ms')
             or to_timestamp($4::float8 / 1000) <= greatest(c.beat_at, (select n.beat_at from nodes n where n.id = c.node)))
           then c.up_since
           else (extract(epoch from clock_timestamp()) * 1000)::bigint end
       where c.term = $2 and (c.node is null or c.node = $1 or not exists (
         select 1 from nodes n where n.id = c.node and n.beat_at > clock_timestamp() - $3 * interval '1 ms'))
       returning c.term, c.up_since),
     beaten as (
       update nodes set beat_at = clock_timestamp() where id = $1 and exists (select 1 from taken) returning id)
     select term as number, up_since as "upSince", ${TELL("''")} from taken, beaten`,
    [id, term, unheard, joinedAt],
  );
  return taken && { number: taken.number, upSince: taken.upSince };
}

/** The next one need not wait for the lease to end. */
export async function giveBack(database: Queryable, id: string, term: number): Promise<void> {
  await database.query(
    `with given as (
       update conductor set node = null, beat_at = clock_timestamp() where node = $1 and term = $2 returning term)
     select ${TELL("''")} from given`,
    [id, term],
  );
}

/** In good order: it is not waited for, and its name is free. */
export async function leave(database: Queryable, id: string): Promise<void> {
  await database.query(
    `with gone as (
       update nodes set state = 'stopped', busy = 0, beat_at = clock_timestamp() where id = $1 returning id),
     given as (
       update conductor set node = null, beat_at = clock_timestamp() where node = $1 returning term)
     select ${TELL("''")}, (select count(*) from given) from gone`,
    [id],
  );
}

/** Says what a node is to do; it hears of it at once. Undefined: there is no such node. */
export async function wishOf(
  database: Queryable,
  name: string,
  wish: 'drain' | null,
): Promise<string | undefined> {
  const [node] = await database.query<{ readonly id: string }>(
    `with told as (
       update nodes set wish = $2
       where name = $1 and (state <> 'stopped' or beat_at > clock_timestamp() - ${TOLD}) returning id)
     select id, ${TELL('id::text')} from told`,
    [name, wish],
  );
  return node?.id;
}
