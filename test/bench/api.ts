/**
 * Reads a second that the API of a daemon with 1,000 jobs answers over its socket, and how late jobs start meanwhile: alone, at 2,000
 * reads a second, and at as many as it can. Beside it, what a scrape of /metrics costs. Daemon and asker are processes of their own.
 */
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

const PATHS = [
  '/api/v1/status',
  '/api/v1/jobs/t1',
  '/api/v1/jobs?limit=20',
  '/api/v1/runs?limit=20',
  '/healthz',
];

/** Asks until `until`: so many a second, or with `rate` Infinity always sixteen at once. Gives the number of answers. */
async function load(rig: Rig, rate: number, until: number): Promise<number> {
  let answers = 0;
  const one = async (n: number): Promise<void> => {
    await rig.ask(PATHS[n % PATHS.length] ?? '');
    answers += 1;
  };
  if (rate === Infinity) {
    const asker = async (n: number): Promise<void> => {
      while (performance.now() < until) await one((n += 1));
    };
    await Promise.all(Array.from({ length: 16 }, (_, n) => asker(n)));
    return answers;
  }
  const begun = performance.now();
  let asked = 0;
  let last: Promise<unknown> = Promise.resolve();
  while (performance.now() < until) {
    const due = Math.floor(((performance.now() - begun) / 1000) * rate);
    // A machine that cannot keep up is shown by the rate that was reached, not by a queue.
    for (; asked < due && asked - answers < 64; asked += 1) last = Promise.all([last, one(asked)]);
    await wait(2);
  }
  await last;
  return answers;
}

async function measure(rig: Rig, name: string, { rate, seconds }: { rate: number; seconds: number }) {
  const since = Date.now();
  const [cpu, begun] = [cpuOf(rig), performance.now()];
  const until = begun + seconds * 1000;
  const answers = rate === 0 ? await wait(seconds * 1000).then(() => 0) : await load(rig, rate, until);
  const took = (performance.now() - begun) / 1000;
  const used = cpuOf(rig) - cpu;
  const late = latenessOf(rig, await runsSince(rig, since));
  return {
    name,
    'reads/s': Math.round(answers / took),
    'daemon cpu %': Math.round(used / took / 10),
    starts: late.length,
    'late p50': at(0.5, late),
    'late p99': at(0.99, late),
    worst: at(1, late),
  };
}

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
    const seconds = smoke ? 2 : 10;
    const rows = [];
    await load(rig, Infinity, performance.now() + (smoke ? 200 : 2000)); // warm
    for (let round = 0; round < (smoke ? 1 : 3); round += 1) {
      rows.push(await measure(rig, 'nobody asks', { rate: 0, seconds }));
      rows.push(await measure(rig, '2,000 a second', { rate: 2000, seconds }));
      rows.push(await measure(rig, 'as many as it can', { rate: Infinity, seconds }));
    }
    console.log(`\n${TICKING} jobs due each second, lateness in ms from slot to process`);
    console.table(rows);
    console.log(`a scrape of /metrics: ${await scrape(rig, smoke ? 3 : 50)}`);
  } finally {
    await stop(rig);
  }
}

if (import.meta.main) await run({ smoke: process.argv.includes('--smoke') });
