/**
 * The durable store: how many runs a second it records, what a million rows of history cost at start-up and to read, and how long
 * the loop is held up while 500 jobs start at once.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { systemClock } from '../../src/engine/clock.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { Store } from '../../src/engine/ports.ts';
import { runIds } from '../../src/engine/run-id.ts';
import type { RunRecord } from '../../src/model.ts';
import { Batch } from '../../src/store/batch.ts';
import { openDatabase } from '../../src/store/sqlite/open.ts';
import { Recorder } from '../../src/store/sqlite/recorder.ts';
import { openSqliteStore } from '../../src/store/sqlite/store.ts';
import { createExecutor } from '../../src/tasks/executor.ts';
import { job } from '../support/jobs.ts';

const root = join(import.meta.dirname, '../..');
const bin = join(root, 'bin/tsched.js');
const newId = runIds((bytes) => randomFillSync(bytes));
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function open(path: string) {
  return openSqliteStore({
    path,
    clock: systemClock,
    retention: { keep: 1_000_000 },
    onHealth: (health) => console.log(health),
    onPruned: () => undefined,
    reclaim: () => undefined,
  });
}

function claimed(jobId: string, scheduledAt: number): RunRecord {
  const claimedAt = scheduledAt;
  return {
    id: newId(claimedAt),
    jobId,
    scheduledAt,
    cause: 'schedule',
    claimedAt,
    state: 'claimed',
    attempts: [],
  };
}

function started(run: RunRecord): RunRecord {
  const attempt = {
    number: 1,
    startedAt: run.claimedAt + 1,
    timeout: 3_600_000,
    pid: 4711,
    startTime: 123_456,
  };
  return { ...run, state: 'running', attempts: [attempt] };
}

function finished(run: RunRecord): RunRecord {
  const [attempt] = started(run).attempts;
  const outcome = { kind: 'succeeded', exitCode: 0 } as const;
  const finishedAt = run.claimedAt + 9;
  const ended = { number: 1, startedAt: run.claimedAt, ...attempt, finishedAt, duration: 7.123, outcome };
  return { ...run, state: 'finished', attempts: [ended], finishedAt, outcome };
}

/**
 * Runs a second, each claimed, started and finished. Ticks of so many jobs follow one another as fast as their claims are
 * power-safe: each commit has the claims of one tick, and what became of the runs of the tick before.
 */
async function recording(directory: string, size: number, ticks: number) {
  const store = await open(join(directory, `recording-${size}-${ticks}.db`));
  const saved: Promise<void>[] = [];
  let slot = Date.now();
  const tick = async (): Promise<void> => {
    slot += 1000;
    const runs = Array.from({ length: size }, (_, n) => claimed(`job-${n}`, slot));
    if ((await store.claim(runs, [])).includes(false)) throw new Error('a slot was lost');
    for (const run of runs) saved.push(store.save(started(run)));
    for (const run of runs) saved.push(store.save(finished(run)));
  };
  await tick();
  const begin = performance.now();
  const processor = process.cpuUsage();
  for (let n = 0; n < ticks; n += 1) await tick();
  await Promise.all(saved);
  const took = performance.now() - begin;
  const { user, system } = process.cpuUsage(processor);
  await store.close();
  return {
    'runs a tick': size,
    'runs a second': Math.round((size * ticks * 1000) / took),
    'ms a tick': Number((took / ticks).toFixed(2)),
    'µs of processor a run': Number(((user + system) / (size * ticks)).toFixed(1)),
  };
}

/** A history of 1000 runs for each job. */
function fill(path: string, jobs: number, runs: number): void {
  const db = openDatabase(path);
  const recorder = new Recorder(db);
  const first = Math.floor(Date.now() / 60_000) * 60_000 - runs * 60_000;
  const placed = Array.from(
    { length: jobs },
    (_, n) => [`job-${n}`, { schedule: 's', from: first }] as const,
  );
  recorder.record({ ...new Batch().data, placed });
  for (let n = 0; n < runs; n += 10) {
    const batch = new Batch();
    for (let slot = first + n * 60_000, tick = 0; tick < 10; slot += 60_000, tick += 1) {
      batch.claim(
        placed.map(([jobId]) => finished(claimed(jobId, slot))),
        [],
      );
    }
    recorder.record({ ...batch.data, urgent: false });
  }
  db.close();
}

function middle(times: readonly number[]): number {
  return Number([...times].sort((a, b) => a - b)[times.length >> 1]?.toFixed(1));
}

/** Milliseconds until the store can be asked to claim. */
async function storeStart(path: string): Promise<number> {
  const begin = performance.now();
  const store: Store = await open(path);
  await store.unfinished();
  const took = performance.now() - begin;
  await store.close();
  return took;
}

/** Milliseconds until the daemon says that its jobs are armed. */
async function daemonStart(file: string, state: string): Promise<number> {
  const begin = performance.now();
  const args = [bin, 'start', file, '--state-dir', state, '--log-format', 'json', '--no-watch'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let took = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (took === 0 && line.includes('"engine_started"')) {
      took = performance.now() - begin;
      child.kill();
    }
  }
  await ended;
  if (took === 0) throw new Error('the daemon did not start');
  return took;
}

