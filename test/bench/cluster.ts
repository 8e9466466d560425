/**
 * Attempts over two nodes and a PostgreSQL on this machine: whether 1,000 a second are handed out, taken, reported and finished
 * without growing lag, and how soon 500 that fall due at once are all begun.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { Dispatch } from '../../src/cluster/dispatch.ts';
import { createQueue } from '../../src/cluster/queue.ts';
import { systemClock } from '../../src/engine/clock.ts';
import type { AttemptSpec } from '../../src/engine/ports.ts';
import { openDatabase } from '../../src/postgres/database.ts';
import { startPostgres } from '../support/postgres.ts';
import type { WorkerSettings } from '../cluster/workers.ts';

const program = join(import.meta.dirname, '../cluster/work-process.ts');
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const BLANK: AttemptSpec = {
  runId: 'run',
  jobId: 'job',
  attempt: 1,
  scheduledAt: Date.UTC(2026, 0, 1),
  cause: 'schedule',
  task: { kind: 'run', script: 'true', shell: ['/bin/sh', '-c'] },
  surroundings: { cwd: '/', env: { LANG: 'C.UTF-8' }, inheritEnv: true, limits: {} },
  output: { maxSize: 1_000_000, keep: 10, log: 'none' },
  successExitCodes: [0],
  killSignal: 'TERM',
  killAfter: 10_000,
};

/** A node as a process, once it takes attempts. */
async function node(settings: WorkerSettings): Promise<ChildProcess> {
  const argument = JSON.stringify({ ...settings, id: randomUUID() });
  const child = spawn(process.execPath, [program, argument], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve) => lines.on('line', (line) => line.includes('"ready"') && resolve()));
  return child;
}

function percentile(values: readonly number[], share: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  return `${Math.round(sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0)} ms`;
}

/** Seconds of processor that a process has used, and those that it waited for. */
function used(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return [11, 12, 13, 14].reduce((sum, each) => sum + Number(fields[each]), 0) / 100;
}

/** Of the server, with all its sessions. */
function usedByServer(pid: number): number {
  const isChild = (each: string): boolean => {
    try {
      return (
        readFileSync(`/proc/${each}/stat`, 'latin1')
          .replace(/^.*\) /s, '')
          .split(' ')[1] === String(pid)
      );
    } catch {
      return false; // it has ended
    }
  };
  const children = readdirSync('/proc').filter((each) => /^\d+$/.test(each) && isChild(each));
  return [pid, ...children.map(Number)].reduce((sum, each) => sum + used(each), 0);
}

interface Timing {
  readonly at: number;
  began: number;
  ended: number;
}

export async function run({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const server = await startPostgres({
    settings: { fsync: 'on', full_page_writes: 'on', shared_buffers: '128MB' },
  });
  const directory = mkdtempSync(join(tmpdir(), 'tsched-bench-'));
  const url = await server.createDatabase();
  const database = await openDatabase({ url, clock: systemClock });
  const queue = await createQueue({ database, clock: systemClock });
  await database.run('UPDATE conductor SET term = 1');
  const dispatch = new Dispatch({
    database,
    queue,
    clock: systemClock,
    term: 1,
    contactFor: () => Infinity,
    onDeposed: () => console.log('deposed'),
    onTrouble: (message) => console.log(message),
  });
  let count = 0;
  const open = new Set<number>();
  const begin = (timings: Timing[]): void => {
    const timing: Timing = { at: performance.now(), began: NaN, ended: NaN };
    timings.push(timing);
    const n = (count += 1);
    open.add(n);
    dispatch.start({ ...BLANK, runId: `run-${n}`, jobId: `job-${n % 500}`, attempt: n }, (report) => {
      if (report.kind === 'started') timing.began = performance.now();
      else {
        timing.ended = performance.now();
        open.delete(n);
      }
    });
  };
  const nodes = (imagined: boolean): Promise<ChildProcess[]> =>
    Promise.all(
      ['a', 'b'].map((name) =>
        node({ url, name: `${name}${imagined}`, directory: join(directory, name), slots: 250, imagined }),
      ),
    );
  const dismiss = async (children: readonly ChildProcess[]): Promise<void> => {
    for (const child of children) child.kill('SIGTERM');
    await Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))));
  };
  try {
    const serverUsed = (): number => (server.pid === undefined ? 0 : usedByServer(server.pid));
    await rate(smoke ? 2 : 10, { begin, open, nodes, dismiss, serverUsed });
    await burst(smoke ? 50 : 500, { begin, open, nodes, dismiss, serverUsed });
  } finally {
    await dispatch.close();
    await queue.close();
    await database.close();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Rig {
  readonly begin: (timings: Timing[]) => void;
  readonly open: ReadonlySet<number>;
  readonly nodes: (imagined: boolean) => Promise<ChildProcess[]>;
  readonly serverUsed: () => number;
  readonly dismiss: (children: readonly ChildProcess[]) => Promise<void>;
}

/** Attempts that do nothing, as fast as asked. */
async function rate(seconds: number, { begin, open, nodes, dismiss, serverUsed }: Rig): Promise<void> {
  const children = await nodes(true);
  const usedByNodes = (): number => children.reduce((sum, { pid = 0 }) => sum + used(pid), 0);
  const before = [usedByNodes(), serverUsed()] as const;
  const timings: Timing[] = [];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const cpu = process.cpuUsage();
  delay.enable();
  const start = performance.now();
  const perSecond: Timing[][] = [];
  while (performance.now() - start < seconds * 1000) {
    const due = Math.min((performance.now() - start) / 1000, seconds) * 1000;
    while (timings.length < due) {
      begin(timings);
      const second = Math.floor((performance.now() - start) / 1000);
      (perSecond[second] ??= []).push(timings.at(-1) as Timing);
    }
    await wait(5);
  }
  const waiting = open.size;
  while (open.size > 0) await wait(5);
  const over = performance.now() - start - seconds * 1000;
  const { user, system } = process.cpuUsage(cpu);
  console.log(`  ${timings.length} attempts in ${seconds} s over two nodes`);
  for (const [second, some] of perSecond.entries()) {
    const lags = some.map(({ at, ended }) => ended - at);
    console.log(
      `    second ${second + 1}: until its end is known: half ${percentile(lags, 0.5)}, 99 of 100 ${percentile(lags, 0.99)}`,
    );
  }
  console.log(`  open at the end: ${waiting}; all over ${Math.round(over)} ms later`);
  console.log(
    `  conductor: ${Math.round((user + system) / 1000 / seconds / 10)} % of a core, loop late by at most ${Math.round(delay.max / 1e6)} ms`,
  );
  const each = (spent: number): string => `${Math.round((spent * 1e6) / timings.length)} µs`;
  console.log(
    `  processor for each attempt: conductor ${each((user + system) / 1e6)}, nodes ${each(usedByNodes() - before[0])}, PostgreSQL ${each(serverUsed() - before[1])}`,
  );
  delay.disable();
  await dismiss(children);
}

/** Shell lines that fall due at one instant. */
async function burst(many: number, { begin, open, nodes, dismiss }: Rig): Promise<void> {
  const children = await nodes(false);
  const timings: Timing[] = [];
  for (let n = 0; n < many; n += 1) begin(timings);
  while (open.size > 0) await wait(5);
  const started = timings.map(({ at, began }) => began - at);
  const ended = timings.map(({ at, ended: end }) => end - at);
  console.log(
    `  ${many} shell lines at once: begun half ${percentile(started, 0.5)}, last ${percentile(started, 1)}; over ${percentile(ended, 1)}`,
  );
  await dismiss(children);
}
