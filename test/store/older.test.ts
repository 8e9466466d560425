/** A history that an older tsched wrote. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { openDatabase, openToRead } from '../../src/store/sqlite/open.ts';
import { Reader } from '../../src/store/sqlite/reader.ts';
import { Recorder } from '../../src/store/sqlite/recorder.ts';
import { migrate, SCHEMA_VERSION, schemaVersion } from '../../src/store/sqlite/schema.ts';
import { Batch } from '../../src/store/batch.ts';
import { runOf, skipOf } from './conformance.ts';

const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** A database with the tables of an older version, and a run and a skip in it. */
function old(version: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-older-'));
  made.push(directory);
  const path = join(directory, 'tsched.db');
  const db = new DatabaseSync(path);
  migrate(db, version);
  db.exec(`INSERT INTO jobs (id, schedule, decided_to) VALUES ('a', 's', 100);
    INSERT INTO runs (id, job, scheduled_at, manual, cause, claimed_at, state, attempts) VALUES ('1', 1, 100, 0, 'schedule', 100, 'claimed', '[]');
    INSERT INTO skips (job, scheduled_at, through, count, reason, at) VALUES (1, 50, 50, 1, 'misfire', 50)`);
  db.close();
  return path;
}

describe.each(Array.from({ length: SCHEMA_VERSION - 1 }, (_, n) => n + 1))(
  'tables of version %i',
  (version) => {
    it('are brought up to date by a daemon, with all that is in them', () => {
      const path = old(version);
      const db = openDatabase(path);
      expect(schemaVersion(db)).toBe(SCHEMA_VERSION);
      const batch = new Batch();
      batch.claim([runOf('2', 100), runOf('3', 200)], []);
      // The slot of the run that was there is still claimed.
      expect(new Recorder(db).record(batch.data)).toEqual([false, true]);
      db.close();
      const reader = new Reader(openToRead(path));
      expect(reader.rows({ jobId: 'a', limit: 10 })).toEqual([
        { run: runOf('3', 200) },
        { run: runOf('1', 100) },
        { skip: skipOf(50) },
      ]);
      reader.close();
    });

    it('are not read by those that would not understand them, who say what to do', () => {
      const refusal = {
        reason: 'older',
        hint: expect.stringContaining('start a daemon of this version') as string,
      };
      expect(() => openToRead(old(version))).toThrow(expect.objectContaining(refusal));
    });
  },
);
