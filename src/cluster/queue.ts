/**
 * Attempts that wait for a node, in the tables of pg-boss: the only importer of it. An attempt's row is made once under its own id, is
 * taken by one node, and settled once: by that node, or by the conductor who gives it up. All statements run in the caller's transaction.
 */
import type { Db, JobInsert, PgBoss } from 'pg-boss';
import type { AttemptSpec, Clock } from '../engine/ports.ts';
import { DatabaseAway, DatabaseUnfit, type Database, type Queryable } from '../postgres/database.ts';
import { loadPeer } from '../postgres/peers.ts';
import { partsOfId } from '../shard.ts';

export interface Waiting {
  /** Of the attempt. */
  readonly id: string;
  readonly spec: AttemptSpec;
}

/** An attempt by the one who took it. */
export interface Claim {
  readonly id: string;
  /** How often it had been taken before: what settles it names the taking. */
  readonly tries: number;
}

export interface Taken extends Waiting, Claim {}

export interface Queue {
  /** Its table, for joins: `name` (of the queue), `id`, `state` (below 'active': nobody has taken it), `data` (for `specOf`). */
  readonly table: string;
  /** Makes queues that are not there. */
  ensure(names: readonly string[]): Promise<void>;
  /** Gives the ids that were not there before. */
  put(tx: Queryable, name: string, attempts: readonly Waiting[]): Promise<ReadonlySet<string>>;
  /** The best by priority, then the oldest; what others are just taking is passed over. */
  take(tx: Queryable, name: string, most: number): Promise<readonly Taken[]>;
  /** Gives the ids that were this claim's to settle. */
  finish(tx: Queryable, name: string, claims: readonly Claim[]): Promise<ReadonlySet<string>>;
  /** As `finish`, for those of whom nobody will say how they ended. */
  giveUp(tx: Queryable, name: string, claims: readonly Claim[]): Promise<ReadonlySet<string>>;
  /** Those that nobody has taken are not taken any more; gives their ids. Waits for who is just taking some. */
  withdraw(tx: Queryable, name: string, ids: readonly string[]): Promise<ReadonlySet<string>>;
  specOf(data: unknown): AttemptSpec;
  /** Removes some of what nobody will ask for: the oldest attempts that are settled, and whose run is over. Gives how many. */
  sweep(tx: Queryable, most: number): Promise<number>;
  close(): Promise<void>;
}

export interface QueueOptions {
  readonly database: Database;
  readonly clock: Clock;
  /** What pg-boss has to say by itself. */
  readonly onTrouble?: (message: string) => void;
}

/**
 * An id is remembered as long as its row is there: as long as its run is not over, since who takes up the run may put it there again, and
 * as long as one that is put there again is on its way (`Lookout`). Beyond that it is kept for whoever looks. Seconds.
 */
const REMEMBERED = 60;
/** Of a row that does not say whose it is, as an earlier tsched made them. Seconds. */
const UNNAMED = 3600;
/** Attempts end when somebody says so, and wait as long as it takes. Seconds; fits an int of SQL. */
const FOR_EVER = 2_000_000_000;
/** What pg-boss would look at by itself is not needed. Seconds; the most it allows. */
const A_DAY = 86_400;

/**
 * Starts pg-boss on our connections, and brings its tables up to date.
 * @throws DatabaseAway, DatabaseUnfit
 */
export async function createQueue({ database, clock, onTrouble }: QueueOptions): Promise<Queue> {
  const Boss = await load();
  const boss = new Boss({
    db: around(database),
    schema: `${database.schema}_queue`,
    supervise: false,
    schedule: false,
    registerInstance: false,
    queueCacheIntervalSeconds: A_DAY,
    bamIntervalSeconds: A_DAY,
    openTelemetry: { enabled: false },
  });
  boss.on('error', (error) => {
    if (!(error instanceof DatabaseAway)) onTrouble?.(`pg-boss: ${error.message}`);
  });
  boss.on('warning', ({ message }) => onTrouble?.(`pg-boss: ${message}`));
  await startUp(boss, clock);
  return new BossQueue(boss, database);
}

async function load(): Promise<typeof PgBoss> {
  const { PgBoss: Boss } = await loadPeer(() => import('pg-boss'), 'pg-boss');
  return Boss;
}

/** Of many that start on an empty database one makes the tables; the others may find them half there, and look again. */
async function startUp(boss: PgBoss, clock: Clock): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await boss.start();
      return;
    } catch (error) {
      if (tries === 5 || error instanceof DatabaseUnfit) {
        await boss.stop({ graceful: false, close: false });
        throw error;
      }
    }
    await new Promise<void>((resolve) => void clock.after(200 * tries, resolve));
  }
}

