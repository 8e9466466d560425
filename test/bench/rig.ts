/** A daemon of its own and the way to ask it, shared by the benchmarks of the API. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const bin = join(import.meta.dirname, '../../bin/tsched.js');
export const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface Rig {
  readonly child: ChildProcess;
  readonly directory: string;
  readonly socketPath: string;
  /** The answer's text; rejects when it is no good one. */
  ask(path: string, method?: 'GET' | 'POST'): Promise<string>;
}

/** Starts a daemon with these jobs, and waits until its API answers. */
export async function start(jobs: string): Promise<Rig> {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-bench-'));
  writeFileSync(join(directory, 'jobs.yaml'), jobs);
  const args = ['start', 'jobs.yaml', '--state-dir', 'state', '--log-level', 'crit'];
  const child = spawn(process.execPath, [bin, ...args], { cwd: directory, stdio: 'inherit' });
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const socketPath = join(directory, 'state/tsched.sock');
  const ask = (path: string, method = 'GET'): Promise<string> =>
    new Promise((resolve, reject) => {
      const asking = request({ socketPath, path, method, agent }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          (response.statusCode ?? 500) < 300 ? resolve(text) : reject(new Error(text)),
        );
      });
      asking.on('error', reject).end();
    });
  for (let tries = 0; tries < 200; tries += 1) {
    if (
      await ask('/readyz').then(
        () => true,
        () => false,
      )
    )
      return { child, directory, socketPath, ask };
    await wait(50);
  }
  throw new Error('the daemon does not answer');
}

export async function stop({ child, directory }: Rig): Promise<void> {
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  await ended;
  rmSync(directory, { recursive: true, force: true });
}

export interface Run {
  /** A skipped slot has none. */
  readonly id?: string;
  readonly jobId: string;
  readonly scheduledAt: string;
  /** When the daemon asked for its start; null or absent where it did not. */
  readonly startedAt?: string | null;
  readonly cause: string;
}

/** The runs that were asked for or due since, oldest or newest first as the API tells them. */
export async function runsSince(rig: Rig, since: number): Promise<readonly Run[]> {
  const all: Run[] = [];
  for (let cursor = ''; ;) {
    const page = await rig.ask(`/api/v1/runs?limit=1000&since=${new Date(since).toISOString()}${cursor}`);
    const { runs, next } = JSON.parse(page) as { runs: Run[]; next: string | null };
    all.push(...runs);
    if (next === null) return all;
    cursor = `&cursor=${next}`;
  }
}

/**
 * From slot to process, in ms, least first: not as the daemon says, which knows when it asked for the start, but by the birth of the record
 * that the supervisor makes right before it forks.
 */
export function latenessOf({ directory }: Rig, runs: readonly Run[]): readonly number[] {
  return runs
    .flatMap(({ id, scheduledAt }) => {
      const born = id === undefined ? undefined : birthOf(join(directory, 'state/runs', id));
      return born === undefined ? [] : [born - Date.parse(scheduledAt)];
    })
    .toSorted((a, b) => a - b);
}

/** Of the first attempt's record; undefined when it has not begun, or is gone. */
function birthOf(directory: string): number | undefined {
  try {
    return Math.floor(statSync(join(directory, 'attempt-1.exit')).birthtimeMs);
  } catch {
    return undefined;
  }
}

export function at(share: number, sorted: readonly number[]): number {
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}

/** CPU time of the daemon, in ms. */
export function cpuOf({ child }: Rig): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
