/** The tables, and how older ones become today's. Forward only: what a newer tsched made is refused. */
import { DatabaseUnfit } from './errors.ts';
import { installedQueue } from './peers.ts';
import type { Queryable } from './queryable.ts';

/**
 * One step each, never changed once released. Instants are epoch milliseconds, except beats, which are the database's own time.
 * What identifies is compared byte by byte, whatever the database's language.
 *
 * jobs … told   as store/sqlite/schema.ts has them, in one step; what is JSON there is `jsonb` here
 * conductor     one row: the term, whose it is, and its last beat. Who writes for a term locks it, as a key, meanwhile: that lets beats pass, and no other term
 * nodes         one row for each daemon that ever belonged to this store; `beat_at`: its last sign of life
 * queues        what attempts may require of a node, and how many jobs do: labels, a module file
 * held          attempts that a node took and that are not over
 * orders        what is to become of a held attempt: stop, kill
 * reports       what nodes tell of attempts; `taken`: the conductor has had it
 * calls, answers  requests from node to node, and what comes back, in chunks; `taken`: under which the asked node took it. No crash of the
 *               server needs to keep them
 * files         versions of the job file; the newest is in force
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE jobs (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           text COLLATE "C" NOT NULL UNIQUE,
    schedule     text,
    decided_to   bigint,
    last_success bigint
  );
  CREATE TABLE runs (
    id           text COLLATE "C" PRIMARY KEY,
    job          bigint NOT NULL REFERENCES jobs,
    scheduled_at bigint NOT NULL,
    manual       bigint NOT NULL,
    cause        text NOT NULL,
    arguments    jsonb,
    claimed_at   bigint NOT NULL,
    state        text NOT NULL,
    attempts     jsonb NOT NULL,
    retry_at     bigint,
    finished_at  bigint,
    outcome      jsonb,
    upstream     jsonb,
    pool         jsonb,
    waited       jsonb,
    replay       text COLLATE "C",
    shards       jsonb,
    UNIQUE (job, scheduled_at, manual)
  );
  CREATE INDEX runs_unfinished ON runs (id) WHERE state <> 'finished';
  CREATE UNIQUE INDEX runs_of_replay ON runs (job, replay, scheduled_at) WHERE replay IS NOT NULL;
  CREATE TABLE skips (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job          bigint NOT NULL REFERENCES jobs,
    scheduled_at bigint NOT NULL,
    through      bigint NOT NULL,
    count        bigint,
    reason       text NOT NULL,
    at           bigint NOT NULL,
    detail       text
  );
  CREATE INDEX skips_of_job ON skips (job, scheduled_at);
  CREATE TABLE pauses (
    job_id       text COLLATE "C" PRIMARY KEY,
    since        bigint NOT NULL,
    until        bigint,
    reason       text
  );
  CREATE TABLE added_jobs (
    id           text COLLATE "C" PRIMARY KEY,
    document     text NOT NULL,
    directory    text NOT NULL,
    added_at     bigint NOT NULL
  );
  CREATE TABLE messages (
    id           text COLLATE "C" PRIMARY KEY,
    message      jsonb NOT NULL
  );
  CREATE TABLE told (
    job_id       text COLLATE "C" PRIMARY KEY,
    told         jsonb NOT NULL
  );
  CREATE TABLE requests (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key          text COLLATE "C" NOT NULL UNIQUE,
    what         text NOT NULL,
    run          text NOT NULL,
    at           bigint NOT NULL
  );
  CREATE INDEX requests_at ON requests (at);
  CREATE TABLE joins (
    job_id       text COLLATE "C" NOT NULL,
    scheduled_at bigint NOT NULL,
    document     jsonb NOT NULL,
    PRIMARY KEY (job_id, scheduled_at)
  );
  CREATE TABLE replays (
    id           text COLLATE "C" PRIMARY KEY,
    replay       jsonb NOT NULL,
    slots        jsonb NOT NULL
  );

  CREATE TABLE conductor (
    "only"       boolean PRIMARY KEY DEFAULT true CHECK ("only"),
    term         bigint NOT NULL DEFAULT 0 UNIQUE,
    node         uuid,
    since        timestamptz,
    beat_at      timestamptz,
    up_since     bigint
  );
  INSERT INTO conductor DEFAULT VALUES;
  CREATE TABLE nodes (
    id           uuid PRIMARY KEY,
    name         text COLLATE "C" NOT NULL UNIQUE,
    state        text NOT NULL,
    schedules    boolean NOT NULL,
    labels       text[] NOT NULL DEFAULT '{}',
    slots        int NOT NULL DEFAULT 0,
    busy         int NOT NULL DEFAULT 0,
    host         text NOT NULL DEFAULT '',
    pid          int NOT NULL DEFAULT 0,
    version      text NOT NULL DEFAULT '',
    started_at   bigint NOT NULL DEFAULT 0,
    beat_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    skew         int NOT NULL DEFAULT 0,
    file_hash    text,
    file_seen_hash text,
    wish         text,
    document     jsonb NOT NULL DEFAULT '{}'
  );
  CREATE TABLE queues (
    name         text COLLATE "C" PRIMARY KEY,
    labels       text[] NOT NULL DEFAULT '{}',
    module       text,
    jobs         int NOT NULL DEFAULT 0
  );
  CREATE TABLE held (
    attempt      uuid PRIMARY KEY,
    queue        text COLLATE "C" NOT NULL,
    tries        int NOT NULL DEFAULT 0,
    run          text COLLATE "C" NOT NULL,
    number       int NOT NULL,
    job          text COLLATE "C" NOT NULL,
    node         uuid NOT NULL,
    taken_at     timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  CREATE INDEX held_by_node ON held (node);
  CREATE TABLE orders (
    attempt      uuid PRIMARY KEY,
    "order"      jsonb NOT NULL
  );
  CREATE TABLE reports (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attempt      uuid NOT NULL,
    kind         text NOT NULL,
    report       jsonb NOT NULL,
    node         uuid,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken        boolean NOT NULL DEFAULT false
  );
  CREATE INDEX reports_of_attempt ON reports (attempt);
  CREATE INDEX reports_untaken ON reports (seq) WHERE NOT taken;
  CREATE INDEX reports_at ON reports (at);
  CREATE INDEX reports_given_up ON reports (node) WHERE kind = 'given_up';
  CREATE UNLOGGED TABLE calls (
    id           uuid PRIMARY KEY,
    from_node    uuid NOT NULL,
    to_node      uuid NOT NULL,
    request      jsonb NOT NULL,
    body         bytea,
    taken        uuid,
    at           timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  CREATE INDEX calls_to ON calls (to_node);
  CREATE UNLOGGED TABLE answers (
    call         uuid NOT NULL REFERENCES calls ON DELETE CASCADE,
    seq          int NOT NULL,
    head         jsonb,
    chunk        bytea,
    last         boolean NOT NULL DEFAULT false,
    PRIMARY KEY (call, seq)
  );
  CREATE TABLE files (
    version      int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash         text NOT NULL,
    documents    jsonb NOT NULL,
    directory    text NOT NULL,
    timezone     text,
    by           text NOT NULL,
    node         text,
    at           bigint NOT NULL
  );
  `,
];

/** Of the tables this tsched makes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** 0: there are none yet. */
export async function schemaVersion(database: Queryable, schema: string): Promise<number> {
  const [table] = await database.query<{ there: boolean }>(
    `SELECT to_regclass('"${schema}".schema_version') IS NOT NULL AS there`,
  );
  if (table?.there !== true) return 0;
  const [row] = await database.query<{ version: number }>('SELECT version FROM schema_version');
  return row?.version ?? 0;
}

