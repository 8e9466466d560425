/**
 * What many jobs take: seconds and memory for 100,000 daily jobs in four zones, beside other libraries, each in a process of
 * its own; and what the real daemon does while nothing is due: processor time and wake-ups a minute.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCronExpression } from 'cron-schedule';
import { TimerBasedCronScheduler } from 'cron-schedule/schedulers/timer-based.js';
import { Cron } from 'croner';
import { schedule } from 'node-cron';
import { systemClock } from '../../src/engine/clock.ts';
import { Engine } from '../../src/engine/engine.ts';
import { runIds } from '../../src/engine/run-id.ts';
import type { Schedule } from '../../src/model.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { job } from '../support/jobs.ts';

const bin = join(import.meta.dirname, '../../bin/tsched.js');
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Shanghai'];
/** Milliseconds a library may take to arm. */
const PATIENCE = 60_000;

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const nothing = (): void => undefined;

interface Daily {
  readonly cron: string;
  readonly timezone: string;
}

function daily(jobs: number): Daily[] {
  return Array.from({ length: jobs }, (_, n) => ({
    cron: `${n % 60} ${Math.floor(n / 60) % 24} * * *`,
    timezone: ZONES[n % ZONES.length] ?? 'UTC',
  }));
}

/** How each arms; what it gives back must stay reachable. cron-schedule knows no zones. */
const CONTENDERS: Readonly<Record<string, (list: readonly Daily[]) => Promise<unknown> | object>> = {
  tsched: armEngine,
  'cron-schedule': (list) =>
    list.map(({ cron }) => TimerBasedCronScheduler.setInterval(parseCronExpression(cron), nothing)),
  'node-cron': (list) => list.map(({ cron, timezone }) => schedule(cron, nothing, { timezone })),
  croner: (list) => list.map(({ cron, timezone }) => new Cron(cron, { timezone }, nothing)),
};

async function armEngine(list: readonly Daily[]): Promise<unknown> {
  const ended = { kind: 'ended', outcome: { kind: 'succeeded', exitCode: 0 } } as const;
  const engine = new Engine(
    {
      clock: systemClock,
      executor: {
        start(_, report) {
          report({ kind: 'started' });
          report(ended);
          return { stop: nothing, kill: nothing };
        },
        recover: async () => ({ kind: 'never_begun' }),
        close: async () => undefined,
      },
      store: new MemoryStore(),
      observer: { observe: nothing },
      newRunId: runIds((bytes) => randomFillSync(bytes)),
      random: Math.random,
    },
    { maxConcurrentRuns: Number.POSITIVE_INFINITY, bootedAt: 0 },
  );
  await engine.start(definitions(list));
  return engine;
}

/** As loading leaves them: what jobs have in common is one object. */
function definitions(list: readonly Daily[]) {
  const base = job('base', {});
  const shared = new Map<string, Schedule>();
  return list.map(({ cron, timezone }, n) => {
    const key = `${cron} ${timezone}`;
    const like = shared.get(key) ?? job('', { cron, schedule: { timezone } }).schedule;
    shared.set(key, like);
    const script = `exit ${n}`;
    return {
      ...base,
      id: `job-${n}`,
      source: { file: 'jobs.yaml', line: n },
      schedule: like,
      task: { kind: 'run', script, shell: ['/bin/sh'] } as const,
    };
  });
}

/** In a process of its own: arms and tells what it took. */
async function arm(name: string, jobs: number): Promise<void> {
  const list = daily(jobs);
  globalThis.gc?.();
  const before = process.memoryUsage();
  const begin = performance.now();
  const held = await CONTENDERS[name]?.(list);
  const seconds = (performance.now() - begin) / 1000;
  globalThis.gc?.();
  const after = process.memoryUsage();
  const grown = (key: 'rss' | 'heapUsed') => Math.round((after[key] - before[key]) / 1024 / 1024);
  console.log(
    JSON.stringify({ seconds: seconds.toFixed(2), 'RSS MB': grown('rss'), 'heap MB': grown('heapUsed') }),
  );
  process.exit(held === undefined ? 1 : 0);
}

function armed(name: string, jobs: number): object {
  const args = ['--expose-gc', '--no-warnings', import.meta.filename, '--arm', name, String(jobs)];
  const { stdout, signal, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: PATIENCE,
  });
  if (status === 0) return { name, ...(JSON.parse(stdout) as object) };
  return { name, seconds: signal === 'SIGTERM' ? `more than ${PATIENCE / 1000}` : 'died' };
}

/** Nanoseconds on a processor and voluntary switches of all threads of a process and of its children, spawner included. */
function account(pid: number): { readonly cpu: number; readonly wakeUps: number } {
  let cpu = 0;
  let wakeUps = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const directory = `/proc/${pid}/task/${task}`;
    cpu += Number(readFileSync(`${directory}/schedstat`, 'utf8').split(' ')[0]);
    wakeUps += Number(
      /^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`${directory}/status`, 'utf8'))?.[1],
    );
    for (const child of readFileSync(`${directory}/children`, 'utf8').split(' ').filter(Boolean)) {
      const of = account(Number(child));
      cpu += of.cpu;
      wakeUps += of.wakeUps;
    }
  }
  return { cpu, wakeUps };
}

/** A file of jobs that are half a month away. */
function farAway(jobs: number): string {
  const day = new Date(Date.now() + 14 * 86_400_000).getUTCDate();
  const all = daily(jobs).map(
    ({ cron, timezone }, n) =>
      `  job-${n}:\n    cron: "${cron.replace('* * *', `${day} * *`)}"\n    timezone: ${timezone}\n    run: exit 1\n`,
  );
  return `jobs:\n${all.join('')}`;
}

async function idle(jobs: number, { settle, watch }: { settle: number; watch: number }): Promise<object> {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-idle-'));
  // The daemon watches the directory of its file and the one above; others work in /tmp.
  const quiet = join(directory, 'etc/tsched');
  mkdirSync(quiet, { recursive: true });
  const file = join(quiet, 'jobs.yaml');
  writeFileSync(file, farAway(jobs));
  const args = [bin, 'start', file, '--state-dir', join(directory, 'state'), '--log-format', 'json'];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, HOME: directory },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await wait(settle);
    const pid = child.pid ?? 0;
    const before = account(pid);
    const began = performance.now();
    await wait(watch);
    const after = account(pid);
    const minutes = (performance.now() - began) / 60_000;
    const [, kib] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return {
      jobs,
      'cpu ms a minute': ((after.cpu - before.cpu) / 1e6 / minutes).toFixed(2),
      'wake-ups a minute': ((after.wakeUps - before.wakeUps) / minutes).toFixed(1),
      'RSS MB': Math.round(Number(kib) / 1024),
    };
  } finally {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
    rmSync(directory, { recursive: true, force: true });
  }
}

export async function run({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const jobs = smoke ? 1000 : 100_000;
  console.log(`\n${jobs} daily jobs in four zones: arming, and what is held afterwards`);
  console.table(Object.keys(CONTENDERS).map((name) => armed(name, jobs)));
  // V8 shrinks the heap within half a minute of a load.
  const length = smoke ? { settle: 1000, watch: 3000 } : { settle: 40_000, watch: 60_000 };
  console.log(`\nthe daemon with nothing due, over ${length.watch / 1000} s`);
  console.table(await Promise.all((smoke ? [1, 1000] : [1, 10_000, 100_000]).map((n) => idle(n, length))));
}

const [flag, name, jobs] = process.argv.slice(2);
if (import.meta.main) {
  if (flag === '--arm') await arm(name ?? '', Number(jobs));
  else await run({ smoke: flag === '--smoke' });
}
