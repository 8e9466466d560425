/** The store of a conductor whose term is over, and the database away under one whose is not. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import { DatabaseAway, openDatabase, type Database } from '../../src/postgres/database.ts';
import type { StoreHealth } from '../../src/store/batching.ts';
import { Deposed, fence } from '../../src/postgres/fence.ts';
import {
  openPostgresStore,
  type PostgresStore,
  type PostgresStoreOptions,
} from '../../src/store/postgres/store.ts';
import { SEED } from '../support/cron-judge.ts';
import { Random } from '../support/cron-oracle.ts';
import { until } from '../support/daemon.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { messageOf, runOf, skipOf } from './conformance.ts';

let server: Postgres;
const databases: Database[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterEach(async () => {
  for (const database of databases.splice(0)) await database.close();
});
afterAll(() => server.stop());

async function fresh(): Promise<Database> {
  const database = await openDatabase({ url: await server.createDatabase(), clock: systemClock });
  databases.push(database);
  return database;
}

interface Opened {
  readonly store: PostgresStore;
  readonly health: StoreHealth[];
  readonly unwritable: string[];
  readonly deposed: number[];
}

async function open(database: Database, change: Partial<PostgresStoreOptions> = {}): Promise<Opened> {
  const [health, unwritable, deposed]: [StoreHealth[], string[], number[]] = [[], [], []];
  const term = change.term ?? 0;
  const store = await openPostgresStore({
    database,
    clock: systemClock,
    term,
    retention: { keep: 1000 },
    onHealth: (each) => health.push(each),
    onUnwritable: (message) => unwritable.push(message),
    onPruned: () => undefined,
    onDeposed: () => deposed.push(term),
    ...change,
  });
  return { store, health, unwritable, deposed };
}

async function counts(database: Database): Promise<object | undefined> {
  const [row] =
    await database.query(`SELECT (SELECT count(*) FROM runs) AS runs, (SELECT count(*) FROM skips) AS skips,
    (SELECT count(*) FROM messages) AS messages, (SELECT count(*) FROM pauses) AS pauses`);
  return row;
}

describe('two terms', () => {
  it('lets nothing be recorded for the one that is over', async () => {
    const database = await fresh();
    const [old, other] = [await open(database), await open(database)];
    expect(await old.store.claim([runOf('1', 100)], [])).toEqual([true]);
    await database.run('UPDATE conductor SET term = 1');
    const late: unknown[] = [];
    const settled = (what: unknown) => late.push(what);
    void old.store.claim([runOf('2', 200)], [skipOf(300)]).then(settled, settled);
    void old.store.save(runOf('1', 100, { state: 'running' })).then(settled, settled);
    void old.store.post({ messages: [messageOf('m')], told: new Map() }).then(settled, settled);
    void old.store.pause('a', { since: 1 }).then(settled, settled);
    await until('the store to find itself deposed', () => old.deposed.length > 0);
    const next = await open(database, { term: 1 });
    expect(await next.store.claim([runOf('3', 200)], [])).toEqual([true]);
    await old.store.close();
    expect(await counts(database)).toEqual({ runs: 2, skips: 0, messages: 0, pauses: 0 });
    expect(await next.store.unfinished()).toEqual([runOf('1', 100)]);
    expect({ late, deposed: old.deposed, health: old.health }).toEqual({
      late: [],
      deposed: [0],
      health: [],
    });
    await expect(open(database)).rejects.toThrow(Deposed);
    // One that had nothing to write finds out with its first claim.
    void other.store.claim([runOf('4', 500)], []).then(settled, settled);
    await until('the other to find itself deposed', () => other.deposed.length > 0);
    expect(late).toEqual([]);
    await next.store.close();
  });

  it('lets nobody take over in the middle of a batch', async () => {
    const database = await fresh();
    await database.transaction(async (tx) => {
      await fence(tx, 0);
      const taken = database.transaction(async (other) => {
        await other.run("SET LOCAL lock_timeout = '50ms'");
        await other.run('UPDATE conductor SET term = 1');
      });
      await expect(taken).rejects.toThrow('lock timeout');
      // Whoever conducts shows that it lives all the same.
      const beat = database.transaction(async (other) => {
        await other.run("SET LOCAL lock_timeout = '50ms'");
        return other.run('UPDATE conductor SET beat_at = clock_timestamp() WHERE term = 0');
      });
      expect(await beat).toBe(1);
    });
    expect(await database.run('UPDATE conductor SET term = 1')).toBe(1);
  });

  it('writes nothing of one who gives up at once', async () => {
    const database = await fresh();
    const { store } = await open(database);
    void store.claim([runOf('1', 100)], []);
    store.abandon();
    await store.close();
    expect(await counts(database)).toMatchObject({ runs: 0 });
  });
});

describe('an answer that is lost', () => {
  function proxied(database: Database): Database {
    return {
      url: database.url,
      schema: database.schema,
      query: (sql, values) => database.query(sql, values),
      run: (sql, values) => database.run(sql, values),
      transaction: (work) => database.transaction(work),
      urgent: database.urgent,
      listen: (channel, hear, again) => database.listen(channel, hear, again),
      hold: (key) => database.hold(key),
      release: (key) => database.release(key),
      close: () => database.close(),
    };
  }

  it('makes nothing twice, and loses nothing', async () => {
    const database = await fresh();
    await (await open(database)).store.claim([runOf('0', 100)], []);
    const lossy = await forgetful(database, 3);
    const claimed = lossy.store.claim(
      [
        runOf('1', 200),
        runOf('2', 100),
        runOf('3', 100, { cause: 'manual' }),
        runOf('4', 100, { cause: 'replay', replay: 'r' }),
      ],
      [skipOf(300)],
    );
    // What comes while the first is on its way goes again with it.
    await Promise.resolve();
    const paused = lossy.store.pause('a', { since: 1 });
    expect(await claimed).toEqual([true, false, true, true]);
    await paused;
    await lossy.store.save(runOf('1', 200, { state: 'running' }));
    expect(await counts(database)).toMatchObject({ runs: 4, skips: 1, pauses: 1 });
    expect(await lossy.store.places()).toEqual(new Map());
    await lossy.store.close();
  });

  /** A store whose first batches are recorded, and nobody tells it. */
  async function forgetful(database: Database, times: number): Promise<Opened> {
    const lossy = proxied(database);
    let left = times;
    const opened = await open(lossy);
    Object.assign(lossy, {
      transaction: async (work: Parameters<Database['transaction']>[0]) => {
        const result = await database.transaction(work);
        left -= 1;
        if (left >= 0) throw new DatabaseAway('the answer was lost');
        return result;
      },
    });
    return opened;
  }
});

