/**
 * What a large job file costs the real daemon: how long its loop is held while the file is loaded and reloaded, how late a
 * job of every second starts meanwhile, how much memory the set takes, and how much the process that reads it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const bin = join(import.meta.dirname, '../../bin/tsched.js');
const probe = join(import.meta.dirname, '../support/loop-probe.mjs');
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Shanghai'];
const TICK = `  tick:
    cron: "* * * * * *"
    run: echo "$TSCHED_SCHEDULED_AT $(date +%s%N)" >>"$ACCOUNT"
`;

/** How long the loop was held at most, in milliseconds. */
interface LoopReport {
  readonly wall: number;
  readonly cpu: number;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A file of daily jobs in four zones, and one of every second. `command` and `shift` make all jobs other ones. */
function jobFile(jobs: number, { command = 'exit 0', shift = 0 } = {}): string {
  const text = ['jobs:\n', TICK];
  for (let n = 0; n < jobs; n += 1) {
    const minute = (n + shift) % 1440;
    text.push(`  job-${n}:
    cron: "${minute % 60} ${Math.floor(minute / 60)} * * *"
    timezone: ${ZONES[n % ZONES.length]}
    run: ${command}
`);
  }
  return text.join('');
}

class Daemon {
  readonly directory = mkdtempSync(join(tmpdir(), 'tsched-large-'));
  readonly child: ChildProcess;
  readonly #file = join(this.directory, 'jobs.yaml');
  readonly #account = join(this.directory, 'account');
  readonly #waiting: { readonly event: string; readonly resolve: (line: Record<string, unknown>) => void }[] =
    [];
  #peak = 0;
  #watching: NodeJS.Timeout | undefined;

  constructor(text: string) {
    writeFileSync(this.#file, text);
    writeFileSync(this.#account, '');
    const args = ['--import', probe, bin, 'start', this.#file, '--state-dir', join(this.directory, 'state')];
    this.child = spawn(process.execPath, [...args, '--max-concurrent-runs', '0', '--log-format', 'json'], {
      env: { PATH: process.env.PATH, HOME: this.directory, ACCOUNT: this.#account },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    if (this.child.stdout !== null)
      createInterface(this.child.stdout).on('line', (line) => this.#heard(line));
    this.#watching = setInterval(() => this.#lookAtChildren(), 100);
  }

  #heard(text: string): void {
    const line = JSON.parse(text) as Record<string, unknown>;
    if (line['event'] === undefined) console.error(String(line['msg']).slice(0, 200));
    const index = this.#waiting.findIndex(({ event }) => event === line['event']);
    if (index >= 0) this.#waiting.splice(index, 1)[0]?.resolve(line);
  }

  event(event: string): Promise<Record<string, unknown>> {
    return new Promise((resolve) => this.#waiting.push({ event, resolve }));
  }

  /** The most that a process which reads the job file took, in MB. */
  #lookAtChildren(): void {
    const { pid } = this.child;
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      read(`/proc/${pid}/task/${task}/children`).trim().split(' '),
    );
    for (const child of children) {
      if (!read(`/proc/${child}/cmdline`).includes('config')) continue;
      this.#peak = Math.max(this.#peak, memory(Number(child), 'VmHWM'));
    }
  }

  takePeak(): number {
    const peak = this.#peak;
    this.#peak = 0;
    return peak;
  }

  /** What the probe saw since the last question. */
  loop(): Promise<LoopReport> {
    return new Promise((resolve) => {
      this.child.once('message', (report) => resolve(report as LoopReport));
      this.child.send('?');
    });
  }

  edit(text: string): void {
    writeFileSync(`${this.#file}.new`, text);
    renameSync(`${this.#file}.new`, this.#file);
  }

  touch(): void {
    this.child.kill('SIGHUP');
  }

  /** Lateness of the job of every second since the last question, and how many slots it lost or had twice. */
  takeLateness(): { readonly worst: number; readonly wrong: number } {
    const lines = readFileSync(this.#account, 'utf8').trim().split('\n').filter(Boolean);
    writeFileSync(this.#account, '');
    const slots = lines.map((line) => Date.parse(line.split(' ')[0] ?? ''));
    const late = lines.map((line, n) => Number(line.split(' ')[1]) / 1e6 - (slots[n] ?? 0));
    const wrong = slots.filter((slot, n) => n > 0 && slot !== (slots[n - 1] ?? 0) + 1000).length;
    return { worst: Math.max(...late), wrong };
  }

  async stop(): Promise<void> {
    clearInterval(this.#watching);
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await gone;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // gone meanwhile
  }
}

/** In MB, from /proc. */
function memory(pid: number, key: 'VmRSS' | 'VmHWM'): number {
  const [, kib] = new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(read(`/proc/${pid}/status`)) ?? [];
  return Math.round(Number(kib ?? 0) / 1024);
}

async function measure(jobs: number): Promise<Record<string, unknown>[]> {
  const daemon = new Daemon(jobFile(0));
  const { pid = 0 } = daemon.child;
  const rows: Record<string, unknown>[] = [];
  const step = async (name: string, text: string | undefined, event: string): Promise<void> => {
    await wait(2500);
    daemon.takeLateness();
    daemon.takePeak();
    await daemon.loop();
    const before = memory(pid, 'VmRSS');
    const begin = performance.now();
    const done = daemon.event(event);
    if (text === undefined) daemon.touch();
    else daemon.edit(text);
    await done;
    const seconds = (performance.now() - begin) / 1000;
    await wait(1500);
    const { wall, cpu } = await daemon.loop();
    const { worst, wrong } = daemon.takeLateness();
    rows.push({
      step: name,
      seconds: seconds.toFixed(2),
      'block ms': wall.toFixed(1),
      'cpu ms': cpu.toFixed(1),
      'late ms': worst.toFixed(0),
      wrong,
      'RSS MB before': before,
      after: memory(pid, 'VmRSS'),
      'reader MB': daemon.takePeak(),
    });
  };
  await daemon.event('engine_started');
  await step(`1 → ${jobs} jobs`, jobFile(jobs), 'jobs_applied');
  await step('one job changed', `${jobFile(jobs)}    description: changed\n`, 'jobs_applied');
  await step('all commands changed', jobFile(jobs, { command: 'exit 1' }), 'jobs_applied');
  await step('all schedules changed', jobFile(jobs, { command: 'exit 1', shift: 7 }), 'jobs_applied');
  await step('all but one removed', jobFile(0), 'jobs_applied');
  await daemon.stop();
  return rows;
}

export async function run({ smoke }: { readonly smoke: boolean }): Promise<void> {
  for (const jobs of smoke ? [2000] : [10_000, 100_000]) {
    console.log(`\n${jobs} daily jobs in four zones, and one every second; load ${loadavg()[0]?.toFixed(1)}`);
    console.table(await measure(jobs));
  }
}

if (import.meta.main) await run({ smoke: process.argv.includes('--smoke') });
