/** A PostgreSQL database: bounded in time whatever the network does, with our tables in it. The only importer of `pg`. */
import type pg from 'pg';
import type { Clock } from '../engine/ports.ts';
import { parseAddress, type Address } from './address.ts';
import { DatabaseAway, DatabaseUnfit, explain, NO_POOLER } from './errors.ts';
import { loadPeer } from './peers.ts';
import { migrate, refuseNewer, refuseNewerQueue, SCHEMA_VERSION, schemaVersion } from './schema.ts';
import type { Queryable } from './queryable.ts';
import { GOODBYE, Session } from './session.ts';
import { decodeJson, decodeText, encode } from './values.ts';

export { DatabaseAway, DatabaseUnfit, StatementRefused } from './errors.ts';
export type { Queryable } from './queryable.ts';
export { json } from './values.ts';

export interface Database extends Queryable {
  /** Without its password, for people. */
  readonly url: string;
  /** Of our tables; pg-boss has `NAME_queue`, and channels begin with it. It is what names in statements without a schema mean. */
  readonly schema: string;
  /** All of it or nothing. DatabaseAway: nobody knows which. A session in which it rests for 5 s is ended by the server. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  /** By a connection of its own, for what must not wait until all others have been answered: the sign of life of a node. One question at a time. */
  readonly urgent: Pick<Queryable, 'query'>;
  /**
   * Hears NOTIFYs on one dedicated connection, which all channels share. `again`: after each (re)connect, something may have been missed.
   * Resolves when it listens; while the database is away, at once: it listens then as soon as it is back. Gives how to stop hearing.
   */
  listen(channel: string, hear: (payload: string) => void, again: () => void): Promise<() => void>;
  /**
   * Holds the lock of that key on the dedicated connection, as long as that lives; it is tried for again after a reconnect. False: somebody else
   * has it. @throws DatabaseAway
   */
  hold(key: number): Promise<boolean>;
  release(key: number): Promise<void>;
  /** What is on its way has a second to be done. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly clock: Clock;
  /** Connections at most, beside the dedicated one and that of what is urgent. */
  readonly poolSize?: number;
  /** The dedicated connection was lost; it is tried again until it is there. Told once each time. */
  readonly onTrouble?: (message: string) => void;
}

/** Milliseconds. */
const CONNECT = 5000;
const ANSWER = 10_000;
/** Tables that are brought up to date may be large. */
const MIGRATION = 600_000;

/** What the server is told of each connection: it ends what was cut off or rests in the middle of a transaction, so that others wait for no lock of it. */
const SERVER = {
  statement_timeout: ANSWER,
  idle_in_transaction_session_timeout: 5000,
  tcp_keepalives_idle: 5,
  tcp_keepalives_interval: 2,
  tcp_keepalives_count: 4,
  tcp_user_timeout: 15_000,
} as const;

/** `tsch`: what our advisory locks begin with, made another for each schema. */
const LOCK = 0x74_73_63_68;

/** The oldest PostgreSQL that pg-boss works on. */
const OLDEST = 13;

