/** Whatever comes, SQLite and PostgreSQL record the same, say the same of claims, and prune the same. */
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { Join } from '../../src/join.ts';
import type { Cause, RunRecord } from '../../src/model.ts';
import { openDatabase, type Database } from '../../src/postgres/database.ts';
import type { Replay } from '../../src/replay.ts';
import { Batch } from '../../src/store/batch.ts';
import { prune as prunePostgres } from '../../src/store/postgres/retention.ts';
import { Recorder as PostgresRecorder } from '../../src/store/postgres/recorder.ts';
import type { Pruned, PruneRequest } from '../../src/store/pruner.ts';
import { firstIdAt } from '../../src/store/rows.ts';
import { migrate } from '../../src/store/sqlite/schema.ts';
import { Recorder as SqliteRecorder } from '../../src/store/sqlite/recorder.ts';
import { prune as pruneSqlite } from '../../src/store/sqlite/retention.ts';
import { SEED } from '../support/cron-judge.ts';
import { Random } from '../support/cron-oracle.ts';
import { startPostgres, VERSIONS, type Postgres } from '../support/postgres.ts';
import { messageOf, runOf, skipOf } from './conformance.ts';

const JOBS = ['a', 'b', 'C', 'ä'];
const NOW = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;

const random = new Random(SEED);
const below = (most: number): number => random.int(0, most - 1);

const slot = (): number => NOW - below(12) * HOUR;
let made = 0;
let known: RunRecord[] = [];

function run(): RunRecord {
  const cause: Cause = random.pick(['schedule', 'schedule', 'catch_up', 'dependency', 'manual', 'replay']);
  made += 1;
  const scheduledAt = slot();
  const claimedAt = scheduledAt + below(3) * HOUR;
  const fresh = runOf(`${firstIdAt(claimedAt)}-${made.toString(16).padStart(12, '0')}`, scheduledAt, {
    jobId: random.pick(JOBS),
    cause,
    claimedAt,
    ...(cause === 'replay' ? { replay: random.pick(['r1', 'r2', 'r3']) } : {}),
    ...(cause === 'manual' ? { with: { to: ['x', null], n: 0.1 } } : {}),
  });
  known.push(fresh);
  return fresh;
}

/** How a run of before, or of this batch, stands now; also of one that was never won. */
function later(before: RunRecord): RunRecord {
  if (below(3) === 0) return { ...before, state: 'running', attempts: [{ number: 1, startedAt: NOW }] };
  const outcome = random.pick([{ kind: 'succeeded' }, { kind: 'failed', exitCode: 1 }] as const);
  return { ...before, state: 'finished', finishedAt: NOW, outcome };
}

function some<Of>(most: number, make: () => Of): Of[] {
  return Array.from({ length: below(most + 1) }, make);
}

function batch(): Batch {
  const made = new Batch();
  if (below(4) === 0)
    made.place({
      placed: new Map(some(2, () => [random.pick(JOBS), { schedule: 's', from: slot() }])),
      gone: some(1, () => random.pick([...JOBS, 'nobody'])),
    });
  const waiting = below(5) === 0 ? new Map([[random.pick(JOBS), slot()]]) : undefined;
  const through = () => slot() + below(2) * HOUR;
  made.claim(
    some(5, run),
    some(2, () => skipOf(slot(), { jobId: random.pick(JOBS), through: through() })),
    waiting,
  );
  for (const before of some(4, () => random.pick(known.length === 0 ? [run()] : known)))
    made.save(later(before));
  if (below(4) === 0) made.pause(random.pick(JOBS), random.pick([undefined, { since: 1, reason: 'x' }]));
  if (below(4) === 0)
    made.setAdded(random.pick(JOBS), random.pick([undefined, { document: 'd', directory: '/', addedAt: 1 }]));
  for (const key of some(1, () => random.pick(['k', 'l'])))
    made.keepRequest({ key, what: 'w', runId: 'r', at: NOW });
  const join = (): Join => ({
    jobId: random.pick(JOBS),
    scheduledAt: slot(),
    state: random.pick(['open', 'due', 'over']),
    upstream: [],
    at: 1,
  });
  made.join(some(2, join));
  const told = random.pick([null, { since: 1, failures: below(3) }]);
  made.post({
    messages: some(2, () => messageOf(random.pick(['1', '2', '3', '4']))),
    told: new Map(some(1, () => [random.pick(JOBS), told])),
  });
  made.settle(some(1, () => random.pick(['1', '2', '3', '4'])));
  if (below(4) === 0) {
    const id = random.pick(['r1', 'r2', 'r3']);
    const counts = { total: 1, begun: below(2), succeeded: 0, failed: 0 };
    const asked = { from: 1, to: 3, order: 'oldest', missingOnly: false, parallel: 1, askedAt: 7 } as const;
    const state = random.pick(['active', 'finished'] as const);
    const replay: Replay = { id, jobId: 'a', ...asked, ...counts, state };
    made.setReplay(replay, below(2) === 0 ? [1, 2, 3] : undefined);
  }
  return made;
}

