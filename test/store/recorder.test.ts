/** A batch whose answer was lost is recorded again, and what it is about may have gone on meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Batch } from '../../src/store/batch.ts';
import { MOST_REQUESTS, REQUEST_MEMORY } from '../../src/store/requests.ts';
import { openDatabase } from '../../src/store/sqlite/open.ts';
import { Recorder } from '../../src/store/sqlite/recorder.ts';
import { runOf } from './conformance.ts';

it.each(['schedule', 'manual'] as const)(
  'claims again what it claimed before, with its newest state: %s',
  (cause) => {
    const directory = mkdtempSync(join(tmpdir(), 'tsched-recorder-'));
    const db = openDatabase(join(directory, 'tsched.db'));
    try {
      const recorder = new Recorder(db);
      const run = runOf('run', 100, { cause });
      const batch = new Batch();
      batch.claim([run], []);
      expect(recorder.record(batch.data)).toEqual([true]);
      batch.save({ ...run, state: 'finished', finishedAt: 200, outcome: { kind: 'succeeded' } });
      expect(recorder.record(batch.data)).toEqual([true]);
      expect(db.prepare('SELECT state, finished_at FROM runs').all()).toMatchObject([
        { state: 'finished', finished_at: 200 },
      ]);
    } finally {
      db.close();
      rmSync(directory, { recursive: true });
    }
  },
);

it('keeps the newest requests of a day, and no more than there is room for', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-recorder-'));
  const db = openDatabase(join(directory, 'tsched.db'));
  try {
    const recorder = new Recorder(db);
    const record = (keys: readonly string[], at: number): void => {
      const batch = new Batch();
      for (const key of keys) batch.keepRequest({ key, what: '', runId: '', at });
      recorder.record(batch.data);
    };
    const keys = (): unknown[] =>
      db
        .prepare('SELECT key FROM requests ORDER BY number')
        .all()
        .map(({ key }) => key);
    record(['old', 'kept'], 0);
    record(['kept'], REQUEST_MEMORY);
    record(['new'], REQUEST_MEMORY + 1);
    expect(keys()).toEqual(['kept', 'new']);
    record(
      Array.from({ length: MOST_REQUESTS }, (_, n) => `${n}`),
      REQUEST_MEMORY + 2,
    );
    expect(keys()).toHaveLength(MOST_REQUESTS);
    expect(keys().at(0)).toBe('0');
  } finally {
    db.close();
    rmSync(directory, { recursive: true });
  }
});
