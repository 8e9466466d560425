/** The tables, and how older ones become today's. Forward only: what a newer tsched wrote is refused (open.ts). */
import type { DatabaseSync } from 'node:sqlite';

/** "tsch": tells our file from any other SQLite database. */
export const APPLICATION_ID = 0x74_73_63_68;

/**
 * One step each, never changed once released. Instants are epoch milliseconds.
 *
 * jobs      `decided_to`: every slot up to there is decided; `schedule`: of which schedule, NULL while the job is not loaded
 * runs      a row for each run, which is a document that only grows: `attempts`, `outcome`, `arguments`, `upstream`, `pool`, `waited` and `shards` are JSON,
 *           as model.ts has them.
 *           UNIQUE is the claim: one run for (job, scheduled_at). `manual` is 0 for slots, counts runs by hand of one instant, and from
 *           -1 down those of replays, of which each has one for a slot
 *           Rows are too long for WITHOUT ROWID: they would stand in the tree's inner pages too, and the key of every index be the id
 * joins     what is known of slots of jobs that follow others, JSON documents, as join.ts has them
 * messages  what is still to be told, and `told` what is known of jobs by what was: JSON documents, as model.ts has them
 * replays   batches of past slots: JSON documents, as replay.ts has them, and the list of their slots while they are under way
 * requests  what was asked for by a key, and the run that was begun for it, for a day
 * skips     stretches of slots that did not become runs
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE jobs (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    schedule     TEXT,
    decided_to   INTEGER,
    last_success INTEGER
  ) STRICT;
  CREATE TABLE runs (
    id           TEXT NOT NULL PRIMARY KEY,
    job          INTEGER NOT NULL REFERENCES jobs,
    scheduled_at INTEGER NOT NULL,
    manual       INTEGER NOT NULL,
    cause        TEXT NOT NULL,
    arguments    TEXT,
    claimed_at   INTEGER NOT NULL,
    state        TEXT NOT NULL,
    attempts     TEXT NOT NULL,
    retry_at     INTEGER,
    finished_at  INTEGER,
    outcome      TEXT,
    UNIQUE (job, scheduled_at, manual)
  ) STRICT;
  CREATE INDEX runs_unfinished ON runs (id) WHERE state <> 'finished';
  CREATE TABLE skips (
    number       INTEGER PRIMARY KEY,
    job          INTEGER NOT NULL REFERENCES jobs,
    scheduled_at INTEGER NOT NULL,
    through      INTEGER NOT NULL,
    count        INTEGER,
    reason       TEXT NOT NULL,
    at           INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX skips_of_job ON skips (job, scheduled_at);
  CREATE TABLE pauses (
    job_id       TEXT NOT NULL PRIMARY KEY,
    since        INTEGER NOT NULL,
    until        INTEGER,
    reason       TEXT
  ) STRICT;
  CREATE TABLE added_jobs (
    id           TEXT NOT NULL PRIMARY KEY,
    document     TEXT NOT NULL,
    directory    TEXT NOT NULL,
    added_at     INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE messages (
    id           TEXT NOT NULL PRIMARY KEY,
    message      TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE told (
    job_id       TEXT NOT NULL PRIMARY KEY,
    told         TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE requests (
    number       INTEGER PRIMARY KEY,
    key          TEXT NOT NULL UNIQUE,
    what         TEXT NOT NULL,
    run          TEXT NOT NULL,
    at           INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX requests_at ON requests (at);
  `,
  `
  ALTER TABLE runs ADD COLUMN upstream TEXT;
  CREATE TABLE joins (
    job_id       TEXT NOT NULL,
    scheduled_at INTEGER NOT NULL,
    document     TEXT NOT NULL,
    PRIMARY KEY (job_id, scheduled_at)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE runs ADD COLUMN pool TEXT;
  ALTER TABLE runs ADD COLUMN waited TEXT;
  ALTER TABLE skips ADD COLUMN detail TEXT;
  `,
  `
  ALTER TABLE runs ADD COLUMN replay TEXT;
  CREATE UNIQUE INDEX runs_of_replay ON runs (job, replay, scheduled_at) WHERE replay IS NOT NULL;
  CREATE TABLE replays (
    id           TEXT NOT NULL PRIMARY KEY,
    replay       TEXT NOT NULL,
    slots        TEXT NOT NULL
  ) STRICT;
  `,
  `
  ALTER TABLE runs ADD COLUMN shards TEXT;
  `,
];

/** Of the tables this tsched writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

export function schemaVersion(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
}

/** Brings the tables up to date, or up to an older `version`; all of it or nothing. */
export function migrate(db: DatabaseSync, version = SCHEMA_VERSION): void {
  if (schemaVersion(db) === version) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have done it while this one waited for its turn.
    for (const step of MIGRATIONS.slice(schemaVersion(db), version)) db.exec(step);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${version}; COMMIT`);
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
