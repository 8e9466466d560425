/** A batch whose answer was lost is recorded again, and what it is about may have gone on meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Batch } from '../../src/store/batch.ts';
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