const TABLES = {
  jobs: 'SELECT id, schedule, decided_to, last_success FROM jobs ORDER BY id',
  runs: `SELECT r.id, j.id AS job, scheduled_at, manual, cause, claimed_at, replay, arguments, state, attempts, finished_at, outcome
    FROM runs r JOIN jobs j ON j.number = r.job ORDER BY r.id`,
  skips: `SELECT j.id, scheduled_at, through, count, reason, at, detail FROM skips s JOIN jobs j ON j.number = s.job
    ORDER BY j.id, scheduled_at, through`,
  pauses: 'SELECT * FROM pauses ORDER BY job_id',
  added: 'SELECT * FROM added_jobs ORDER BY id',
  requests: 'SELECT key, what, run, at FROM requests ORDER BY number',
  joins: 'SELECT * FROM joins ORDER BY job_id, scheduled_at',
  messages: 'SELECT * FROM messages ORDER BY id',
  told: 'SELECT * FROM told ORDER BY job_id',
  replays: 'SELECT * FROM replays ORDER BY id',
};
const DOCUMENTS = new Set([
  'arguments',
  'attempts',
  'outcome',
  'document',
  'message',
  'told',
  'replay',
  'slots',
]);

function parsed(row: object): object {
  const entries = Object.entries(row).map(([name, value]: [string, unknown]) => [
    name,
    DOCUMENTS.has(name) && typeof value === 'string' && /^[[{]/.test(value) ? JSON.parse(value) : value,
  ]);
  return Object.fromEntries(entries) as object;
}

async function pruned(ask: (from: number) => Promise<Pruned>): Promise<string[]> {
  const runs: string[] = [];
  for (let [more, from] = [true, 0]; more;) {
    const slice = await ask(from);
    runs.push(...slice.runs);
    ({ more, next: from } = slice);
  }
  return runs.sort();
}

describe.each(VERSIONS)('SQLite and $name', (version) => {
  let server: Postgres;
  let database: Database;
  beforeAll(async () => {
    server = await startPostgres({ version });
    database = await openDatabase({ url: await server.createDatabase(), clock: systemClock });
  });
  afterAll(async () => {
    await database.close();
    await server.stop();
  });

  it('record the same, whatever comes, and prune the same', async () => {
    for (let round = 0; round < 12; round += 1) {
      const sqlite = new DatabaseSync(':memory:');
      migrate(sqlite);
      await database.run(
        `TRUNCATE jobs, runs, skips, pauses, added_jobs, requests, joins, messages, told, replays`,
      );
      known = [];
      let recorders = [new SqliteRecorder(sqlite), new PostgresRecorder()] as const;
      const within = database.transaction.bind(database);
      const same = async (when: string): Promise<void> => {
        for (const [table, sql] of Object.entries(TABLES)) {
          const rows = sqlite.prepare(sql).all();
          const label = `${table}, ${when}, round ${round}, seed ${SEED}`;
          expect((await database.query(sql)).map(parsed), label).toEqual(rows.map(parsed));
        }
      };
      for (let number = 0; number < 25; number += 1) {
        const { data } = batch();
        // Also written again, as after an answer that was lost; by a daemon that has just started, too.
        for (let times = below(4) === 0 ? 2 : 1; times > 0; times -= 1) {
          const won = recorders[0].record(data);
          expect(await recorders[1].record(data, within), `seed ${SEED}`).toEqual(won);
        }
        if (below(6) === 0) recorders = [new SqliteRecorder(sqlite), new PostgresRecorder()];
        if (number % 8 === 0) await same(`batch ${number}`);
      }
      await same('at the end');
      const request: PruneRequest = {
        now: NOW + HOUR,
        keep: below(6),
        ...(below(2) === 0 ? { maxAge: below(14) * HOUR } : {}),
        ...(below(2) === 0 ? { jobs: [...JOBS, 'nobody'].filter(() => below(2) === 0) } : {}),
      };
      const gone = await pruned(async (from) => pruneSqlite(sqlite, { ...request, from }));
      expect(
        await pruned((from) => database.transaction((tx) => prunePostgres(tx, { ...request, from }))),
      ).toEqual(gone);
      await same(`pruned by ${JSON.stringify(request)}`);
      sqlite.close();
    }
  });

  it('prune thousands of rows of hundreds of jobs in slices, to the end', async () => {
    await database.run('TRUNCATE jobs, runs, skips');
    await database.run(`INSERT INTO jobs (id) SELECT 'job-' || n FROM generate_series(1, 250) AS n`);
    await database.run(`INSERT INTO runs (id, job, scheduled_at, manual, cause, claimed_at, state, attempts)
      SELECT number || '-' || n, number, n, 0, 'schedule', n, CASE WHEN n = 1 THEN 'running' ELSE 'finished' END, '[]'
      FROM jobs, generate_series(1, 20) AS n`);
    const gone = await pruned((from) =>
      database.transaction((tx) => prunePostgres(tx, { now: 0, keep: 5, from })),
    );
    expect(gone).toHaveLength(250 * 14);
    const [row] = await database.query(
      "SELECT count(*) AS runs, count(*) FILTER (WHERE state = 'running') AS running FROM runs",
    );
    expect(row).toEqual({ runs: 250 * 6, running: 250 });
  });
});
