/**
 * 500 shell jobs due at one instant: when did the first, the middle one and the last start, by the jobs' own account (each
 * makes a file, whose time of change counts), and how long did the loop of the scheduling process stand still? With an empty
 * heap, and with one that a large job file or a careless library leaves behind. Every contender has a process of its own, and
 * rounds of all are interleaved.
 */
import { Cron } from 'croner';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { schedule } from 'node-cron';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/engine/clock.ts';
import type { AttemptSpec } from '../../src/engine/ports.ts';
import { createExecutor } from '../../src/tasks/executor.ts';

interface Row {
  /** Milliseconds after the instant at which all were due. */
  readonly first: number;
  readonly median: number;
  readonly last: number;
  /** Longest stall of the event loop, milliseconds. */
  readonly stall: number;
}

type Contender = (jobs: number, directory: string) => Promise<number>;

const script = (directory: string, index: number): string => `: > ${directory}/${index}`;

/** Resolves to the instant at which all were due, once all have ended. */
const contenders: Record<string, Contender> = {
  'tsched executor': async (jobs, directory) => {
    const executor = createExecutor({
      runsDirectory: `${directory}.runs`,
      clock: systemClock,
      nodePath: process.execPath,
      inheritedEnvironment: process.env,
      output: 'file',
    });
    await pass(500);
    const due = Date.now();
    await each(jobs, (index, done) => {
      executor.start(specOf(index, script(directory, index)), (report) => {
        if (report.kind === 'ended') done();
      });
    });
    await executor.close();
    return due;
  },
  'child_process.spawn': async (jobs, directory) => {
    const due = Date.now();
    await each(jobs, (index, done) => start(directory, index, done));
    return due;
  },
  'node-cron': async (jobs, directory) => {
    const due = nextSecond(2);
    await each(jobs, (index, done) => {
      const job = schedule(`${new Date(due).getSeconds()} * * * * *`, () => {
        void job.stop();
        start(directory, index, done);
      });
    });
    return due;
  },
  croner: async (jobs, directory) => {
    const due = nextSecond(3);
    await each(jobs, (index, done) => {
      const job = new Cron(`${new Date(due).getSeconds()} * * * * *`, () => {
        job.stop();
        start(directory, index, done);
      });
    });
    return due;
  },
};

const go = `package main
import ("fmt"; "os"; "os/exec"; "strconv"; "sync"; "syscall"; "time")
func main() {
	n, _ := strconv.Atoi(os.Args[1])
	due := time.Now().UnixMilli()
	var all sync.WaitGroup
	for i := 0; i < n; i++ { all.Add(1); go func(i int) { defer all.Done()
		c := exec.Command("/bin/sh", "-c", ": > " + os.Args[2] + "/" + strconv.Itoa(i))
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		c.Run() }(i) }
	all.Wait()
	fmt.Println(due)
}`;

function start(directory: string, index: number, done: () => void): void {
  spawn('/bin/sh', ['-c', script(directory, index)], { stdio: 'ignore', detached: true }).once('exit', done);
}

function each(jobs: number, begin: (index: number, done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    let left = jobs;
    for (let index = 0; index < jobs; index += 1) begin(index, () => (left -= 1) === 0 && resolve());
  });
}

function nextSecond(atLeast: number): number {
  return (Math.floor(Date.now() / 1000) + atLeast) * 1000;
}

