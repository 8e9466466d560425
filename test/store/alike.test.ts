/** The same history in SQLite and in PostgreSQL gives the same answers, whatever is asked. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import { STATUSES, type RunPage, type RunQuery } from '../../src/engine/ports-operator.ts';
import type { Outcome, RunRecord, SkipRecord } from '../../src/model.ts';
import { openDatabase, type Database } from '../../src/postgres/database.ts';
import { Batch } from '../../src/store/batch.ts';
import { FAILED, type HistorySource } from '../../src/store/history.ts';
import { openPostgresHistory } from '../../src/store/postgres/history.ts';
import { firstIdAt } from '../../src/store/rows.ts';
import { HistoryThread } from '../../src/store/sqlite/history-thread.ts';
import { openDatabase as openSqlite } from '../../src/store/sqlite/open.ts';
import { Recorder } from '../../src/store/sqlite/recorder.ts';
import { SEED } from '../support/cron-judge.ts';
import { Random } from '../support/cron-oracle.ts';
import { startPostgres, VERSIONS, type Postgres } from '../support/postgres.ts';
import { copyRows } from './copied.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 10, 28);
const JOBS = ['a', 'b', 'C', 'd.e', 'f-g', 'ä', 'z'];
/** What PostgreSQL's text does not take as it is. */
const ODD = 'nul \0, half \ud800, mark \ue000';
const random = new Random(SEED);
/** A whole number below another. */
const below = (most: number): number => random.int(0, most - 1);

function outcome(): Outcome {
  const kind = random.pick(['succeeded', 'succeeded', 'succeeded', 'cancelled', ...FAILED] as const);
  const more = random.pick([{ exitCode: 1 }, { message: ODD }, { result: { [ODD]: [ODD, 1, null] } }, {}]);
  return { kind, ...more } as Outcome;
}

let made = 0;
/** As UUIDv7s are: by the time of the claim, and in the order they are made in. */
function idAt(at: number): string {
  made += 1;
  const tail = `${below(2) === 0 ? '7000' : '7fff'}-8000-${made.toString(16).padStart(12, '0')}`;
  return `${firstIdAt(at)}-${tail}`;
}

/** A run as it may stand: in line, under way, between tries, over; in parts, by hand, of a replay. */
function run(): RunRecord {
  const cause = random.pick(['schedule', 'schedule', 'catch_up', 'manual', 'replay', 'dependency'] as const);
  // Within three days, many at the same times.
  const scheduledAt = NOW - below(72 * 4) * 15 * MINUTE;
  const late = random.pick([0, 5, below(5000), below(3 * HOUR), below(30 * HOUR)]);
  const claimedAt = cause === 'manual' ? scheduledAt + below(20 * MINUTE) : scheduledAt + late;
  const startedAt = claimedAt + below(1000) - (below(20) === 0 ? 2000 : 0);
  const length = random.pick([5, below(MINUTE), below(2 * HOUR), below(40 * HOUR)]);
  const state = below(10) === 0 ? random.pick(['claimed', 'running', 'retrying'] as const) : 'finished';
  const began = state !== 'claimed' && below(12) > 0;
  const over = state === 'finished' ? { finishedAt: startedAt + length, outcome: outcome() } : {};
  const attempts = began ? [{ number: 1, startedAt, ...over, duration: length + 0.25 }] : [];
  const inParts = below(8) === 0;
  return {
    id: idAt(claimedAt),
    jobId: random.pick(JOBS),
    scheduledAt,
    cause,
    claimedAt,
    state,
    attempts: inParts ? [] : attempts,
    ...(inParts ? { shards: [{ index: 0, total: 1, state, attempts, ...over }] } : {}),
    ...(cause === 'replay' ? { replay: `replay-${below(3)}` } : {}),
    ...(cause === 'manual' && below(2) === 0 ? { with: { to: [ODD], n: 1.5 } } : {}),
    ...(cause === 'dependency' ? { upstream: [{ jobId: 'a', outcome: 'skipped' as const }] } : {}),
    ...(below(9) === 0 ? { pool: { name: 'p', slots: 2 } } : {}),
    ...(below(9) === 0 ? { waited: { limit: 'p', since: claimedAt, heldBy: ['a'] } } : {}),
    ...(state === 'retrying' ? { retryAt: startedAt + MINUTE } : {}),
    ...over,
  };
}

function skip(): SkipRecord {
  const scheduledAt = NOW - below(72 * 4) * 15 * MINUTE;
  const through = scheduledAt + random.pick([0, 0, 15 * MINUTE, below(DAY)]);
  return {
    jobId: random.pick(JOBS),
    scheduledAt,
    through,
    ...(below(5) === 0 ? {} : { count: 1 + below(9) }),
    reason: random.pick(['misfire', 'overlap', 'dependency'] as const),
    ...(below(5) === 0 ? { detail: ODD } : {}),
    at: through + below(MINUTE),
  };
}

