/** A state directory as a daemon leaves it after weeks: many jobs, and a history that looks like one. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runIds } from '../../src/engine/run-id.ts';
import type { Instant, Outcome, RunRecord } from '../../src/model.ts';
import { cronTrigger } from '../../src/schedule/trigger.ts';
import { Batch } from '../../src/store/batch.ts';
import { openDatabase } from '../../src/store/sqlite/open.ts';
import { Recorder } from '../../src/store/sqlite/recorder.ts';

export interface Seed {
  readonly jobs: number;
  readonly runs: number;
  /** The history ends here. */
  readonly now: Instant;
  /** Of chance: the same seed makes the same history. */
  readonly seed: number;
}

const MINUTE = 60_000;
const FAMILIES = [
  'backup',
  'etl',
  'report',
  'sync',
  'mail',
  'cleanup',
  'invoices',
  'thumbnails',
  'index',
  'probe',
];

interface Seeded {
  readonly id: string;
  readonly cron: string;
  /** Usual length of a run. */
  readonly length: number;
}

/** The job file's name is jobs.yaml, the state directory's state. */
export function seed(directory: string, { jobs, runs, now, seed: chance }: Seed): void {
  const random = mulberry32(chance);
  const all = Array.from({ length: jobs }, (_, n) => jobOf(n, random));
  const file = all.map(
    ({ id, cron, length }) =>
      `  ${id}: { cron: "${cron}", timezone: UTC, run: "true", tags: [${id.split('-')[0]}], description: Takes about ${Math.round(length / 1000)} s }\n`,
  );
  writeFileSync(join(directory, 'jobs.yaml'), `jobs:\n${file.join('')}`);
  mkdirSync(join(directory, 'state'), { mode: 0o700 });
  const db = openDatabase(join(directory, 'state/tsched.db'));
  const recorder = new Recorder(db);
  const records = slots(all, runs, now).map(([job, at]) => recordOf(job, at, random));
  records.sort((one, other) => one.claimedAt - other.claimedAt);
  const newId = runIds((bytes) => bytes.forEach((_, n) => (bytes[n] = random() * 256)));
  for (let first = 0; first < records.length; first += 5000) {
    const batch = new Batch();
    const some = records.slice(first, first + 5000);
    batch.claim(
      some.map((record) => Object.assign(record, { id: newId(record.claimedAt) })),
      [],
    );
    recorder.record(batch.data);
  }
  db.close();
}

function jobOf(n: number, random: () => number): Seeded {
  const minute = Math.floor(random() * 60);
  const cron =
    n % 10 === 0
      ? '0 2 * * *'
      : n % 10 < 3
        ? `${minute} */6 * * *`
        : n % 10 === 3
          ? '*/10 * * * *'
          : `${minute} * * * *`;
  const family = FAMILIES[n % FAMILIES.length] ?? '';
  const length = Math.round(Math.exp(random() * 7) * 1000);
  return { id: `${family}-${String(n).padStart(4, '0')}`, cron, length };
}

/** The newest so many. */
function slots(jobs: readonly Seeded[], count: number, now: Instant): [Seeded, Instant][] {
  const found: [Seeded, Instant][] = [];
  const triggers = jobs.map(
    (job) => [job, cronTrigger(job.cron, { timezone: 'UTC', dst: {} }, job.id)] as const,
  );
  for (let until = now; found.length < count; until -= 60 * MINUTE) {
    for (const [job, trigger] of triggers) {
      for (let at = trigger.next(until - 60 * MINUTE); at !== undefined && at <= until; at = trigger.next(at))
        found.push([job, at]);
    }
    if (now - until > 400 * 24 * 60 * MINUTE) break;
  }
  return found.slice(0, count);
}

function recordOf({ id, length }: Seeded, scheduledAt: Instant, random: () => number): RunRecord {
  const waits = random() < 0.03;
  const claimedAt = scheduledAt + Math.floor(waits ? random() * 6 * MINUTE : random() * 40);
  const startedAt = claimedAt + 2;
  const duration = Math.max(Math.round(length * Math.exp((random() + random() + random() - 1.5) * 0.7)), 5);
  const finishedAt = startedAt + duration;
  const outcome = outcomeOf(random(), duration);
  return {
    id: '',
    jobId: id,
    scheduledAt,
    cause: 'schedule',
    claimedAt,
    state: 'finished',
    attempts: [
      { number: 1, startedAt, timeout: 3_600_000, pid: 4711, startTime: 1, finishedAt, duration, outcome },
    ],
    finishedAt,
    outcome,
  };
}

function outcomeOf(chance: number, after: number): Outcome {
  if (chance < 0.02) return { kind: 'failed', exitCode: 1 };
  if (chance < 0.025) return { kind: 'timed_out', after };
  if (chance < 0.027) return { kind: 'cancelled', by: 'operator' };
  return { kind: 'succeeded', exitCode: 0 };
}

/** Tommy Ettinger's mulberry32. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
