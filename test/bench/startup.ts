/** How long short commands take, beside Node with nothing to do. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Batch } from '../../src/store/batch.ts';
import { openDatabase } from '../../src/store/sqlite/open.ts';
import { Recorder } from '../../src/store/sqlite/recorder.ts';

const bin = join(import.meta.dirname, '../../bin/tsched.js');

/** Twenty plain cron jobs in one zone. */
function plainFile(): string {
  const jobs = Array.from(
    { length: 20 },
    (_, index) =>
      `  job-${index}:\n    description: Number ${index}\n    cron: "${index} ${index % 24} * * 1-5"\n    run: echo ${index}\n`,
  );
  return `timezone: Europe/Berlin\njobs:\n${jobs.join('')}`;
}

/** Twenty jobs of several kinds, in four zones. */
function mixedFile(): string {
  const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Shanghai', 'UTC'];
  const jobs = Array.from({ length: 20 }, (_, index) => {
    const zone = `    timezone: ${zones[index % zones.length]}\n`;
    const when =
      index % 5 === 4 ? '    every: 10m\n' : `    cron: "${index} ${index % 24} * * ${index % 7}"\n${zone}`;
    return `  job-${index}:\n    description: Number ${index}\n${when}    run: echo ${index}\n`;
  });
  return `jobs:\n${jobs.join('')}`;
}

/** Twenty runs of each of the twenty jobs. */
function stateWithHistory(directory: string): string {
  const db = openDatabase(join(directory, 'tsched.db'));
  const outcome = { kind: 'succeeded', exitCode: 0 } as const;
  const claims = Array.from({ length: 400 }, (_, index) => {
    const at = Date.now() - index * 3_600_000;
    const time = at.toString(16).padStart(12, '0');
    return {
      id: `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`,
      jobId: `job-${index % 20}`,
      scheduledAt: at,
      cause: 'schedule' as const,
      claimedAt: at,
      state: 'finished' as const,
      attempts: [{ number: 1, startedAt: at + 3, finishedAt: at + 20, duration: 17, pid: 4711, outcome }],
      finishedAt: at + 20,
      outcome,
    };
  });
  const batch = new Batch();
  batch.claim(claims, []);
  new Recorder(db).record(batch.data);
  db.close();
  return directory;
}

/** Milliseconds each command took in each round; the commands take turns, so that a busy moment hits all alike. */
function measure(commands: ReadonlyMap<string, readonly string[]>, rounds: number): Map<string, number[]> {
  const times = new Map([...commands.keys()].map((name): [string, number[]] => [name, []]));
  for (let round = -1; round < rounds; round += 1) {
    for (const [name, args] of commands) {
      const begin = performance.now();
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      const took = performance.now() - begin;
      if (status !== 0) throw new Error(`${name} failed: ${stderr}`);
      if (round >= 0) times.get(name)?.push(took); // the first round fills the caches of compiled code
    }
  }
  return times;
}

/** A daemon with 10,000 jobs, and how to name it. */
async function liveDaemon(
  directory: string,
): Promise<{ readonly named: readonly string[]; stop(): Promise<unknown> }> {
  mkdirSync(directory);
  const file = join(directory, 'jobs.yaml');
  const jobs = Array.from(
    { length: 10_000 },
    (_, n) => `  job-${n}: { cron: "${n % 60} 0 1 1 *", run: x }\n`,
  );
  writeFileSync(file, `jobs:\n${jobs.join('')}`);
  const named = ['--state-dir', join(directory, 'state')];
  const daemon = spawn(process.execPath, [bin, 'start', file, ...named], { stdio: 'ignore' });
  const ended = new Promise((resolve) => void daemon.on('exit', resolve));
  const told = (): string =>
    spawnSync(process.execPath, [bin, 'status', '--json', ...named], { encoding: 'utf8' }).stdout;
  while (!told().includes('"scheduled":10000')) {
    if (daemon.exitCode !== null) throw new Error('the daemon has ended');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const stop = (): Promise<unknown> => {
    daemon.kill();
    return ended;
  };
  return { named, stop };
}

export async function run({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-startup-'));
  const daemon = await liveDaemon(join(directory, 'live'));
  try {
    const empty = join(directory, 'empty.cjs');
    const file = join(directory, 'jobs.yaml');
    writeFileSync(empty, '');
    const plain = join(directory, 'plain.yaml');
    writeFileSync(file, mixedFile());
    writeFileSync(plain, plainFile());
    const none = ['--state-dir', join(directory, 'none')];
    const lived = ['--state-dir', stateWithHistory(directory)];
    const commands = new Map([
      ['node empty.cjs', [empty]],
      ['tsched --version', [bin, '--version']],
      ['tsched list, 20 plain jobs', [bin, 'list', '--file', plain, ...none]],
      ['tsched list, 20 jobs', [bin, 'list', '--file', file, ...none]],
      ['tsched list --json, 20 jobs', [bin, 'list', '--json', '--file', file, ...none]],
      ['tsched list, 20 plain jobs with history', [bin, 'list', '--file', plain, ...lived]],
      ['tsched history of one job', [bin, 'history', 'job-1', ...lived]],
      ['tsched status, a daemon with 10,000 jobs', [bin, 'status', ...daemon.named]],
      ['tsched next, 20 jobs', [bin, 'next', '--file', file]],
      ['tsched --help', [bin, '--help']],
    ]);
    const times = measure(commands, smoke ? 1 : 60);
    const middle = (name: string): number =>
      (times.get(name) ?? []).sort((a, b) => a - b).at((times.get(name)?.length ?? 0) >> 1) ?? 0;
    const bare = middle('node empty.cjs');
    console.table(
      [...commands.keys()].map((command) => ({
        command,
        'median ms': Number(middle(command).toFixed(1)),
        'least ms': Number(Math.min(...(times.get(command) ?? [])).toFixed(1)),
        'times bare node': Number((middle(command) / bare).toFixed(2)),
      })),
    );
  } finally {
    await daemon.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
