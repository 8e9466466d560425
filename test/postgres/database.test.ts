/** A database that is there, is not, is not ours, or goes away. */
import { chownSync, copyFileSync, chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { Clock } from '../../src/engine/ports.ts';
import {
  DatabaseAway,
  DatabaseUnfit,
  json,
  openDatabase,
  StatementRefused,
  type Database,
} from '../../src/postgres/database.ts';
import { SCHEMA_VERSION } from '../../src/postgres/schema.ts';
import { until } from '../support/daemon.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { startPostgres, VERSIONS, type Postgres } from '../support/postgres.ts';

const tls = join(import.meta.dirname, '../fixtures/tls');

let server: Postgres;
const databases: Database[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterEach(async () => {
  for (const database of databases.splice(0)) await database.close();
});
afterAll(() => server.stop());

async function open(url: string, clock: Clock = systemClock): Promise<Database> {
  const database = await openDatabase({ url, clock });
  databases.push(database);
  return database;
}

/** Why it cannot be opened. */
async function refusal(url: string): Promise<Error> {
  return open(url).then(
    () => new Error('it was opened'),
    (error: Error) => error,
  );
}

/** Waits for rows. */
async function there(ask: () => Promise<readonly object[]>): Promise<void> {
  while ((await ask()).length === 0);
}

describe('an empty database', () => {
  it.each(VERSIONS)('is made ready by twenty at once: $name', async (version) => {
    const own = version === VERSIONS[0] ? server : await startPostgres({ version });
    const url = await own.createDatabase();
    const all = await Promise.all(Array.from({ length: 20 }, () => open(url)));
    for (const database of all)
      expect(await database.query('SELECT version FROM schema_version')).toEqual([
        { version: SCHEMA_VERSION },
      ]);
    expect(await all[0]?.query('SELECT term, node FROM conductor')).toEqual([{ term: 0, node: null }]);
    for (const database of databases.splice(0)) await database.close();
    if (own !== server) await own.stop();
  });

  it('may hold several, each in a schema of its own, that share no lock', async () => {
    const url = await server.createDatabase();
    const [one, other] = [await open(url), await open(`${url}?schema=other`)];
    await one.run("INSERT INTO jobs (id) VALUES ('a')");
    expect(await other.query('SELECT id FROM jobs')).toEqual([]);
    expect([await one.hold(1), await other.hold(1)]).toEqual([true, true]);
    expect(await (await open(url)).hold(1)).toBe(false);
  });
});

describe('what comes back', () => {
  it('is what went in, with what PostgreSQL does not take', async () => {
    const database = await open(await server.createDatabase());
    const odd = 'nul \0, half \ud800 \udc00, mark \ue000, \\u0000 \\\\u0000, 😀';
    const [row] = await database.query(
      'SELECT $1::text AS text, $2::jsonb AS document, $3::text[] AS list, 2::bigint ^ 40 = 1 AS no, 7::bigint AS number',
      [odd, { [odd]: [odd] }, [odd, 'x']],
    );
    expect(row).toEqual({ text: odd, document: { [odd]: [odd] }, list: [odd, 'x'], no: false, number: 7 });
    const rows = await database.query('SELECT * FROM json_to_recordset($1) AS r (a text, b jsonb)', [
      json([{ a: odd, b: [odd] }]),
    ]);
    expect(rows).toEqual([{ a: odd, b: [odd] }]);
  });

  it('is the rows of every statement, where one text has several', async () => {
    const database = await open(await server.createDatabase());
    const text = 'SELECT 1 AS a; SELECT 2 AS b WHERE false; SELECT 3 AS c';
    const inTransaction = await database.transaction((tx) => tx.query(text));
    expect(await database.query(text)).toEqual([{ a: 1 }, { c: 3 }]);
    expect(inTransaction).toEqual([{ a: 1 }, { c: 3 }]);
  });
});

describe('what cannot be used', () => {
  it('says what is wrong, and what to do, and never a password', async () => {
    const url = await server.createDatabase();
    const secured = url.replace('postgres@', 'secured:wrong%20secret@');
    const right = url.replace('postgres@', 'secured:correct%20horse@');
    expect(await (await open(right)).query('SELECT current_user::text AS name')).toEqual([
      { name: 'secured' },
    ]);
    const told = await Promise.all(
      [
        secured,
        url.replace('postgres@', 'secured@'),
        `${url}nix`,
        url.replace('postgres@', 'nobody@'),
        `${url}?sslmode=require`,
        `${url}?sslmode=prefer`,
        `${url}?sslmode=verify-full&sslrootcert=/nowhere.pem`,
        `${url}?sslmode=verify-ca`,
        `${url}?sslmod=require`,
        `${url}?schema=Ours`,
        'mysql://me:secret@there/db',
        'postgres://me:secret%zz@there/db',
        'no url, secret',
      ].map(refusal),
    );
    for (const error of told) expect(error).toBeInstanceOf(DatabaseUnfit);
    expect(told.map(({ message, hint }: Error & { hint?: string }) => `${message} → ${hint}`)).toEqual([
      expect.stringMatching(
        /secured@127.* password authentication failed.*→ check the user and the password/,
      ),
      expect.stringMatching(/→ check the user and the password.*PGPASSWORD/),
      expect.stringMatching(/database "t\d+nix" does not exist → create it: CREATE DATABASE/),
      expect.stringMatching(/role "nobody" does not exist → allow nobody to log in/),
      expect.stringMatching(/does not support SSL connections → .*sslmode=disable/),
      expect.stringMatching(/sslmode=prefer → it is one of disable, require, verify-ca, verify-full/),
      expect.stringMatching(/sslrootcert: .*nowhere.pem.* → name a file in PEM format/),
      expect.stringMatching(/verify-ca without sslrootcert → name the authority/),
      expect.stringMatching(/unknown parameter "sslmod" → it may have schema/),
      expect.stringMatching(/schema="Ours" → a schema is named with small letters/),
      expect.stringMatching(/begins with mysql:\/\/ → write it as postgres:/),
      expect.stringMatching(/a % that no two hex digits follow → write %25/),
      expect.stringMatching(/cannot be read → write it as postgres:/),
    ]);
    expect(JSON.stringify(told.map(({ message, stack }) => `${message}${stack}`))).not.toMatch(
      /secret|horse/,
    );
  });

  it('is tables of a newer tsched, which are left as they are', async () => {
    const url = await server.createDatabase();
    await (await open(url)).run('UPDATE schema_version SET version = 999');
    expect(await refusal(url)).toMatchObject({
      name: 'DatabaseUnfit',
      message: expect.stringContaining('made by a newer tsched: they are version 999'),
      hint: expect.stringContaining('install that tsched'),
    });
  });

  it('is a database in which its user may make no tables', async () => {
    const url = (await server.createDatabase()).replace('postgres@', 'guest@');
    await server.ask('CREATE ROLE guest LOGIN');
    expect(await refusal(url)).toMatchObject({
      message: expect.stringContaining('permission denied'),
      hint: expect.stringContaining('GRANT CREATE ON DATABASE'),
    });
  });

  it('is a database whose encoding cannot hold all text', async () => {
    await server.ask("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'");
    expect(await refusal(server.url('latin'))).toMatchObject({
      message: expect.stringContaining('has the encoding LATIN1'),
      hint: expect.stringContaining("ENCODING 'UTF8'"),
    });
  });

  it('is not the one that cannot be reached: that may come back', async () => {
    const [gone, unknown] = [
      await refusal('postgres://me@127.0.0.1:1/db'),
      await refusal('postgres://me@nowhere.invalid/db'),
    ];
    expect(gone).toBeInstanceOf(DatabaseAway);
    expect(gone.message).toBe(
      'PostgreSQL at postgres://me@127.0.0.1:1/db cannot be reached: connection refused',
    );
    expect(unknown).toBeInstanceOf(DatabaseAway);
    expect(unknown.message).toMatch(/cannot be reached: (no such host name|the host name could not)/);
  });
});

describe('TLS', () => {
  it('is what the URL says', async () => {
    const secured = await startPostgres();
    try {
      const data = join(secured.directory, 'data');
      for (const [name, as] of [
        ['localhost.pem', 'server.crt'],
        ['localhost.key', 'server.key'],
      ] as const) {
        copyFileSync(join(tls, name), join(data, as));
        chmodSync(join(data, as), 0o600);
        if (process.getuid?.() === 0) chownSync(join(data, as), statSync(data).uid, statSync(data).gid);
      }
      await secured.ask('ALTER SYSTEM SET ssl = on');
      await secured.restart();
      const url = await secured.createDatabase();
      const named = url.replace('127.0.0.1', 'localhost');
      const ca = `sslrootcert=${join(tls, 'ca.pem')}`;
      const isEncrypted = async (address: string) =>
        (await open(address)).query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
      expect(await isEncrypted(url)).toEqual([{ ssl: false }]);
      expect(await isEncrypted(`${url}?sslmode=require`)).toEqual([{ ssl: true }]);
      expect(await isEncrypted(`${url}?sslmode=verify-ca&${ca}`)).toEqual([{ ssl: true }]);
      expect(await isEncrypted(`${named}?sslmode=verify-full&${ca}`)).toEqual([{ ssl: true }]);
      expect(await isEncrypted(`${named}?${ca}`)).toEqual([{ ssl: true }]);
      const byAddress = await refusal(`${url}?sslmode=verify-full&${ca}`);
      expect(byAddress.message).toMatch(/does not match certificate/);
      const unknown = await refusal(`${named}?sslmode=verify-full`);
      expect(unknown).toMatchObject({ hint: expect.stringContaining('sslrootcert=FILE') });
    } finally {
      for (const database of databases.splice(0)) await database.close();
      await secured.stop();
    }
  });
});

describe('a statement', () => {
  it('that is refused breaks nothing else', async () => {
    const database = await open(await server.createDatabase());
    await expect(database.query('SELECT 1 / 0')).rejects.toMatchObject({
      name: 'StatementRefused',
      code: '22012',
    });
    const work = database.transaction(async (tx) => {
      await tx.run("INSERT INTO jobs (id) VALUES ('a')");
      await tx.run("INSERT INTO jobs (id) VALUES ('a')");
    });
    await expect(work).rejects.toThrow(StatementRefused);
    expect(await database.query('SELECT id FROM jobs')).toEqual([]);
  });

  it('whose error is swallowed does not count as committed', async () => {
    const database = await open(await server.createDatabase());
    const work = database.transaction(async (tx) => {
      await tx.run("INSERT INTO jobs (id) VALUES ('a')");
      await expect(tx.run('SELECT 1 / 0')).rejects.toThrow(StatementRefused);
    });
    await expect(work).rejects.toThrow('rolled back');
  });

  it('that gets no answer is given up, with its connection', async () => {
    const clock = new FakeClock('2026-01-01T00:00:00Z');
    const database = await open(await server.createDatabase(), clock);
    const asked = database.query('SELECT pg_sleep(100)').then(
      () => 'answered',
      (error: unknown) => error,
    );
    const sleeping =
      "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(100)' AND state = 'active'";
    await there(() => server.ask(sleeping));
    await clock.advance(11_000);
    expect(await asked).toBeInstanceOf(DatabaseAway);
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('a transaction that rests', () => {
  it('is ended by the server, so that nobody waits for its locks', async () => {
    const database = await open(await server.createDatabase());
    const work = database.transaction(async (tx) => {
      await tx.query('SELECT 1 FROM conductor FOR KEY SHARE');
      // Waits for the lock: until the other is ended.
      expect(await database.run('UPDATE conductor SET term = 1')).toBe(1);
      return tx.query('SELECT 1');
    });
    await expect(work).rejects.toThrow(DatabaseAway);
  });
});

describe('a server that says nothing any more', () => {
  it('holds up nobody who closes: what is on its way is away, and every connection is hung up', async () => {
    const own = await startPostgres();
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = sockets();
    const database = await openDatabase({ url: await own.createDatabase(), clock: systemClock });
    await database.listen(
      'tsched_work',
      () => undefined,
      () => undefined,
    );
    expect(sockets()).toBeGreaterThan(before);
    own.freeze();
    const asked = database.query('SELECT 1').then(
      () => 'answered',
      (error: unknown) => error,
    );
    // By then it is asked.
    await setImmediate();
    await database.close();
    expect(await asked).toMatchObject({
      name: 'DatabaseAway',
      message: expect.stringContaining('terminated'),
    });
    await until('the last of them to be gone', () => sockets() <= before);
    own.thaw();
    await own.stop();
  });
});

describe('the dedicated connection', () => {
  it('has its locks again as soon as the server notices that an earlier connection of it is gone', async () => {
    const own = await startPostgres();
    const url = await own.createDatabase();
    const [database, other] = [
      await openDatabase({ url, clock: systemClock }),
      await openDatabase({ url, clock: systemClock }),
    ];
    let again = 0;
    await database.listen(
      'tsched_work',
      () => undefined,
      () => (again += 1),
    );
    expect(await database.hold(5)).toBe(true);
    const [session] = await database.query<{ pid: number }>(
      "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted",
    );
    // Somebody has it when the connection is there again: here another node, as it might be a connection of ours that was cut off.
    await other.run(`SELECT pg_terminate_backend(${session?.pid ?? 0}, 5000)`);
    expect(await other.hold(5)).toBe(true);
    await until('the connection to be there again', () => again === 2);
    expect(await database.hold(5)).toBe(false);
    await other.release(5);
    await there(() => other.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"));
    expect(await other.hold(5)).toBe(false);
    await Promise.all([database.close(), other.close()]);
    await own.stop();
  });

  it('hears, and after a restart of the server hears again and says so; its locks go with it', async () => {
    const own = await startPostgres();
    const url = await own.createDatabase();
    const troubles: string[] = [];
    const database = await openDatabase({
      url,
      clock: systemClock,
      onTrouble: (message) => troubles.push(message),
    });
    const other = await openDatabase({ url, clock: systemClock });
    const heard: string[] = [];
    let again = 0;
    await database.listen(
      'tsched_work',
      (payload) => heard.push(payload),
      () => (again += 1),
    );
    await database.listen(
      'tsched_nodes',
      (payload) => heard.push(`nodes ${payload}`),
      () => undefined,
    );
    await other.run("SELECT pg_notify('tsched_work', 'one'), pg_notify('tsched_nodes', '')");
    await until('both', () => heard.length === 2);
    expect({ heard, again }).toEqual({ heard: ['one', 'nodes '], again: 1 });
    expect([await database.hold(5), await database.hold(5), await other.hold(5)]).toEqual([
      true,
      true,
      false,
    ]);
    await database.release(5);
    expect(await other.hold(5)).toBe(true);
    expect(await database.hold(6)).toBe(true);

    await own.kill();
    await until('it to be told', () => troubles.length > 0);
    expect(troubles[0]).toMatch(
      /^the connection to PostgreSQL at postgres:.* by which this node is notified was lost: .+; it is made again$/,
    );
    await expect(database.hold(7)).rejects.toThrow(DatabaseAway);
    await own.start();
    await until('it to listen again', () => again === 2);
    await other.run("SELECT pg_notify('tsched_work', 'two')");
    await until('what is said then', () => heard.includes('two'));
    expect(troubles).toHaveLength(1);
    // Held again by itself.
    expect(await other.hold(6)).toBe(false);
    await database.close();
    expect(await other.hold(6)).toBe(true);
    await other.close();
    await own.stop();
  });
});