describe('a row that the tables refuse', () => {
  it('holds up nobody, and counts as not claimed', async () => {
    const database = await fresh();
    const { store, unwritable } = await open(database);
    // Too long for an index, however it is compressed.
    const random = new Random(SEED);
    const jobId = Array.from({ length: 20_000 }, () => random.int(0, 9)).join('');
    const won = store.claim([runOf('1', 100), runOf('2', 100, { jobId }), runOf('3', 200)], [skipOf(300)]);
    const saved = store.pause('a', { since: 5 });
    expect(await won).toEqual([true, false, true]);
    await saved;
    expect(unwritable).toHaveLength(1);
    expect(await counts(database)).toEqual({ runs: 2, skips: 1, messages: 0, pauses: 1 });
    await store.close();
  });

  it('is no row with a NUL or half a character in it', async () => {
    const odd = 'nul \0, half \ud800, mark \ue000, \\u0000, "\\ud800"';
    const database = await fresh();
    const { store, unwritable } = await open(database);
    const run = runOf('1', 100, {
      cause: 'manual',
      with: { [odd]: [odd], n: 1 },
      state: 'finished',
      finishedAt: 5,
      outcome: { kind: 'lost', message: odd },
    });
    await store.claim([run], [skipOf(300, { detail: odd })]);
    await store.pause('a', { since: 1, reason: odd });
    await store.setAdded('b', { document: odd, directory: '/', addedAt: 1 });
    store.keepRequest({ key: odd, what: odd, runId: '1', at: 5 });
    await store.claim([], [skipOf(400)]);
    await store.close();
    const next = (await open(database)).store;
    expect(await next.history({ jobId: 'a' })).toEqual([
      { skip: skipOf(400) },
      { skip: skipOf(300, { detail: odd }) },
      { run },
    ]);
    expect((await next.pauses()).get('a')).toEqual({ since: 1, reason: odd });
    expect((await next.added()).get('b')?.document).toBe(odd);
    expect(next.request(odd, 5)).toEqual({ key: odd, what: odd, runId: '1', at: 5 });
    expect(unwritable).toEqual([]);
    await next.close();
  });
});