/**
 * Brings the tables up to date; all of it or nothing. Within a transaction that waited for its turn: of twenty that start at
 * once the first does it.
 */
export async function migrate(tx: Queryable, schema: string): Promise<void> {
  await tx.run(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
  const version = await schemaVersion(tx, schema);
  refuseNewer(version, schema);
  if (version === SCHEMA_VERSION) return;
  if (version === 0) {
    await tx.run(`
      CREATE TABLE schema_version ("only" boolean PRIMARY KEY DEFAULT true CHECK ("only"), version int NOT NULL);
      INSERT INTO schema_version (version) VALUES (0)`);
  }
  for (const step of MIGRATIONS.slice(version)) await tx.run(step);
  await tx.run('UPDATE schema_version SET version = $1', [SCHEMA_VERSION]);
}

/** @throws DatabaseUnfit */
export function refuseNewer(version: number, schema: string): void {
  if (version <= SCHEMA_VERSION) return;
  throw new DatabaseUnfit(
    `the tables in schema ${schema} were made by a newer tsched: they are version ${version}, this one knows up to ${SCHEMA_VERSION}`,
    'install that tsched here too, or name another schema with ?schema=NAME in the URL',
  );
}

/**
 * As `refuseNewer`, for the tables of pg-boss, which lie beside ours: an older pg-boss would take newer ones for its own, and work on them.
 * @throws DatabaseUnfit
 */
export async function refuseNewerQueue(
  database: Queryable,
  schema: string,
  installed = installedQueue(),
): Promise<void> {
  if (installed === undefined) return;
  const table = `"${schema}_queue".version`;
  const [found] = await database.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [
    table,
  ]);
  if (found?.there !== true) return;
  const [row] = await database.query<{ version: number }>(`SELECT version FROM ${table}`);
  const version = row?.version ?? 0;
  if (version <= installed.schema) return;
  throw new DatabaseUnfit(
    `the queue's tables in schema ${schema}_queue were made by a newer pg-boss: they are version ${version}, and pg-boss ${installed.version}, which is installed here, knows up to ${installed.schema}`,
    `install here the pg-boss that the other nodes have (npm ls pg-boss says which), or name another schema with ?schema=NAME in the URL`,
  );
}
