/**
 * Reads a second that the API of a daemon with 1,000 jobs answers over its socket, and how late jobs start meanwhile: alone, at 2,000
 * reads a second, and at as many as it can. Beside it, what a scrape of /metrics costs. The daemon, all its threads, has one core to
 * itself; the jobs have the other, and the asker what they leave of it: elsewhere askers are on other machines.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { at, cpuOf, latenessOf, runsSince, start, stop, wait, type Rig } from './rig.ts';

/** Jobs that are due each second. */
const TICKING = 20;

function jobFile(jobs: number): string {
  const ticking = Array.from(
    { length: TICKING },
    (_, n) => `  t${n}: { cron: "* * * * * *", command: ["true"] }\n`,
  );
  const resting = Array.from(
    { length: jobs - TICKING },
    (_, n) => `  r${n}: { cron: "${n % 60} 3 * * *", run: "true" }\n`,
  );
  return `jobs:\n${[...ticking, ...resting].join('')}`;
}

/** Gives the daemon a core of its own; false where that cannot be had. */
function pin({ child: { pid } }: Rig): boolean {
  try {
    execFileSync('taskset', ['-acp', '0', String(pid)], { stdio: 'ignore' });
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    for (const spawner of children.filter((id) => id !== ''))
      execFileSync('taskset', ['-acp', '1', spawner], { stdio: 'ignore' });
    return true;
  } catch {
    return false; // one core, no Linux, or no taskset
  }
}

interface Load {
  readonly name: string;
  /** Requests a second; with Infinity always sixteen at once. */
  readonly rate: number;
}

interface Round {
  readonly rig: Rig;
  readonly seconds: number;
  readonly pinned: boolean;
}

interface Measured {
  readonly answers: number;
  readonly took: number;
  /** CPU time of the daemon, in ms. */
  readonly cpu: number;
  /** From slot to process, and from slot to when the daemon asked for it, in ms. */
  readonly late: readonly number[];
  readonly claimed: readonly number[];
}

async function measure({ rig, seconds, pinned }: Round, { rate }: Load): Promise<Measured> {
  const asking = rate === 0 ? undefined : await asker({ rig, seconds, pinned }, rate);
  const since = Date.now();
  const [cpu, begun] = [cpuOf(rig), performance.now()];
  const answers = asking === undefined ? 0 : await asking();
  if (asking === undefined) await wait(seconds * 1000);
  const took = (performance.now() - begun) / 1000;
  const used = cpuOf(rig) - cpu;
  await wait(500); // what was due at the end
  const runs = await runsSince(rig, since);
  const claimed = runs.flatMap(({ startedAt, scheduledAt }) =>
    startedAt === undefined || startedAt === null ? [] : [Date.parse(startedAt) - Date.parse(scheduledAt)],
  );
  return { answers, took, cpu: used, late: latenessOf(rig, runs), claimed };
}

/** Starts one; what it gives lets it begin, and waits for its number of answers. */
async function asker({ rig, seconds, pinned }: Round, rate: number): Promise<() => Promise<number>> {
  const program = [
    process.execPath,
    join(import.meta.dirname, 'programs/asker.ts'),
    rig.socketPath,
    rate,
    seconds,
  ];
  const [command = '', ...args] = [...(pinned ? ['taskset', '-c', '1', 'nice', '-n', '19'] : []), ...program];
  const child = spawn(String(command), args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(child.stdout, 'data');
  return async () => {
    child.stdin.write('begin\n');
    await ended;
    return Number(text.split('\n')[1]);
  };
}

function row(name: string, all: readonly Measured[]) {
  const sum = (of: (one: Measured) => number): number => all.reduce((total, one) => total + of(one), 0);
  const took = sum((one) => one.took);
  const sorted = (of: (one: Measured) => readonly number[]) => all.flatMap(of).toSorted((a, b) => a - b);
  const [late, claimed] = [sorted((one) => one.late), sorted((one) => one.claimed)];
  return {
    name,
    'reads/s': Math.round(sum((one) => one.answers) / took),
    'daemon cpu %': Math.round(sum((one) => one.cpu) / took / 10),
    starts: late.length,
    'late p50': at(0.5, late),
    'late p99': at(0.99, late),
    worst: at(1, late),
    'asked for p50': at(0.5, claimed),
    'asked for p99': at(0.99, claimed),
  };
}

const LOADS: readonly Load[] = [
  { name: 'nobody asks', rate: 0 },
  { name: '2,000 a second', rate: 2000 },
  { name: 'as many as it can', rate: Infinity },
];

async function scrape(rig: Rig, times: number): Promise<string> {
  const took: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const begun = performance.now();
    await rig.ask('/metrics');
    took.push(performance.now() - begun);
  }
  took.sort((a, b) => a - b);
  return `${took[Math.floor(times / 2)]?.toFixed(1)} ms (worst ${took.at(-1)?.toFixed(1)})`;
}

/** Prints the table; `smoke` only proves that it can be made. */
export async function run({ smoke }: { smoke: boolean }): Promise<void> {
  const rig = await start(jobFile(smoke ? 50 : 1000));
  try {
    const [rounds, seconds] = smoke ? [1, 2] : [10, 5];
    const pinned = pin(rig);
    const warm = await asker({ rig, seconds: smoke ? 0.2 : 2, pinned }, Infinity);
    await warm();
    const measured = LOADS.map((): Measured[] => []);
    // In turn, so that what else the machine does is in all of them.
    for (let round = 0; round < rounds; round += 1) {
      for (const [n, load] of LOADS.entries())
        measured[n]?.push(await measure({ rig, seconds, pinned }, load));
    }
    const where = pinned ? 'the daemon on a core of its own' : 'daemon, asker and jobs on any core';
    console.log(`\n${TICKING} jobs due each second, lateness in ms from slot to process; ${where}`);
    console.table(LOADS.map(({ name }, n) => row(name, measured[n] ?? [])));
    console.log(`a scrape of /metrics: ${await scrape(rig, smoke ? 3 : 50)}`);
  } finally {
    await stop(rig);
  }
}

if (import.meta.main) await run({ smoke: process.argv.includes('--smoke') });