describe('history', () => {
  it('is kept within its bounds, and tells whose runs there are', async () => {
    const database = await fresh();
    const gone: string[] = [];
    const { store } = await open(database, { onPruned: (runs) => gone.push(...runs) });
    const end = { state: 'finished', finishedAt: 9, outcome: { kind: 'succeeded' } } as const;
    const runs = [1, 2, 3, 4, 5].map((slot) => runOf(String(slot), slot, end));
    await store.claim([...runs, runOf('6', 6)], []);
    store.retain({ keep: 2 });
    await until('the oldest to go', () => gone.length === 4);
    expect(gone.toSorted((one, other) => one.localeCompare(other))).toEqual(['1', '2', '3', '4']);
    expect(await store.owners(['1', '5', '6', 'unknown'])).toEqual(
      new Map([
        ['5', { jobId: 'a', isFinished: true }],
        ['6', { jobId: 'a', isFinished: false }],
      ]),
    );
    await store.close();
  });
});

describe('a server that says nothing', () => {
  it('lets claims wait, is told of, and goes on where it was', async () => {
    const own = await startPostgres();
    const database = await openDatabase({ url: await own.createDatabase(), clock: systemClock });
    const { store, health } = await open(database);
    await store.claim([runOf('1', 100)], []);
    own.freeze();
    const settled: unknown[] = [];
    const claimed = store.claim([runOf('2', 200), runOf('3', 100)], []).then((won) => settled.push(won));
    await until('the store to say that it is degraded', () => health.length > 0);
    expect({ settled, health }).toMatchObject({
      settled: [],
      health: [{ kind: 'degraded', message: expect.stringContaining('does not answer') }],
    });
    own.thaw();
    await claimed;
    expect(settled).toEqual([[true, false]]);
    expect(health.slice(1)).toEqual([{ kind: 'well', caughtUp: 2, dropped: 0 }]);
    await store.close();
    await database.close();
    await own.stop();
  });
});

describe('the server killed in the middle of batches', () => {
  it('loses no claim and has none twice; meanwhile nothing is won, and health is told', async () => {
    const database = await fresh();
    const { store, health } = await open(database);
    const jobs = ['a', 'b', 'c'];
    await store.place({ placed: new Map(jobs.map((id) => [id, { schedule: 's', from: 0 }])), gone: [] });
    const random = new Random(SEED);
    const wins = new Map<string, number>();
    const kill = new Set([20, 50, 90].map((at) => at + random.int(0, 9)));
    let isDown = false;
    let settledWhileDown = 0;
    const all: Promise<void>[] = [];
    const begin = (slot: number): void => {
      const wasDown = isDown;
      const runs = jobs.map((jobId) => runOf(`${jobId}-${slot}`, slot, { jobId }));
      const ends = async (won: readonly boolean[]): Promise<void> => {
        if (wasDown && isDown) settledWhileDown += 1;
        for (const [index, run] of runs.entries())
          if (won[index] === true) wins.set(run.id, (wins.get(run.id) ?? 0) + 1);
        const outcome = { kind: 'succeeded' } as const;
        const over = runs.map((run) => ({ ...run, state: 'finished' as const, finishedAt: slot, outcome }));
        await Promise.all(over.map((run) => store.save(run)));
      };
      all.push(store.claim(runs, [skipOf(1000 + slot)]).then(ends));
    };
    for (let slot = 1; slot <= 150; slot += 1) {
      begin(slot);
      if (slot % 3 === 0) await Promise.race([all.at(-1), server.ask('SELECT 1')]);
      if (!kill.has(slot)) continue;
      await server.kill();
      isDown = true;
      begin(slot + 500);
      await until('the store to say that it is degraded', () => health.at(-1)?.kind === 'degraded');
      isDown = false;
      await server.start();
      await until('the store to be well again', () => health.at(-1)?.kind === 'well');
    }
    await Promise.all(all);
    expect(settledWhileDown).toBe(0);
    expect(health.filter(({ kind }) => kind === 'well')).toHaveLength(kill.size);
    expect(health[0]).toMatchObject({ kind: 'degraded', message: expect.stringContaining('PostgreSQL at') });
    expect(JSON.stringify(health)).toContain('cannot be reached');
    expect(wins.size, `seed ${SEED}`).toBe(459);
    expect(Math.max(...wins.values())).toBe(1);
    expect(await counts(database)).toMatchObject({ runs: 459, skips: 153 });
    const [row] = await database.query(
      "SELECT count(*) AS runs, count(DISTINCT (job, scheduled_at)) AS slots FROM runs WHERE outcome ->> 'kind' = 'succeeded'",
    );
    expect(row).toEqual({ runs: 459, slots: 459 });
    await store.close();
  });
});