/** Our connections as pg-boss wants them. */
function around(database: Database): Db {
  return {
    // Several statements in one text come with a BEGIN of their own; where one of them fails, ours rolls back.
    executeSql: async (text, values) => ({
      rows: /^\s*BEGIN\b/i.test(text)
        ? await database.transaction((tx) => rowsOf(tx, text, values))
        : await rowsOf(database, text, values),
    }),
  };
}

function within(tx: Queryable): { readonly db: Db } {
  return { db: { executeSql: async (text, values) => ({ rows: await rowsOf(tx, text, values) }) } };
}

async function rowsOf(queryable: Queryable, text: string, values?: readonly unknown[]): Promise<object[]> {
  return [...(await queryable.query(text, values))];
}

/** What lies in the table: text in text, since `jsonb` neither keeps the order of keys nor takes every string. */
interface Data {
  readonly spec: string;
  /** Of which it is an attempt; of a part's, the whole. */
  readonly run: string;
}

class BossQueue implements Queue {
  readonly table: string;
  readonly #boss: PgBoss;
  readonly #database: Database;

  constructor(boss: PgBoss, database: Database) {
    this.#boss = boss;
    this.#database = database;
    this.table = `"${database.schema}_queue".job`;
  }

  async ensure(names: readonly string[]): Promise<void> {
    for (const name of names) await this.#boss.createQueue(name, { retryLimit: 0 });
  }

  async put(tx: Queryable, name: string, attempts: readonly Waiting[]): Promise<ReadonlySet<string>> {
    const rows = attempts.map(({ id, spec }): JobInsert<Data> => ({
      id,
      data: { spec: JSON.stringify(spec), run: partsOfId(spec.runId).run },
      priority: spec.priority ?? 0,
      expireInSeconds: FOR_EVER,
      retentionSeconds: FOR_EVER,
    }));
    return new Set(await this.#boss.insert(name, rows, { ...within(tx), returnId: true }));
  }

  async take(tx: Queryable, name: string, most: number): Promise<readonly Taken[]> {
    const rows = await this.#boss.fetch<Data>(name, { ...within(tx), batchSize: most });
    return rows.map(({ id, retryCount, data }) => ({ id, tries: retryCount, spec: this.specOf(data) }));
  }

  async finish(tx: Queryable, name: string, claims: readonly Claim[]): Promise<ReadonlySet<string>> {
    return settledOf(await this.#boss.complete(name, claims.map(attemptOf), undefined, within(tx)));
  }

  async giveUp(tx: Queryable, name: string, claims: readonly Claim[]): Promise<ReadonlySet<string>> {
    return settledOf(await this.#boss.fail(name, claims.map(attemptOf), undefined, within(tx)));
  }

  async withdraw(tx: Queryable, name: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    // What pg-boss cancels may be under way: these are locked first, so that nobody takes them.
    const waiting = await tx.query<{ id: string }>(
      `SELECT id FROM ${this.table} WHERE name = $1 AND id = ANY($2::uuid[]) AND state < 'active' FOR UPDATE`,
      [name, ids],
    );
    if (waiting.length === 0) return new Set();
    const locked = waiting.map(({ id }) => id);
    return settledOf(await this.#boss.cancel(name, locked, within(tx)));
  }

  specOf(data: unknown): AttemptSpec {
    return JSON.parse((data as Data).spec) as AttemptSpec;
  }

  async sweep(tx: Queryable, most: number): Promise<number> {
    // Not by pg-boss, which would walk over all rows of a queue each time, and cannot ask whether a run is over. Each queue's are found by
    // its index of ends, oldest first, which a time that stands for the whole statement can use; a row that goes is locked by nobody and waited
    // for by nobody.
    return tx.run(
      `DELETE FROM ${this.table} USING (
         SELECT o.name, o.id FROM "${this.#database.schema}_queue".queue q CROSS JOIN LATERAL (
           SELECT j.name, j.id FROM ${this.table} j
           WHERE j.name = q.name AND j.completed_on < statement_timestamp() - interval '${REMEMBERED} s'
             AND (j.data ? 'run' OR j.completed_on < statement_timestamp() - interval '${UNNAMED} s')
             AND NOT EXISTS (SELECT FROM runs r WHERE r.id = j.data ->> 'run' AND r.state <> 'finished' OFFSET 0)
           ORDER BY j.completed_on LIMIT $1) o
         LIMIT $1) over
       WHERE job.name = over.name AND job.id = over.id`,
      [most],
    );
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false, close: false });
  }
}

function attemptOf({ id, tries }: Claim): { id: string; retryCount: number } {
  return { id, retryCount: tries };
}

function settledOf(answer: object): ReadonlySet<string> {
  // The types of pg-boss do not tell of it.
  return new Set((answer as { readonly settled?: readonly string[] | null }).settled ?? []);
}
