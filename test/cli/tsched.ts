/** The command as a real process. */
import { library } from '../support/faketime.ts';
import { PATIENCE } from '../support/patience.ts';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export const bin = join(import.meta.dirname, '../../bin/tsched.js');

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs it as if it were this moment, UTC: `2026-10-24 12:00:00`; with `@` before it time goes on from there, else it stands. */
  readonly at?: string;
  /** Given on standard input; else there is none. */
  readonly input?: string;
}

/** Runs `tsched` with these arguments, in a directory of its own unless told otherwise, and waits for its end. */
export function tsched(
  args: readonly string[],
  { cwd = directory(), env = {}, at, input = '' }: RunOptions = {},
): Ran {
  const faked = at === undefined ? {} : { LD_PRELOAD: library(), FAKETIME: at };
  const result: SpawnSyncReturns<string> = spawnSync(process.execPath, [bin, ...args], {
    cwd,
    env: { ...plainEnvironment(), ...faked, ...env },
    encoding: 'utf8',
    input,
    timeout: PATIENCE,
  });
  if (result.error !== undefined) throw result.error;
  return { code: result.status, out: result.stdout, err: result.stderr };
}

let cache: string | undefined;

/** No variable of whoever runs the tests changes what a command prints. */
export function plainEnvironment(): Record<string, string> {
  cache ??= directory();
  const home = directory();
  return {
    PATH: process.env.PATH ?? '',
    HOME: home,
    XDG_CACHE_HOME: cache,
    TSCHED_STATE_DIR: join(home, 'state'),
    TZ: 'UTC',
  };
}

const made: string[] = [];
afterAll(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** A directory that is gone after the test file. */
export function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'tsched-cli-'));
  made.push(path);
  return path;
}

/** A directory with a `jobs.yaml`, and perhaps more files. */
export function project(jobs: string, files: Readonly<Record<string, string>> = {}): string {
  const path = directory();
  for (const [name, text] of Object.entries({ 'jobs.yaml': jobs, ...files }))
    writeFileSync(join(path, name), text);
  return path;
}