/** What `tsched history <id>` has to do: open, read 20 rows. In a process of its own, from the built bundle's parts. */
function readingProgram(directory: string): string {
  const path = join(directory, 'read.ts');
  const reader = join(root, 'src/store/sqlite/reader.ts');
  writeFileSync(
    path,
    `import { readHistory } from ${JSON.stringify(reader)};
const rows = readHistory(process.argv[2] ?? '').rows({ jobId: 'job-7', limit: 20 });
if (rows.length !== 20) throw new Error('rows are missing');`,
  );
  return path;
}

function processTime(args: readonly string[]): number {
  const begin = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return performance.now() - begin;
}

/** Start-up and reading with a long history beside an empty one; the two take turns. */
async function million(
  directory: string,
  { jobs, runs, rounds }: { jobs: number; runs: number; rounds: number },
) {
  const file = join(directory, 'jobs.yaml');
  const ids = Array.from({ length: jobs }, (_, n) => `  job-${n}: { cron: "0 0 1 1 *", run: "true" }\n`);
  writeFileSync(file, `history: { keep: 1000000, max_age: none }\njobs:\n${ids.join('')}`);
  const states = [join(directory, 'none'), join(directory, 'long')] as const;
  for (const state of states) await daemonStart(file, state);
  const [none, long] = states.map((state) => join(state, 'tsched.db')) as [string, string];
  const begin = performance.now();
  fill(long, jobs, runs);
  console.log(`(${jobs * runs} rows written in ${Math.round(performance.now() - begin)} ms)`);
  const empty = join(directory, 'empty.ts');
  writeFileSync(empty, '');
  const program = readingProgram(directory);
  const times: Record<string, [number[], number[]]> = {
    'store, to the first claim': [[], []],
    'daemon, to its jobs armed': [[], []],
    '20 rows of a job, beside bare node': [[], []],
  };
  for (let round = 0; round < rounds; round += 1) {
    times['store, to the first claim']?.[0].push(await storeStart(none));
    times['store, to the first claim']?.[1].push(await storeStart(long));
    times['daemon, to its jobs armed']?.[0].push(await daemonStart(file, states[0]));
    times['daemon, to its jobs armed']?.[1].push(await daemonStart(file, states[1]));
    times['20 rows of a job, beside bare node']?.[0].push(processTime([empty]));
    times['20 rows of a job, beside bare node']?.[1].push(processTime([program, long]));
  }
  console.table(
    Object.entries(times).map(([what, [without, rows]]) => ({
      what,
      'without, ms': middle(without),
      'with, ms': middle(rows),
      times: Number((middle(rows) / middle(without)).toFixed(2)),
      'more, ms': Number((middle(rows) - middle(without)).toFixed(1)),
    })),
  );
}

/** How long the loop is held up while so many shell jobs start at one instant, through engine, store and spawner. */
async function starting(directory: string, count: number) {
  const executor = createExecutor({
    runsDirectory: join(directory, 'runs'),
    clock: systemClock,
    nodePath: process.execPath,
    inheritedEnvironment: process.env,
    output: 'file',
  });
  const store = await open(join(directory, 'starting.db'));
  const ended: string[] = [];
  const engine = new Engine(
    {
      clock: systemClock,
      executor,
      store,
      observer: { observe: (event) => void (event.kind === 'run_finished' && ended.push(event.run.id)) },
      newRunId: newId,
      random: Math.random,
    },
    { maxConcurrentRuns: Number.POSITIVE_INFINITY, bootedAt: 0 },
  );
  const due = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3000);
  const cron = `${due.getUTCSeconds()} ${due.getUTCMinutes()} ${due.getUTCHours()} * * *`;
  await engine.start(Array.from({ length: count }, (_, n) => job(`job-${n}`, { cron })));
  await wait(due.getTime() - Date.now() - 200);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  while (ended.length < count) await wait(20);
  delay.disable();
  const took = Date.now() - due.getTime();
  await engine.stopNow();
  await executor.close();
  await store.close();
  return {
    'jobs at once': count,
    'all done, ms': took,
    'loop delay p50, ms': Number((delay.percentile(50) / 1e6).toFixed(1)),
    'p99, ms': Number((delay.percentile(99) / 1e6).toFixed(1)),
    'most, ms': Number((delay.max / 1e6).toFixed(1)),
  };
}

/** Prints the tables; `smoke` only proves that they can be made. */
export async function run({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-bench-store-'));
  try {
    console.log('\nruns recorded: claimed (power-safe), started, finished; a commit a tick');
    const rows = [];
    for (let round = 0; round < (smoke ? 1 : 3); round += 1) {
      rows.push(await recording(directory, 100, smoke ? 10 : 400 + round));
      rows.push(await recording(directory, 500, smoke ? 4 : 80 + round));
    }
    console.table(rows);
    console.log('\na long history');
    await million(
      directory,
      smoke ? { jobs: 10, runs: 100, rounds: 1 } : { jobs: 1000, runs: 1000, rounds: 7 },
    );
    console.log('\nmany jobs due at one instant');
    const starts = [];
    for (let round = 0; round < (smoke ? 1 : 3); round += 1) {
      const where = join(directory, `starting-${round}`);
      const executor = mkdtempSync(`${where}-`);
      starts.push(await starting(executor, smoke ? 20 : 500));
    }
    console.table(starts);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) await run({ smoke: process.argv.includes('--smoke') });
