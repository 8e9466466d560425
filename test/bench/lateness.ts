/**
 * How late 10,000 no-op firings due at one instant start, and one firing a second, through the whole engine (scripted
 * executor, memory store), beside croner, node-cron, a bare heap of timers and one bare setTimeout.
 */
import { randomFillSync } from 'node:crypto';
import { Cron } from 'croner';
import { systemClock } from '../../src/engine/clock.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { Executor } from '../../src/engine/ports.ts';
import { runIds } from '../../src/engine/run-id.ts';
import { DueQueue } from '../../src/schedule/due-queue.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { job } from '../support/jobs.ts';
import { robfig } from './peers/robfig.ts';

interface Outcome {
  readonly fired: number;
  readonly twice: number;
  readonly lateness: readonly number[];
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const { timeOrigin } = performance;
const precise = () => timeOrigin + performance.now();

/** Runs `jobs` jobs with one expression through the engine. */
async function engineStorm(jobs: number): Promise<Outcome> {
  const { dueAt, spec } = dueSoon();
  const ids: string[] = [];
  const late: number[] = [];
  const { engine } = makeEngine((id) => {
    late.push(precise() - dueAt);
    ids.push(id);
  });
  // As config/ delivers them: jobs written alike share what is alike.
  const like = job('like', { cron: spec });
  await engine.start(Array.from({ length: jobs }, (_, n) => Object.assign({}, like, { id: `j${n}` })));
  await wait(dueAt - Date.now() + 1500);
  await engine.stopNow();
  const starts = Map.groupBy(late.keys(), (index) => ids[index]);
  return outcome([...starts.values()].map((indexes) => indexes.map((index) => late[index] ?? Number.NaN)));
}

/** An instant on a full second with time to prepare, and the expression that fires then. */
function dueSoon(): { dueAt: number; spec: string } {
  const dueAt = Math.ceil(Date.now() / 1000) * 1000 + 3000;
  const due = new Date(dueAt);
  return { dueAt, spec: `${due.getUTCSeconds()} ${due.getUTCMinutes()} ${due.getUTCHours()} * * *` };
}

const STARTED = { kind: 'started' } as const;
const ENDED = { kind: 'ended', outcome: { kind: 'succeeded', exitCode: 0 } } as const;
const HANDLE = { stop: () => undefined, kill: () => undefined };

function makeEngine(onStart: (id: string) => void) {
  const executor: Executor = {
    start(spec, report) {
      onStart(spec.jobId);
      report(STARTED);
      report(ENDED);
      return HANDLE;
    },
    recover: async () => ({ kind: 'never_begun' }),
    close: async () => undefined,
  };
  const engine = new Engine(
    {
      clock: systemClock,
      executor,
      store: new MemoryStore(),
      observer: { observe: () => undefined },
      newRunId: runIds((bytes) => randomFillSync(bytes)),
      random: Math.random,
    },
    { maxConcurrentRuns: Number.POSITIVE_INFINITY, bootedAt: 0 },
  );
  return { engine };
}

async function cronerStorm(jobs: number): Promise<Outcome> {
  const { dueAt, spec } = dueSoon();
  const starts: number[][] = Array.from({ length: jobs }, () => []);
  const crons = starts.map(
    (list) => new Cron(spec, { timezone: 'UTC' }, () => void list.push(precise() - dueAt)),
  );
  await wait(dueAt - Date.now() + 3000);
  for (const cron of crons) cron.stop();
  return outcome(starts.filter((list) => list.length > 0));
}

/** The least any scheduler can do: a heap and one timer. */
async function heapStorm(jobs: number): Promise<Outcome> {
  const dueAt = Math.ceil(Date.now() / 1000) * 1000 + 2000;
  const queue = new DueQueue<number[]>();
  const starts: number[][] = Array.from({ length: jobs }, () => []);
  for (const list of starts) queue.push(dueAt, list);
  await new Promise<void>((resolve) => {
    const ring = (): void => {
      for (let list = queue.takeDue(Date.now()); list !== undefined; list = queue.takeDue(Date.now()))
        list.push(precise() - dueAt);
      if (queue.size === 0) resolve();
      else setTimeout(ring, dueAt - Date.now());
    };
    ring();
  });
  return outcome(starts);
}

async function engineSeconds(seconds: number): Promise<Outcome> {
  const late: number[] = [];
  const { engine } = makeEngine(() => late.push(precise() % 1000));
  await engine.start([job('a', { cron: '* * * * * *' })]);
  await wait(seconds * 1000 + 500);
  await engine.stopNow();
  return outcome(late.map((lateness) => [lateness]));
}

async function timeoutSeconds(seconds: number): Promise<Outcome> {
  const late: number[] = [];
  for (let n = 0; n < seconds; n += 1) {
    const next = Math.floor(Date.now() / 1000) * 1000 + 1000;
    await wait(next - Date.now());
    late.push(precise() - next);
  }
  return outcome(late.map((lateness) => [lateness]));
}

function outcome(starts: readonly (readonly number[])[]): Outcome {
  const lateness = starts.flat().sort((a, b) => a - b);
  return { fired: starts.length, twice: starts.filter((list) => list.length > 1).length, lateness };
}

function row(name: string, { fired, twice, lateness }: Outcome) {
  const at = (share: number): string =>
    (lateness[Math.min(Math.floor(lateness.length * share), lateness.length - 1)] ?? Number.NaN).toFixed(2);
  return { name, fired, twice, first: at(0), p50: at(0.5), p99: at(0.99), last: at(1) };
}

/** Prints both tables; `smoke` only proves that they can be made. */
export async function run({ smoke }: { smoke: boolean }): Promise<void> {
  const jobs = smoke ? 200 : 10_000;
  const rounds = smoke ? 1 : 6;
  const storm = [];
  for (let round = 0; round < rounds; round += 1) {
    storm.push(row('tsched engine', await engineStorm(jobs)), row('bare heap', await heapStorm(jobs)));
    const go = await robfig('noop', jobs);
    storm.push(
      go === undefined
        ? { name: 'robfig/cron: not installed' }
        : row('robfig/cron', outcome(go.map((late) => [late]))),
    );
    // croner keeps 96 kB for each job: 10,000 are more than a heap of default size holds.
    storm.push(row(`croner (${Math.min(jobs, 1000)})`, await cronerStorm(Math.min(jobs, 1000))));
  }
  console.log(`\n${jobs} no-op firings due at one instant, in ms; the first rounds are cold`);
  console.table(storm);
  const seconds = smoke ? 2 : 20;
  const [engine, bare] = await Promise.all([engineSeconds(seconds), timeoutSeconds(seconds)]);
  console.log('\none firing a second (both in one process, at once)');
  console.table([row('tsched engine', engine), row('bare setTimeout', bare)]);
}

if (import.meta.main) await run({ smoke: process.argv.includes('--smoke') });
