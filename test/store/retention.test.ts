import { existsSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { RunRecord, SkipRecord } from '../../src/model.ts';
import { Batch } from '../../src/store/batch.ts';
import { openDatabase } from '../../src/store/sqlite/open.ts';
import { readHistory } from '../../src/store/sqlite/reader.ts';
import { Recorder } from '../../src/store/sqlite/recorder.ts';
import type { PruneRequest } from '../../src/store/pruner.ts';
import { prune } from '../../src/store/sqlite/retention.ts';
import { PATIENCE } from '../support/patience.ts';
import { skipOf } from './conformance.ts';
import { claimed, finished, newPath, open } from './files.ts';

const NOW = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;

function record(db: DatabaseSync, runs: readonly RunRecord[], skips: readonly SkipRecord[] = []): void {
  const batch = new Batch();
  batch.claim(runs, skips);
  new Recorder(db).record(batch.data);
}

/** Runs of a job, one an hour, the newest an hour ago. */
function hourly(jobId: string, count: number): RunRecord[] {
  return Array.from({ length: count }, (_, n) => finished(claimed(jobId, NOW - (count - n) * HOUR)));
}

/** Prunes to the end; gives each slice's removed runs. */
function pruneAll(db: DatabaseSync, request: Partial<PruneRequest>, isOver?: () => boolean): string[][] {
  const slices: string[][] = [];
  let from = 0;
  for (let more = true; more;) {
    const pruned = prune(db, { keep: 1000, now: NOW, ...request, from }, isOver);
    slices.push([...pruned.runs]);
    ({ more, next: from } = pruned);
    if (slices.length > 10_000) throw new Error('pruning has no end');
  }
  return slices;
}

function rowsOf(db: DatabaseSync, jobId: string): number[] {
  return db
    .prepare(
      'SELECT r.scheduled_at FROM runs r JOIN jobs j ON j.number = r.job WHERE j.id = ? ORDER BY 1 DESC',
    )
    .all(jobId)
    .map((row) => Number(row['scheduled_at']));
}

describe('pruning', () => {
  it('keeps what was replayed beside the newest slots, though its slots are old; of that the newest replays', () => {
    const db = openDatabase(newPath());
    const replayed = (replay: string, hours: number): RunRecord =>
      finished({ ...claimed('a', NOW - hours * HOUR), cause: 'replay', replay, id: `${replay}-${hours}` });
    const replays = [replayed('r1', 100), replayed('r1', 99), replayed('r2', 101), replayed('r2', 98)];
    record(db, [...hourly('a', 10), ...replays]);
    pruneAll(db, { keep: 3 });
    expect(rowsOf(db, 'a')).toEqual([1, 2, 3, 98, 99, 101].map((hours) => NOW - hours * HOUR));
  });

  it('keeps the newest rows of each job, in slices', () => {
    const db = openDatabase(newPath());
    record(
      db,
      [...hourly('a', 2000), ...hourly('b', 3)],
      [1, 2, 3, 4].map((at) => skipOf(NOW + at)),
    );
    const slices = pruneAll(db, { keep: 3 });
    expect(slices.flat()).toHaveLength(1997);
    expect(Math.max(...slices.map(({ length }) => length))).toBeLessThanOrEqual(500);
    expect(rowsOf(db, 'a')).toEqual([1, 2, 3].map((hours) => NOW - hours * HOUR));
    expect(rowsOf(db, 'b')).toHaveLength(3);
    expect(db.prepare('SELECT scheduled_at - ? AS n FROM skips').all(NOW)).toMatchObject([
      { n: 2 },
      { n: 3 },
      { n: 4 },
    ]);
    db.close();
  });

  it('removes what is too old, however little there is', () => {
    const db = openDatabase(newPath());
    const old = skipOf(NOW - 100 * HOUR);
    record(db, hourly('a', 1200), [old, skipOf(NOW - HOUR)]);
    const slices = pruneAll(db, { maxAge: 48 * HOUR + 1 });
    expect(slices.flat()).toHaveLength(1200 - 48);
    expect(slices.length).toBeGreaterThan(2);
    expect(rowsOf(db, 'a')).toHaveLength(48);
    expect(db.prepare('SELECT count(*) AS n FROM skips').get()).toMatchObject({ n: 1 });
    db.close();
  });

  it('leaves what is not finished, and does not look at other jobs than it is told', () => {
    const db = openDatabase(newPath());
    record(db, [claimed('a', NOW - 5000 * HOUR), ...hourly('a', 10), ...hourly('b', 10)]);
    pruneAll(db, { keep: 1, maxAge: 20 * HOUR, jobs: ['unknown', 'a'] });
    expect(rowsOf(db, 'a')).toEqual([NOW - HOUR, NOW - 5000 * HOUR]);
    expect(rowsOf(db, 'b')).toHaveLength(10);
    db.close();
  });

  it.each([[undefined], [Array.from({ length: 300 }, (_, n) => `job-${n}`)]])(
    'comes to an end where each slice has time for one step only',
    (jobs) => {
      const db = openDatabase(newPath());
      const many = Array.from({ length: 300 }, (_, n) => hourly(`job-${n}`, n % 10 === 0 ? 3 : 1));
      record(db, [...many.flat(), ...hourly('job-299', 200)]);
      const request = jobs === undefined ? { keep: 1 } : { keep: 1, jobs };
      const removed = pruneAll(db, request, () => true).flat();
      expect(new Set(removed).size).toBe(removed.length);
      expect(db.prepare('SELECT count(*) AS n FROM runs').get()).toMatchObject({ n: 300 });
      db.close();
    },
  );

  it('gives the room back to the file system', () => {
    const path = newPath();
    const db = openDatabase(path);
    expect(db.prepare('PRAGMA auto_vacuum').get()).toMatchObject({ auto_vacuum: 2 });
    record(db, hourly('a', 20_000));
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const before = statSync(path).size;
    pruneAll(db, { keep: 10 });
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    expect(before).toBeGreaterThan(5_000_000);
    expect(statSync(path).size).toBeLessThan(500_000);
    expect(db.prepare('PRAGMA freelist_count').get()).toMatchObject({ freelist_count: 0 });
    db.close();
  });
});

describe('a store', () => {
  it('prunes when it is told to keep less, while slots are claimed and runs go on', async () => {
    const path = newPath();
    const pruned: string[] = [];
    const store = await open(path, { retention: { keep: 100_000 }, onPruned: (ids) => pruned.push(...ids) });
    const active = claimed('a', NOW - 3000 * HOUR);
    await store.claim([active], []);
    for (let job = 0; job < 5; job += 1) {
      const runs = hourly(`job-${job}`, 2000);
      await store.claim(runs, []);
    }
    store.retain({ keep: 10 });
    let claims = 0;
    let last = '';
    const end = performance.now() + PATIENCE;
    for (; pruned.length < 5 * 1990 && performance.now() < end; claims += 1) {
      // Where the disk stands still for a moment, claims wait for nothing, and would leave nobody a turn.
      await new Promise((resolve) => setImmediate(resolve));
      const run = claimed('new', NOW + claims);
      expect(await store.claim([run], [])).toEqual([true]);
      await store.save(finished(run));
      last = run.id;
    }
    expect(pruned.length).toBeGreaterThanOrEqual(5 * 1990);
    expect(claims).toBeGreaterThan(10);
    expect(await store.history({ jobId: 'job-0' })).toHaveLength(10);
    expect(await store.history({ jobId: 'a' })).toEqual([{ run: active }]);
    expect(await store.owners([active.id, pruned[0] ?? '', last])).toEqual(
      new Map([
        [active.id, { jobId: 'a', isFinished: false }],
        [last, { jobId: 'new', isFinished: true }],
      ]),
    );
    await store.close();
  });

  it('is not held up by who reads for ever, says so, and takes the room back afterwards (F45)', async () => {
    const path = newPath();
    const said: number[] = [];
    const store = await open(path, { retention: { keep: 100_000 }, onLongLog: (bytes) => said.push(bytes) });
    let tick = 0;
    const work = async (): Promise<void> => {
      tick += 1;
      const runs = Array.from({ length: 200 }, (_, n) => claimed(`job-${n}`, NOW + tick));
      expect((await store.claim(runs, [])).every(Boolean)).toBe(true);
      await Promise.all(runs.map((run) => store.save(finished(run))));
    };
    const logSize = (): number => statSync(`${path}-wal`).size;
    for (let n = 0; n < 30; n += 1) await work();
    expect(logSize()).toBeLessThan(20_000_000);
    expect(said).toEqual([]);

    const reader = new DatabaseSync(path, { readOnly: true });
    reader.exec('BEGIN');
    expect(reader.prepare('SELECT count(*) AS n FROM runs').get()).toMatchObject({ n: 6000 });
    for (let n = 0; n < 500 && said.length === 0; n += 1) await work();
    expect(said).toHaveLength(1);
    expect(logSize()).toBeGreaterThan(64_000_000);
    reader.close();

    for (let n = 0; n < 50 && logSize() > 20_000_000; n += 1) await work();
    expect(logSize()).toBeLessThan(20_000_000);
    expect(said).toHaveLength(1);
    await store.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    const history = readHistory(path);
    expect(history.figures()).toMatchObject({ runs: tick * 200, active: 0 });
    history.close();
  });
});
