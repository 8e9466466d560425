/**
 * Ten thousand jobs, a hundred of them due each second, while the API is asked all the time: reads, streams, scrapes, runs by hand, pauses.
 * What grows: memory, descriptors, processes; how late jobs start; and whether each slot ran once. For five minutes, or TSCHED_SOAK seconds.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { at, cpuOf, latenessOf, runsSince, start, stop, wait, type Rig, type Run } from './rig.ts';

interface Size {
  readonly jobs: number;
  /** Jobs due each second. */
  readonly starts: number;
  readonly reads: number;
  readonly streams: number;
  /** Seconds. */
  readonly window: number;
  readonly windows: number;
}

const SMOKE: Size = { jobs: 200, starts: 2, reads: 100, streams: 2, window: 2, windows: 2 };
const FULL: Size = { jobs: 10_000, starts: 100, reads: 500, streams: 20, window: 30, windows: 10 };

/** Each of the jobs that are due is so once a minute, at a second of its own: as many for each second. */
function jobFile({ jobs, starts }: Size): string {
  const lines = Array.from({ length: jobs }, (_, n) =>
    n < starts * 60
      ? `  j${n}: { cron: "${n % 60} * * * * *", command: ["true"], output: { keep: 1 } }\n`
      : `  j${n}: { cron: "${n % 60} 3 1 1 *", command: ["true"] }\n`,
  );
  return `history: { keep: 10 }\njobs:\n${lines.join('')}`;
}

const PATHS = [
  '/api/v1/status',
  '/api/v1/jobs/j1',
  '/api/v1/jobs?limit=100',
  '/api/v1/runs?limit=50',
  '/api/v1/runs?job=j7&limit=20',
  '/api/v1/jobs/j3/next?n=5',
  '/healthz',
  '/readyz',
];

/** Asks for it all until it is called off. */
class Load {
  answers = 0;
  refused = 0;
  events = 0;
  readonly #rig: Rig;
  readonly #size: Size;
  readonly #streams: ReturnType<typeof request>[] = [];
  readonly #loops: Promise<void>[] = [];
  #isOver = false;

  constructor(rig: Rig, size: Size) {
    this.#rig = rig;
    this.#size = size;
  }

  begin(): void {
    for (let n = 0; n < this.#size.streams; n += 1) this.#listen();
    this.#loops.push(
      this.#each(1000 / this.#size.reads, (n) => this.#get(PATHS[n % PATHS.length] ?? '')),
      this.#each(5000, () => this.#get('/metrics')),
      this.#each(200, (n) => this.#post(`/api/v1/jobs/j${this.#size.jobs - 1 - (n % 50)}/runs`)),
      this.#each(1000, (n) =>
        this.#post(`/api/v1/jobs/j${this.#size.jobs - 60}/${n % 2 ? 'resume' : 'pause'}`),
      ),
    );
  }

  async end(): Promise<void> {
    this.#isOver = true;
    for (const stream of this.#streams) stream.destroy();
    await Promise.all(this.#loops);
  }

  /** One after another is begun every so often, sixty-four at once at most: who cannot keep up is shown by the count, not by a queue. */
  async #each(every: number, ask: (n: number) => Promise<void>): Promise<void> {
    const begun = performance.now();
    const under = new Set<Promise<void>>();
    let asked = 0;
    while (!this.#isOver) {
      const due = Math.floor((performance.now() - begun) / every);
      for (; asked < due && under.size < 64; asked += 1) {
        const one = ask(asked).catch(() => void (this.refused += 1));
        under.add(one);
        void one.finally(() => under.delete(one));
      }
      await wait(5);
    }
    await Promise.all(under);
  }

  async #get(path: string): Promise<void> {
    await this.#rig.ask(path);
    this.answers += 1;
  }

  async #post(path: string): Promise<void> {
    await this.#rig.ask(path, 'POST');
    this.answers += 1;
  }

  #listen(): void {
    const asking = request({ socketPath: this.#rig.socketPath, path: '/api/v1/events', agent: false });
    asking.on('response', (response) => {
      response
        .setEncoding('utf8')
        .on('data', (text: string) => (this.events += text.split('\n\n').length - 1));
      response.on('error', () => undefined);
    });
    asking.on('error', () => undefined).end();
    this.#streams.push(asking);
  }
}

