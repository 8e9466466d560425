/** State directories with a history in them, made by what a daemon writes it with. */
import { randomFillSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runIds } from '../../src/engine/run-id.ts';
import type { JobId, Pause, Place, RunRecord, SkipRecord } from '../../src/model.ts';
import { Batch } from '../../src/store/batch.ts';
import { openDatabase } from '../../src/store/sqlite/open.ts';
import { Recorder } from '../../src/store/sqlite/recorder.ts';
import { statePaths } from '../../src/store/state-directory.ts';
import { directory } from './tsched.ts';

export interface Past {
  readonly runs?: readonly RunRecord[];
  readonly skips?: readonly SkipRecord[];
  readonly placed?: readonly (readonly [JobId, Place])[];
  readonly pauses?: readonly (readonly [JobId, Pause])[];
}

/** Records it in the state directory, which is a new one unless it is given. */
export function stateWith(past: Past, state = join(directory(), 'state')): string {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const db = openDatabase(statePaths(state).database);
  const { runs = [], skips = [], placed = [], pauses = [] } = past;
  const batch = new Batch();
  batch.claim(runs, skips);
  batch.place({ placed: new Map(placed), gone: [] });
  for (const [jobId, pause] of pauses) batch.pause(jobId, pause);
  const won = new Recorder(db).record(batch.data);
  db.close();
  if (won.includes(false)) throw new Error('two runs of one slot');
  return state;
}

const newId = runIds((bytes) => randomFillSync(bytes));

/** A run of `jobId` that came on time and succeeded after 1.5 s, unless `change` says otherwise. */
export function ran(jobId: JobId, scheduled: string, change: Partial<RunRecord> = {}): RunRecord {
  const scheduledAt = Date.parse(scheduled);
  const startedAt = scheduledAt + 12;
  const claimedAt = change.claimedAt ?? startedAt;
  const outcome = change.outcome ?? { kind: 'succeeded', exitCode: 0 };
  const finishedAt = startedAt + 1500;
  return {
    id: newId(claimedAt),
    jobId,
    scheduledAt,
    cause: 'schedule',
    claimedAt,
    state: 'finished',
    attempts: [{ number: 1, startedAt, finishedAt, duration: 1500, pid: 7, outcome }],
    finishedAt,
    outcome,
    ...change,
  };
}

/** A run that is not over: it has been claimed, and perhaps started. */
export function going(jobId: JobId, scheduled: string, change: Partial<RunRecord> = {}): RunRecord {
  const { outcome: _, finishedAt: __, ...run } = ran(jobId, scheduled);
  const startedAt = run.scheduledAt + 12;
  return { ...run, state: 'running', attempts: [{ number: 1, startedAt, pid: 7 }], ...change };
}

export function skipped(jobId: JobId, scheduled: string, change: Partial<SkipRecord> = {}): SkipRecord {
  const scheduledAt = Date.parse(scheduled);
  return {
    jobId,
    scheduledAt,
    through: scheduledAt,
    count: 1,
    reason: 'overlap',
    at: scheduledAt + 5,
    ...change,
  };
}

/** What an attempt printed. */
export function printed(
  state: string,
  { id }: Pick<RunRecord, 'id'>,
  attempts: readonly (string | Buffer)[],
): void {
  const path = join(statePaths(state).runs, id);
  mkdirSync(path, { recursive: true });
  for (const [index, output] of attempts.entries())
    writeFileSync(join(path, `attempt-${index + 1}.log`), output);
}
