/**
 * How long a module task that does nothing takes, from being asked for to its outcome: in a process started for it, in
 * a spare one, in a thread. Tasks in JavaScript, and in TypeScript, whose types Node has first to strip. (The hosts run from
 * their sources here; bundled, their own start is shorter.)
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/engine/clock.ts';
import type { AttemptSpec, Executor } from '../../src/engine/ports.ts';
import type { Outcome } from '../../src/model.ts';
import { createExecutor } from '../../src/tasks/executor.ts';
import { readRecord } from '../../src/tasks/exit-record.ts';

type Way = 'cold' | 'spare' | 'thread';

let count = 0;

function specOf(way: Way, path: string, cwd: string): AttemptSpec {
  return {
    runId: `run-${++count}`,
    jobId: 'bench',
    attempt: way === 'cold' ? 2 : 1, // spares are for first attempts
    scheduledAt: 0,
    cause: 'manual',
    task: {
      kind: 'module',
      path,
      exportName: 'default',
      isolation: way === 'thread' ? 'thread' : 'process',
      with: null,
    },
    surroundings: { cwd, env: {}, inheritEnv: true, limits: {} },
    output: { maxSize: 1024, keep: 1, log: 'none' },
    successExitCodes: [0],
    killSignal: 'SIGTERM',
    killAfter: 1000,
  };
}

function outcomeOf(executor: Executor, spec: AttemptSpec): Promise<Outcome> {
  return new Promise((resolve) => {
    executor.start(spec, (report) => {
      if (report.kind === 'ended') resolve(report.outcome);
    });
  });
}

/** A spare is ready when its socket is gone. */
async function spareReady(spares: string): Promise<void> {
  const ready = (name: string): boolean =>
    existsSync(join(spares, name, 'attempt-1.log')) &&
    readRecord(join(spares, name, 'attempt-1.exit')).kind === 'started' &&
    !existsSync(join(spares, name, 'socket'));
  while (!existsSync(spares) || !readdirSync(spares).some(ready)) await delay(5);
}

/** Milliseconds of each round, sorted. */
async function measure(
  way: Way,
  rounds: number,
  once: () => Promise<Outcome>,
  ready: () => Promise<void>,
): Promise<number[]> {
  await once(); // makes the first spare, or the thread host
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (way !== 'cold') await ready();
    const begin = performance.now();
    const outcome = await once();
    times.push(performance.now() - begin);
    if (outcome.kind !== 'succeeded') throw new Error(`${way}: ${JSON.stringify(outcome)}`);
  }
  return times.sort((a, b) => a - b);
}

export async function run({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-bench-'));
  const runsDirectory = join(directory, 'runs');
  const { PATH = '' } = process.env;
  const executor = createExecutor({
    runsDirectory,
    clock: systemClock,
    nodePath: process.execPath,
    inheritedEnvironment: { PATH },
    output: 'file',
  });
  const sources = {
    'nothing.mjs': 'export default () => 1;',
    'nothing.mts': 'export default (): number => 1;',
  };
  const ready: Record<Way, () => Promise<void>> = {
    cold: () => Promise.resolve(),
    spare: () => spareReady(join(runsDirectory, '.spares')),
    thread: () => delay(200), // as for a job that runs now and then: the next thread has been made
  };
  try {
    const rows = [];
    for (const [file, source] of Object.entries(sources)) {
      const path = join(directory, file);
      writeFileSync(path, source);
      for (const way of ['cold', 'spare', 'thread'] as const) {
        const once = (): Promise<Outcome> => outcomeOf(executor, specOf(way, path, directory));
        const times = await measure(way, smoke ? 2 : 30, once, ready[way]);
        const at = (share: number): number =>
          Number(times[Math.floor(share * (times.length - 1))]?.toFixed(1));
        rows.push({ task: file, way, 'median ms': at(0.5), 'p90 ms': at(0.9), 'least ms': at(0) });
      }
    }
    console.table(rows);
  } finally {
    await executor.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
