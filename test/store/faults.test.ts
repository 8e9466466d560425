/** The disk fails under the store: nothing waits for it, and once it can be written again all is there. */
import { spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { until } from '../support/daemon.ts';
import { contentsOf, StoreProcess } from '../support/store-process.ts';
import { runOf } from './conformance.ts';
import {
  database,
  expectComplete,
  finished,
  history,
  idOf,
  injected,
  later,
  soundness,
  strace,
} from './fault.ts';

describe('a system call that fails', () => {
  it.each([
    // By then the database is made, and open.
    ['fsync', 'EIO', '14..15', 'disk I/O error'],
    ['pwrite64', 'ENOSPC', '80..81', 'database or disk is full'],
    ['pwrite64', 'EROFS', '80..81', 'disk I/O error'],
  ])(
    '%s with %s: the history waits in memory, and is complete in the end',
    async (call, error, when, message) => {
      const path = database();
      const log = join(path, '../../strace.log');
      const store = new StoreProcess(path, later, strace(log, call, `error=${error}:when=${when}`));
      await store.opened();
      const won = await history(store, 100, 30);
      await store.until('the store to say so', () => store.health[0]);
      expect(injected(log)).toBeGreaterThan(0);
      expect(store.health[0]).toMatchObject({ kind: 'degraded', message });
      expect(won).not.toContain(false);
      expect(await store.claim([runOf('again', 100)])).toEqual([false]);
      store.runs.delete('again');
      expect(await store.healed()).toMatchObject({ dropped: 0 });
      await history(store, 1000, 5);
      await store.close();
      expectComplete(store, path);
    },
  );

  it.each([
    ['fsync', 'EIO', [2, 4, 8]],
    ['pwrite64', 'ENOSPC', [1, 2, 4, 8, 12]],
  ])(
    '%s with %s while the database is made: refused, and nothing is in the way of the next try',
    async (call, error, nths) => {
      for (const nth of nths) {
        const path = database();
        const log = join(path, '../../strace.log');
        // The lock is made by the main thread, with fewer calls.
        const store = new StoreProcess(path, later, strace(log, call, `error=${error}:when=${nth}+`));
        await store.until('its end', () => store.ended ?? store.pid);
        expect(injected(log)).toBeGreaterThan(0);
        // Or it came after all that must be written for a start.
        expect(store.refusal?.message ?? 'opened').toMatch(/full|I\/O|opened/);
        if (store.pid !== undefined) process.kill(store.pid, 'SIGKILL');
        await store.until('its end', () => store.ended);
        const next = await new StoreProcess(path, later).opened();
        await history(next, 100, 2);
        await next.close();
        expectComplete(next, path);
      }
    },
  );
});

/** A process that holds the database so that nobody else can write it. */
async function locker(path: string): Promise<() => void> {
  const script = `
    const { DatabaseSync } = require('node:sqlite');
    const db = new DatabaseSync(process.argv[1]);
    db.exec('BEGIN EXCLUSIVE');
    console.log('locked');
    process.stdin.resume().on('end', () => process.exit());`;
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  later(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  await until('the lock', () => said !== '');
  return () => child.stdin.end();
}

describe('a database that another process locks', () => {
  it('holds up neither the loop nor a claim', async () => {
    const path = database();
    const store = await new StoreProcess(path, later).opened();
    await history(store, 100, 3);
    const release = await locker(path);
    await store.turns();
    // Each of these is answered while the lock is held.
    expect(await store.claim([runOf(idOf(200), 200)])).toEqual([true]);
    expect(await store.turns()).toBeGreaterThan(20);
    expect(store.isDegraded()).toMatchObject({ message: expect.stringMatching(/locked|answer/) });
    expect(await history(store, 300, 50)).not.toContain(false);
    expect(await store.claim([runOf('again', 300), runOf('too', 100)])).toEqual([false, false]);
    for (const id of ['again', 'too']) store.runs.delete(id);
    await store.save(finished(200));
    const degraded = store.health.length;
    release();
    await store.healed();
    expect(store.health.length).toBeLessThanOrEqual(degraded + 2);
    await store.close();
    expectComplete(store, path);
  });

  it('lets a retry begin: its save does not wait for the disk either', async () => {
    const path = database();
    const store = await new StoreProcess(path, later).opened();
    const release = await locker(path);
    const first = store.claim([runOf(idOf(200), 200)]);
    // Asked while that is on its way.
    const attempts = [{ number: 1, startedAt: 1 }];
    await store.save(runOf(idOf(300), 300, { state: 'running', attempts }));
    expect(await first).toEqual([true]);
    release();
    await store.healed();
    await store.close();
    expectComplete(store, path);
  });

  it('at the end is not waited for without end', async () => {
    const path = database();
    const store = await new StoreProcess(path, later).opened();
    await history(store, 100, 1);
    const release = await locker(path);
    await history(store, 200, 1);
    await store.close();
    release();
    expect(contentsOf(path).runs.map(({ id }) => id)).toEqual([idOf(100)]);
    expect(soundness(path)).toEqual([]);
  });
});

describe('a database that is taken away', () => {
  it.each([
    ['the file', (path: string) => rmSync(path)],
    ['its whole directory', (path: string) => rmSync(join(path, '..'), { recursive: true })],
    ['by renaming it', (path: string) => renameSync(path, `${path}.old`)],
  ])('%s: a new one is begun, which knows how far each job had come', async (_, take) => {
    const path = database();
    const store = await new StoreProcess(path, later).opened();
    await store.place([['a', { schedule: 's', from: 0 }]]);
    await store.pause('b', { since: 5 });
    await history(store, 100, 3);
    take(path);
    store.runs.clear();
    store.skips.length = 0;
    expect(await history(store, 200, 3)).not.toContain(false);
    expect(store.isDegraded()).toMatchObject({ message: expect.stringContaining('was removed') });
    expect(await store.claim([runOf('again', 104)])).toEqual([false]);
    store.runs.delete('again');
    await store.healed();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await history(store, 300, 1);
    await store.close();
    expectComplete(store, path);
    const db = new DatabaseSync(path, { readOnly: true });
    expect(db.prepare('SELECT decided_to FROM jobs WHERE id = ?').get('a')).toEqual({ decided_to: 301 });
    expect(db.prepare('SELECT job_id FROM pauses').all()).toEqual([{ job_id: 'b' }]);
    db.close();
  });

  it('and the directory is another daemon’s by then: history goes on in memory, and says why', async () => {
    const path = database();
    const store = await new StoreProcess(path, later).opened();
    await history(store, 100, 1);
    rmSync(join(path, '..'), { recursive: true });
    mkdirSync(join(path, '..'), { mode: 0o700 });
    const other = await new StoreProcess(path, later).opened();
    expect(await history(store, 200, 2)).not.toContain(false);
    await store.until(
      'it to say so',
      () =>
        store.isDegraded()?.kind === 'degraded' &&
        store.health.some((each) => each.kind === 'degraded' && each.message.includes('already')),
    );
    await history(other, 500, 1);
    await other.close();
    store.runs.delete(idOf(100));
    store.skips.shift();
    await store.healed();
    await store.close();
    const { runs } = contentsOf(path);
    expect(runs.map(({ id }) => id)).toEqual([idOf(200), idOf(202), idOf(500)]);
  });
});

const GARBAGE = 'garbage! '.repeat(1000);

/** Writes over the beginning of a file, which stays the same file. */
function overwrite(path: string, text: string): void {
  const file = openSync(path, 'r+');
  writeSync(file, text, 0);
}

/** A database of some size that was closed well. */
async function written(path: string): Promise<void> {
  const store = await new StoreProcess(path, later).opened();
  await store.claim(
    Array.from({ length: 500 }, (_, n) => runOf(idOf(1000 + n), 1000 + n)),
    [],
  );
  await store.close();
}

describe('a damaged database', () => {
  it.each([
    ['overwritten from its beginning', (path: string) => overwrite(path, GARBAGE), /not an SQLite database/],
    ['cut', (path: string) => truncateSync(path, 20_480), /its end is missing/],
    [
      'overwritten in the middle',
      (path: string) => {
        const file = openSync(path, 'r+');
        for (let page = 2; page < 12; page += 1) writeSync(file, GARBAGE.slice(0, 4096), page * 4096);
      },
      /damaged/,
    ],
    ['another program’s', (path: string) => foreign(path), /another program/],
  ])('that was %s is refused at the start, and left as it is', async (_, damage, message) => {
    const path = database();
    await written(path);
    damage(path);
    const before = readFileSync(path);
    const { message: said, hint } = await new StoreProcess(path, later).refused();
    expect(said).toMatch(message);
    expect(hint).toMatch(/tsched db check|--state-dir/);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it.each([
    ['overwritten', (path: string) => overwrite(path, GARBAGE)],
    ['cut', (path: string) => truncateSync(path, 8192)],
  ])(
    'that was %s at run time: nothing stops, and all is there when a good one is in its place',
    async (_, damage) => {
      const path = database();
      await written(path);
      const copy = `${path}.copy`;
      cpSync(path, copy);
      const store = await new StoreProcess(path, later).opened();
      forgetCached(path);
      damage(path);
      // What SQLite has in its memory is good for a while.
      let slot = 5000;
      while (store.health.length === 0) {
        expect(await history(store, slot, 10)).not.toContain(false);
        slot += 20;
        expect(slot).toBeLessThan(100_000);
      }
      expect(store.isDegraded()).toMatchObject({ kind: 'degraded' });
      expect(await history(store, 200_000, 3)).not.toContain(false);
      for (const beside of ['', '-wal', '-shm']) rmSync(`${path}${beside}`, { force: true });
      renameSync(copy, path);
      await store.healed();
      await store.close();
      const ids = new Set(contentsOf(path).runs.map(({ id }) => id));
      expect(ids.has(idOf(1000))).toBe(true);
      for (const at of [200_000, 200_002, 200_004]) expect(ids.has(idOf(at))).toBe(true);
      expect(soundness(path)).toEqual([]);
    },
  );

  it('whose last checkpoint was cut short is none: its end is in the write-ahead log', async () => {
    const path = database();
    await written(path);
    const { size } = statSync(path);
    const store = await new StoreProcess(path, later).opened();
    expect(await history(store, 100_000, 200)).not.toContain(false);
    process.kill(store.pid ?? 0, 'SIGKILL');
    await store.until('its end', () => store.ended);
    const log = readFileSync(`${path}-wal`);
    const db = new DatabaseSync(path);
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    db.close();
    expect(statSync(path).size).toBeGreaterThan(size);
    // As a full disk leaves it, or a kill: the first pages are written, the file has not become longer yet.
    truncateSync(path, size);
    writeFileSync(`${path}-wal`, log);
    expect(contentsOf(path).runs.length).toBe(700);
    const next = await new StoreProcess(path, later).opened();
    await next.close();
    expect(contentsOf(path).runs.length).toBe(700);
    expect(soundness(path)).toEqual([]);
  });

  it('that is cut by more than the write-ahead log can hold is refused, with its log', async () => {
    const path = database();
    await written(path);
    truncateSync(path, 20_480);
    writeFileSync(`${path}-wal`, Buffer.alloc(32 + 4120));
    const { message, hint } = await new StoreProcess(path, later).refused();
    expect(message).toMatch(/its end is missing/);
    expect(hint).toContain(`mv ${path}-wal ${path}.damaged-wal`);
  });

  it('that a newer tsched wrote is refused, by both versions, and left as it is', async () => {
    const path = database();
    await written(path);
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 1000');
    db.close();
    const before = readFileSync(path);
    const { kind, message, hint } = await new StoreProcess(path, later).refused();
    expect(kind).toBe('refused');
    expect(message).toMatch(
      /written by a newer tsched: its tables are version 1000, this one knows up to \d+/,
    );
    expect(hint).toContain('--state-dir');
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});

/** What SQLite has in its memory would be good for long: it lets go of that when another process has written. */
function forgetCached(path: string): void {
  const db = new DatabaseSync(path);
  db.exec("INSERT INTO pauses VALUES ('other', 1, NULL, NULL); PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
}

function foreign(path: string): void {
  rmSync(path);
  const db = new DatabaseSync(path);
  db.exec('PRAGMA application_id = 7; CREATE TABLE theirs (x)');
  db.close();
}
