import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bin, directory, plainEnvironment, project, tsched } from './tsched.ts';
import { PATIENCE } from '../support/patience.ts';

const jobs = 'jobs:\n  tick: { every: 200ms, run: echo tock, output: { log: all } }\n';

/** A daemon, its output, and a way to wait for words in it. */
class Daemon {
  readonly child: ChildProcessWithoutNullStreams;
  readonly closed: Promise<number | null>;
  text = '';

  constructor(cwd: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    const command = [bin, 'start', '--state-dir', directory(), ...args];
    this.child = spawn(process.execPath, command, { cwd, env: { ...plainEnvironment(), ...env } });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk));
    }
    this.closed = new Promise((resolve) => this.child.on('close', resolve));
  }

  async says(words: string | RegExp): Promise<void> {
    await vi.waitFor(
      () => {
        if (this.text.search(words) < 0) throw new Error(`not said: ${String(words)}, but: ${this.text}`);
      },
      { timeout: PATIENCE },
    );
  }
}

const daemons: Daemon[] = [];
function start(
  cwd: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Daemon {
  const daemon = new Daemon(cwd, args, env);
  daemons.push(daemon);
  return daemon;
}
afterEach(() => {
  for (const { child } of daemons.splice(0)) child.kill('SIGKILL');
});

describe('tsched start', () => {
  it('runs jobs, tells of them in JSON lines, and ends with 0 when asked to', async () => {
    const daemon = start(project(jobs));
    await daemon.says('"msg":"tock"');
    daemon.child.kill('SIGINT');
    expect(await daemon.closed).toBe(0);
    const events = daemon.text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { event: string }).event);
    expect(events).toEqual(
      expect.arrayContaining([
        'engine_started',
        'attempt_started',
        'output',
        'run_finished',
        'engine_stopped',
      ]),
    );
  });

  it('tells people in their own zone', async () => {
    const daemon = start(project(jobs), ['--log-format', 'human', '--no-color']);
    await daemon.says(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO {2}tick│ tock$/m);
    daemon.child.kill('SIGTERM');
    expect(await daemon.closed).toBe(0);
  });

  it('refuses a bad file with the words of validate, and a missing one', () => {
    const cwd = project('jobs:\n  a: { evry: 1h, run: echo }\n');
    const state = ['--state-dir', directory()];
    const refused = tsched(['start', ...state], { cwd });
    expect({ code: refused.code, out: refused.out }).toEqual({ code: 78, out: '' });
    const frames = tsched(['validate'], { cwd }).err.replace(/^✖.*\n/m, '');
    expect(refused.err).toBe(`${frames}tsched: jobs.yaml has 1 error; nothing was run\n`);
    expect(tsched(['start', 'nope.yaml', ...state], { cwd }).code).toBe(66);
  });

  it('says which directory or file it cannot make', () => {
    const cwd = project(jobs, { plain: 'a file' });
    const state = tsched(['start', '--state-dir', 'plain/state'], { cwd });
    expect(state.code).toBe(73);
    expect(state.err).toMatch(
      /cannot make the state directory: .*; name another than \/.*plain\/state with --state-dir/,
    );
    const log = tsched(['start', '--state-dir', directory(), '--log-file', 'plain/log'], { cwd });
    expect(log.code).toBe(73);
    expect(log.err).toMatch(/cannot make the log file: .*--log-file/);
  });

  it('writes to a log file, and to a new one after HUP', async () => {
    const cwd = project(jobs);
    const log = join(cwd, 'tsched.log');
    const daemon = start(cwd, ['--log-file', log]);
    const written = (path: string) => (): string => {
      try {
        return readFileSync(path, 'utf8');
      } catch {
        return '';
      }
    };
    await expect.poll(written(log)).toContain('tock');
    renameSync(log, `${log}.1`);
    daemon.child.kill('SIGHUP');
    await expect.poll(written(log)).toContain('tock');
    daemon.child.kill('SIGTERM');
    expect(await daemon.closed).toBe(0);
    expect(daemon.text).toBe('');
    expect(written(`${log}.1`)()).toContain('started with 1 job');
  });

  it('says once that labels of nodes mean nothing on one machine, and again when other jobs have some', async () => {
    const two = `${jobs}  a: { every: 1d, run: x, runs_on: gpu }\n  b: { every: 1d, run: x, runs_on: [eu, gpu] }\n`;
    const cwd = project(two);
    expect(tsched(['validate'], { cwd }).err).not.toContain('runs_on');
    const daemon = start(cwd, ['--log-format', 'human', '--no-color']);
    await daemon.says('tock');
    writeFileSync(join(cwd, 'jobs.yaml'), two.replace('echo tock', 'echo tack'));
    await daemon.says('tack');
    writeFileSync(
      join(cwd, 'jobs.yaml'),
      two.replace(', runs_on: gpu', '').replace('echo tock', 'echo tuck'),
    );
    await daemon.says('tuck');
    daemon.child.kill('SIGTERM');
    expect(await daemon.closed).toBe(0);
    const means = 'nothing on one machine: nodes with labels are those of --store postgres://…';
    expect(daemon.text.match(/WARN\w* +.*runs_on.*/g)?.map((line) => line.replace(/^WARN\w* +/, ''))).toEqual(
      [`runs_on of 2 jobs means ${means}`, `runs_on of one job means ${means}`],
    );
  });

  it('watches where the variable says no to not watching', async () => {
    const cwd = project(jobs);
    const daemon = start(cwd, [], { TSCHED_NO_WATCH: '0' });
    await daemon.says('tock');
    writeFileSync(join(cwd, 'jobs.yaml'), jobs.replace('echo tock', 'echo tack'));
    await daemon.says('"msg":"tack"');
    daemon.child.kill('SIGTERM');
    expect(await daemon.closed).toBe(0);
  });

  it('goes on when the reader of its output goes away', async () => {
    const cwd = project('jobs:\n  tick: { every: 200ms, run: echo tock >> ticks }\n');
    const daemon = start(cwd);
    await daemon.says('attempt_started');
    daemon.child.stdout.destroy();
    daemon.child.stderr.destroy();
    // A job that has started has not written yet.
    const ticks = (): number =>
      existsSync(join(cwd, 'ticks')) ? readFileSync(join(cwd, 'ticks'), 'utf8').split('\n').length : 0;
    const before = ticks();
    await expect.poll(ticks).toBeGreaterThan(before + 5);
    daemon.child.kill('SIGTERM');
    expect(await daemon.closed).toBe(0);
  });
});