/** Some are in the middle of things, some outside all. */
const instant = (): number => NOW - below(80 * 4) * 15 * MINUTE + random.pick([0, 0, 0, 7, HOUR]);

function window(): { since: number; until: number } {
  const since = instant();
  return { since, until: since + 1 + below(random.pick([HOUR, DAY, 3 * DAY])) };
}

function query(): RunQuery {
  const statuses = STATUSES.filter(() => below(4) === 0);
  return {
    limit: 1 + below(40),
    ...(below(2) === 0 ? { jobId: random.pick([...JOBS, 'nobody']) } : {}),
    ...(below(3) === 0 ? { since: instant() } : {}),
    ...(below(3) === 0 ? { until: instant() } : {}),
    ...(below(3) === 0 ? { statuses } : {}),
  };
}

/** All pages, with their cursors: either's is the other's. */
async function pages(history: HistorySource, asked: RunQuery): Promise<(RunPage | undefined)[]> {
  const found: (RunPage | undefined)[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await history.page({ ...asked, cursor });
    found.push(page);
    cursor = page?.next;
    if (cursor === undefined || found.length === 5) return found;
  }
}

const jobs = (): string[] => [...JOBS, 'nobody'].filter(() => below(2) === 0);

type Question = (history: HistorySource) => Promise<unknown>;

/** One of each kind, with what it asks in words for a test that fails. */
function questions(ids: readonly string[]): [string, Question][] {
  const [asked, at, jobId, span] = [query(), instant(), random.pick([...JOBS, 'nobody']), window()];
  const id = random.pick(ids);
  const prefix = id.slice(0, random.pick([6, 12, 15, id.length]));
  const count = 1 + below(12);
  const some = jobs();
  const lanes = { ...window(), jobIds: [...some, ...some.slice(0, 1)], parts: 10 + below(500) };
  const day = random.pick([HOUR, DAY]);
  const first = instant();
  const spans = Array.from({ length: below(6) }, (_, n) => first + n * day).map((since) => ({
    since,
    until: since + day - random.pick([0, 0, MINUTE]),
  }));
  const all: [string, unknown, Question][] = [
    ['page', asked, (history) => pages(history, asked)],
    ['run', prefix, (history) => history.run(prefix)],
    ['uniqueLengths', id, (history) => history.uniqueLengths([id, ids[0] ?? id])],
    ['jobs', [some, count], (history) => history.jobs(some, count)],
    ['slot', [jobId, at], (history) => history.slot(jobId, at)],
    ['newestSlot', [jobId, at], (history) => history.newestSlot(jobId, at)],
    ['failing', '', (history) => history.failing()],
    ['counts', [jobId, spans], (history) => history.counts(jobId, spans)],
    ['hours', span, (history) => history.hours(span)],
    ['lanes', lanes, (history) => history.lanes(lanes)],
    ['load', span, (history) => history.load(span)],
  ];
  return all.map(([name, of, question]) => [`${name} ${JSON.stringify(of)}, seed ${SEED}`, question]);
}

describe.each(VERSIONS)('the history in $name', (version) => {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-alike-'));
  const path = join(directory, 'tsched.db');
  const sqlite = new HistoryThread(path);
  let server: Postgres | undefined;
  let database: Database | undefined;

  beforeAll(async () => {
    server = await startPostgres({ version });
    database = await openDatabase({ url: await server.createDatabase(), clock: systemClock });
  });
  afterAll(async () => {
    await sqlite.close();
    await database?.close();
    await server?.stop();
    rmSync(directory, { recursive: true });
  });

  it('answers as the one in SQLite', async () => {
    if (database === undefined) throw new Error('no database');
    const history = openPostgresHistory(database);
    const db = openSqlite(path);
    const recorder = new Recorder(db);
    for (const amount of [0, 20, 400, 2000]) {
      const batch = new Batch();
      const runs = Array.from({ length: amount }, run);
      batch.claim(runs, Array.from({ length: amount / 5 }, skip));
      const placed = JOBS.slice(0, 5).map((id) => [id, { schedule: 's', from: NOW }] as const);
      batch.place({ placed: new Map(placed), gone: [] });
      recorder.record(batch.data);
      await copyRows(path, database);
      const ids = [...runs.map(({ id }) => id), 'ffff'];
      for (let n = 0; n < 60; n += 1) {
        for (const [name, question] of questions(ids)) {
          const [expected, told] = await Promise.all([question(sqlite), question(history)]);
          expect(told, name).toEqual(expected);
        }
      }
    }
    db.close();
  });
});