function pass(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function specOf(index: number, line: string): AttemptSpec {
  return {
    runId: `01890a5d-ac96-774b-bcce-${String(index).padStart(12, '0')}`,
    jobId: `job-${index}`,
    attempt: 1,
    scheduledAt: Date.now(),
    cause: 'schedule',
    task: { kind: 'run', script: line, shell: ['/bin/sh', '-c'] },
    surroundings: { cwd: '/', env: {}, inheritEnv: true, limits: {} },
    output: { maxSize: 1_000_000, keep: 1, log: 'failures' },
    successExitCodes: [0],
    killSignal: 'TERM',
    killAfter: 10_000,
  };
}

/** In a process of its own: one round of one contender. */
async function compete(name: string, jobs: number, megabytes: number): Promise<void> {
  const contender = contenders[name];
  if (contender === undefined) throw new Error(`no contender ${name}`);
  const directory = mkdtempSync(join(tmpdir(), 'tsched-storm-'));
  // Touched, or it would not be there to be copied.
  const ballast = Array.from({ length: megabytes }, () => Buffer.alloc(1024 * 1024, 1));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const due = await contender(jobs, directory);
  delay.disable();
  const row = { ...startsIn(directory, due), stall: delay.max / 1e6 };
  if (ballast.length !== megabytes) throw new Error('ballast lost');
  rmSync(directory, { recursive: true });
  rmSync(`${directory}.runs`, { recursive: true, force: true });
  console.log(JSON.stringify(row));
}

function startsIn(directory: string, due: number): Omit<Row, 'stall'> {
  const starts = readdirSync(directory)
    .map((name) => statSync(join(directory, name)).mtimeMs - due)
    .sort((a, b) => a - b);
  return { first: starts[0] ?? NaN, median: starts[starts.length >> 1] ?? NaN, last: starts.at(-1) ?? NaN };
}

function round(name: string, jobs: number, megabytes: number): Row {
  const path = fileURLToPath(import.meta.url);
  const run = spawnSync(process.execPath, [path, name, String(jobs), String(megabytes)], {
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(`${name}: ${run.stderr}`);
  return JSON.parse(run.stdout) as Row;
}

/** Go's os/exec, which robfig/cron's users would call; undefined where there is no Go. */
function buildGo(directory: string): ((jobs: number) => Row) | undefined {
  writeFileSync(join(directory, 'main.go'), go);
  const binary = join(directory, 'storm');
  const env = { ...process.env, GO111MODULE: 'off', GOCACHE: join(directory, 'cache') };
  if (spawnSync('go', ['build', '-o', binary, 'main.go'], { cwd: directory, env }).status !== 0)
    return undefined;
  return (jobs) => {
    const target = mkdtempSync(join(directory, 'go-'));
    const run = spawnSync(binary, [String(jobs), target], { encoding: 'utf8' });
    return { ...startsIn(target, Number(run.stdout)), stall: 0 };
  };
}

export async function run({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const jobs = smoke ? 20 : 500;
  const heaps = smoke ? [0] : [0, 256, 1024];
  const scratch = mkdtempSync(join(tmpdir(), 'tsched-storm-go-'));
  mkdirSync(join(scratch, 'cache'));
  const rounds = new Map<string, () => Row>();
  for (const heap of heaps) {
    const suffix = heap === 0 ? '' : `, ${heap} MB heap`;
    for (const name of ['tsched executor', 'child_process.spawn'])
      rounds.set(name + suffix, () => round(name, jobs, heap));
  }
  for (const name of ['node-cron', 'croner']) rounds.set(`${name} + spawn`, () => round(name, jobs, 0));
  const goRound = smoke ? undefined : buildGo(scratch);
  if (goRound) rounds.set('Go os/exec (as under robfig/cron)', () => goRound(jobs));

  const results = new Map<string, Row[]>(Array.from(rounds.keys(), (name) => [name, []]));
  for (let turn = 0; turn < (smoke ? 1 : 5); turn += 1) {
    for (const [name, once] of rounds) {
      const rows = results.get(name) ?? [];
      if (rows.some(({ last }) => last > 3000)) continue; // once is telling enough
      rows.push(once());
      await pass(smoke ? 0 : 200);
    }
  }
  rmSync(scratch, { recursive: true });
  console.log(
    `${jobs} shell jobs due at one instant; milliseconds after it; median of rounds (best last start in brackets)`,
  );
  console.table(Object.fromEntries(Array.from(results, ([name, rows]) => [name, summary(rows)])));
}

function summary(rows: readonly Row[]): Record<string, string> {
  const middle = (key: keyof Row): string => {
    const values = rows.map((row) => row[key]).sort((a, b) => a - b);
    return (values[values.length >> 1] ?? NaN).toFixed(0);
  };
  const best = Math.min(...rows.map((row) => row.last)).toFixed(0);
  return {
    'first start': middle('first'),
    'median start': middle('median'),
    'last start': `${middle('last')} (${best})`,
    'loop stalled for': middle('stall'),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv.length > 3) {
  const [name = '', jobs, megabytes] = process.argv.slice(2);
  await compete(name, Number(jobs), Number(megabytes));
}