/**
 * Connects, and brings the tables up to date.
 * @throws DatabaseAway, DatabaseUnfit
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const address = parseAddress(options.url);
  const driver = await loadDriver();
  const database = new PostgresDatabase(driver, address, options);
  try {
    await database.prepare();
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function loadDriver(): Promise<typeof pg> {
  const { default: driver } = await loadPeer(() => import('pg'), 'pg');
  return driver;
}

interface Server {
  readonly version: number;
  readonly encoding: string;
  readonly standby: boolean;
  readonly path: string;
}

class PostgresDatabase implements Database {
  readonly url: string;
  readonly schema: string;
  readonly urgent: Database['urgent'];
  readonly #clock: Clock;
  readonly #where: { readonly url: string; readonly user: string; readonly name: string };
  readonly #pool: pg.Pool;
  /** Of one connection. */
  readonly #urgent: pg.Pool;
  /** Of the pools. */
  readonly #clients = new Set<pg.Client>();
  readonly #session: Session;
  readonly #lockClass: number;

  constructor(driver: typeof pg, address: Address, { clock, poolSize = 5, onTrouble }: DatabaseOptions) {
    this.url = address.url;
    this.schema = address.schema;
    this.#clock = clock;
    this.#lockClass = lockClassOf(address.schema);
    const config = configOf(driver, address);
    // Whom the driver logs in as, and where, when the URL does not say.
    const { user = '', database: name = '' } = new driver.Client(config);
    this.#where = { url: address.url, user, name };
    const pooled = { ...config, idleTimeoutMillis: 60_000, allowExitOnIdle: true };
    this.#pool = this.#watched(new driver.Pool({ ...pooled, max: poolSize }));
    this.#urgent = this.#watched(new driver.Pool({ ...pooled, max: 1 }));
    this.urgent = {
      query: async <Row extends object>(sql: string, values?: readonly unknown[]) =>
        (await this.#alone(sql, values, this.#urgent)).rows as Row[],
    };
    this.#session = new Session({
      clock,
      lockClass: this.#lockClass,
      connect: async () => {
        const client = new driver.Client(config);
        // It may fail at any time, also before anybody waits for it.
        client.on('error', () => undefined);
        await client.connect().catch((error: unknown) => {
          throw explain(error, this.#where);
        });
        return client;
      },
      ask: async (client, sql, values) => rowsOf(await this.#ask(client, sql, values)),
      onTrouble: (message) =>
        onTrouble?.(
          `the connection to PostgreSQL at ${this.url} by which this node is notified was lost: ${message}; it is made again`,
        ),
    });
  }

  async prepare(): Promise<void> {
    const [server] = await this.query<Server>(
      `SELECT current_setting('server_version_num')::int / 10000 AS version,
              current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS standby,
              current_setting('search_path') AS path`,
    );
    if (server === undefined) throw new DatabaseAway(`PostgreSQL at ${this.url} did not say what it is`);
    this.#judge(server);
    const version = await schemaVersion(this, this.schema);
    refuseNewer(version, this.schema);
    // Before anything is made or brought up to date here.
    await refuseNewerQueue(this, this.schema);
    if (version === SCHEMA_VERSION) return;
    await this.#transaction(MIGRATION, async (tx) => {
      await tx.run(`SET LOCAL statement_timeout = ${MIGRATION}`);
      await tx.run('SELECT pg_advisory_xact_lock($1, $2)', [this.#lockClass, MIGRATION]);
      await migrate(tx, this.schema);
    });
  }

  async query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]> {
    return rowsOf(await this.#alone(sql, values)) as Row[];
  }

  async run(sql: string, values?: readonly unknown[]): Promise<number> {
    return (await this.#alone(sql, values)).rowCount ?? 0;
  }

  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#transaction(ANSWER, work);
  }

  listen(channel: string, hear: (payload: string) => void, again: () => void): Promise<() => void> {
    return this.#session.listen(channel, { hear, again });
  }

  hold(key: number): Promise<boolean> {
    return this.#session.hold(key);
  }

  release(key: number): Promise<void> {
    return this.#session.release(key);
  }

  async close(): Promise<void> {
    const callOff = this.#clock.after(GOODBYE, () => {
      for (const { connection } of this.#clients) connection.stream.destroy();
    });
    await Promise.all([this.#session.close(), this.#pool.end(), this.#urgent.end()]);
    callOff();
  }

  #judge(server: Server): void {
    if (server.version < OLDEST)
      throw new DatabaseUnfit(
        `PostgreSQL at ${this.url} is version ${server.version}, and tsched needs ${OLDEST} or newer`,
        'use a newer one; 18 is known to work',
      );
    if (server.encoding !== 'UTF8')
      throw new DatabaseUnfit(
        `the database at ${this.url} has the encoding ${server.encoding}, in which not all text can be kept`,
        `use another: CREATE DATABASE tsched ENCODING 'UTF8' TEMPLATE template0`,
      );
    // Else the tables would come to lie somewhere else.
    if (server.path !== this.schema)
      throw new DatabaseUnfit(
        `sessions at ${this.url} do not have the settings they ask for: search_path is ${server.path}`,
        NO_POOLER,
      );
    // Not unfit: after a failover it may be the one to write to.
    if (server.standby)
      throw new DatabaseAway(
        `PostgreSQL at ${this.url} is a standby, which can only be read; name the primary`,
      );
  }

  #watched(pool: pg.Pool): pg.Pool {
    // One that nobody uses was lost: the pool has dropped it, and who asks next gets another.
    pool.on('error', () => undefined);
    pool.on('connect', (client) => {
      // One that is in use and lost says so to who asks, also when nothing is asked at that moment.
      client.on('error', () => undefined);
      this.#clients.add(client);
    });
    pool.on('remove', (client) => this.#clients.delete(client));
    return pool;
  }

  async #client(pool = this.#pool): Promise<pg.PoolClient> {
    try {
      return await pool.connect();
    } catch (error) {
      throw explain(error, this.#where);
    }
  }

  async #alone(
    sql: string,
    values: readonly unknown[] | undefined,
    pool = this.#pool,
  ): Promise<pg.QueryResult> {
    const client = await this.#client(pool);
    let isLost = false;
    try {
      return await this.#ask(client, sql, values);
    } catch (error) {
      isLost = error instanceof DatabaseAway;
      throw error;
    } finally {
      client.release(isLost);
    }
  }

  async #transaction<T>(patience: number, work: (tx: Queryable) => Promise<T>): Promise<T> {
    const client = await this.#client();
    const ask = (sql: string, values?: readonly unknown[]) => this.#ask(client, sql, values, patience);
    let isLost = true;
    try {
      await ask('BEGIN');
      const result = await work({
        query: async <Row extends object>(sql: string, values?: readonly unknown[]) =>
          rowsOf(await ask(sql, values)) as Row[],
        run: async (sql, values) => (await ask(sql, values)).rowCount ?? 0,
      });
      const { command } = await ask('COMMIT');
      isLost = false;
      if (command !== 'COMMIT') throw new DatabaseAway('the transaction was rolled back by the server');
      return result;
    } catch (error) {
      if (isLost && !(error instanceof DatabaseAway)) {
        // Where even this fails, ending the connection rolls back.
        isLost = await ask('ROLLBACK').then(
          () => false,
          () => true,
        );
      }
      throw error;
    } finally {
      client.release(isLost);
    }
  }

  /** One question at most is on its way on a connection. One that gets no answer ends by the caller's ending the connection. */
  #ask(
    client: pg.ClientBase,
    ...[sql, values, patience = ANSWER]: [string, (readonly unknown[] | undefined)?, number?]
  ): Promise<pg.QueryResult> {
    return new Promise((resolve, reject) => {
      const callOff = this.#clock.after(patience + 1000, () =>
        reject(
          new DatabaseAway(`PostgreSQL at ${this.url} did not answer within ${(patience + 1000) / 1000} s`),
        ),
      );
      client.query(values === undefined ? sql : { text: sql, values: values.map(encode) }).then(
        (result) => {
          callOff();
          resolve(result);
        },
        (error: unknown) => {
          callOff();
          reject(explain(error, this.#where));
        },
      );
    });
  }
}

