import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import { createExecutor, type ProcessExecutor } from '../../src/tasks/executor.ts';

let directory: string;
let executor: ProcessExecutor;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsched-command-'));
  executor = createExecutor({
    runsDirectory: directory,
    clock: systemClock,
    nodePath: process.execPath,
    inheritedEnvironment: { PATH: process.env.PATH, TSCHED_SOCKET: 'x', NOTIFY_SOCKET: 'x' },
    output: 'file',
  });
});

afterEach(async () => {
  await executor.close();
  rmSync(directory, { recursive: true, force: true });
});

function shell(script: string, env: Readonly<Record<string, string>> = {}): Promise<string | undefined> {
  return executor.runCommand({ argv: ['/bin/sh', '-c', script], cwd: directory, env, stdin: 'some\nwords' });
}

describe('a command of the daemon', () => {
  it('gets its input, its environment and its directory, and leaves no file behind', async () => {
    expect(await shell('cat > in; echo "$A $NOTIFY_SOCKET" > env', { A: "it's\n$HOME" })).toBeUndefined();
    expect(readFileSync(join(directory, 'in'), 'utf8')).toBe('some\nwords');
    expect(readFileSync(join(directory, 'env'), 'utf8')).toBe("it's\n$HOME \n");
    expect(readdirSync(join(directory, '.commands'))).toEqual([]);
  });

  it('says how it ended, and its last word', async () => {
    expect(await shell('echo first; echo why >&2; exit 7')).toBe('it ended with exit code 7: why');
    expect(await shell('kill -9 $$')).toBe('it was killed by SIGKILL');
    const absent = { argv: ['/no/such'], cwd: directory, env: {}, stdin: '' };
    expect(await executor.runCommand(absent)).toMatch(/^There is no file \/no\/such/);
  });

  it('is started by the spawner, not by the daemon', async () => {
    await shell('echo $PPID > parent');
    const parent = Number(readFileSync(join(directory, 'parent'), 'utf8'));
    expect(parent).toBeGreaterThan(1);
    expect(parent).not.toBe(process.pid);
  });
});