interface Usage {
  readonly 'rss MB': number;
  readonly descriptors: number;
  readonly processes: number;
  readonly 'history MB': number;
}

/** Of the daemon, with its helpers' descriptors. */
function usage({ child, directory }: Rig): Usage {
  const own = child.pid ?? 0;
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: parentOf(name) }));
  const helpers = parents.filter(({ parent }) => parent === own).map(({ pid }) => pid);
  const status = readFileSync(`/proc/${own}/status`, 'latin1');
  const size = (name: string): number => {
    try {
      return readFileSync(join(directory, 'state', name)).length;
    } catch {
      return 0; // not there at this moment
    }
  };
  return {
    'rss MB': Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024),
    descriptors: readdirSync(`/proc/${own}/fd`).length,
    processes: helpers.length,
    'history MB': Math.round((size('tsched.db') + size('tsched.db-wal')) / 1e5) / 10,
  };
}

function parentOf(pid: string): number {
  try {
    return Number(
      readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ')[1],
    );
  } catch {
    return 0; // it has ended
  }
}

/** Of the slots between two instants: how many had a run, were skipped, or still wait for their turn, and how many had two rows. */
function judge(rows: readonly Run[], size: Size, [from, to]: readonly [number, number]): string {
  const seen = new Map<string, number>();
  let skipped = 0;
  for (const { id, jobId, scheduledAt, cause } of rows) {
    const slot = Date.parse(scheduledAt);
    if (cause === 'manual' || slot < from || slot >= to) continue;
    const key = `${jobId} ${slot}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
    if (id === undefined) skipped += 1;
  }
  const due = ((to - from) / 1000) * size.starts;
  const twice = [...seen.values()].filter((count) => count > 1).length;
  return `${due} slots were due: ${seen.size - skipped} had a run, ${skipped} were skipped, ${due - seen.size} wait; ${twice} had two`;
}

/** Prints the table; `smoke` only proves that it can be made. */
export async function run({ smoke }: { smoke: boolean }): Promise<void> {
  const seconds = Number(process.env['TSCHED_SOAK'] ?? 0);
  const wanted = smoke ? SMOKE : FULL;
  const size = seconds > 0 ? { ...wanted, windows: Math.ceil(seconds / wanted.window) } : wanted;
  const rig = await start(jobFile(size));
  const load = new Load(rig, size);
  const rows = [];
  try {
    const second = Math.ceil(Date.now() / 1000) * 1000;
    for (let window = 0; window <= size.windows; window += 1) {
      if (window === 1) load.begin(); // the first is without
      const before = { answers: load.answers, cpu: cpuOf(rig), at: Date.now() };
      await wait(size.window * 1000);
      const took = (Date.now() - before.at) / 1000;
      const used = cpuOf(rig) - before.cpu;
      const late = latenessOf(
        rig,
        (await runsSince(rig, before.at)).filter(({ cause }) => cause !== 'manual'),
      );
      rows.push({
        second: Math.round((window + 1) * size.window),
        'reads/s': Math.round((load.answers - before.answers) / took),
        'cpu %': Math.round(used / took / 10),
        ...usage(rig),
        starts: late.length,
        'late p50': at(0.5, late),
        'late p99': at(0.99, late),
        worst: at(1, late),
      });
    }
    await load.end();
    await wait(500);
    const end = Math.floor(Date.now() / 1000) * 1000 - 1000;
    console.log(`\n${size.jobs} jobs, ${size.starts} due each second, ${size.streams} streams of events`);
    console.table(rows);
    console.log(judge(await runsSince(rig, second), size, [second + 1000, end]));
    console.log(
      `refused: ${load.refused}; events told: ${load.events}; after it: ${JSON.stringify(usage(rig))}`,
    );
  } finally {
    await load.end();
    await stop(rig);
  }
}

if (import.meta.main) await run({ smoke: process.argv.includes('--smoke') });