function configOf(
  driver: typeof pg,
  { host, port, user, password, database, schema, tls }: Address,
): pg.ClientConfig {
  const settings = { search_path: schema, ...SERVER };
  // The types of the driver know only what it names itself.
  const standard = driver.types.getTypeParser as (oid: number, format?: string) => (text: string) => unknown;
  const readers = new Map<number, (text: string) => unknown>([
    [20, Number],
    [25, decodeText],
    [114, decodeJson],
    [3802, decodeJson],
    [
      1009,
      (text) =>
        (standard(1009)(text) as unknown[]).map((each) =>
          typeof each === 'string' ? decodeText(each) : each,
        ),
    ],
  ]);
  const config: pg.ClientConfig = {
    ssl: tls,
    application_name: 'tsched',
    connectionTimeoutMillis: CONNECT,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5000,
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') => readers.get(oid) ?? standard(oid, format),
    },
  };
  const named = { host, port, user, password, database };
  return Object.assign(
    config,
    Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)),
  );
}

/** Of several statements in one text there are as many results. */
function rowsOf(results: pg.QueryResult | readonly pg.QueryResult[]): object[] {
  return [results].flat().flatMap(({ rows }) => rows as object[]);
}

/** A number of 32 bits. */
function lockClassOf(schema: string): number {
  let hash = LOCK;
  for (const character of schema) hash = Math.imul(hash ^ character.charCodeAt(0), 16_777_619);
  return hash | 0;
}
