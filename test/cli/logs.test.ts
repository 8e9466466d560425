import { execFileSync, spawn } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startDaemon } from '../support/daemon.ts';
import { going, printed, ran, stateWith } from './past.ts';
import { bin, directory, plainEnvironment, project, tsched } from './tsched.ts';

const slot = '2026-11-23T01:30:00Z';

function oneRun(output: string | Buffer): { state: string; id: string; path: string } {
  const run = ran('backup', slot);
  const state = stateWith({ runs: [run] });
  printed(state, run, [output]);
  return { state, id: run.id, path: join(state, 'runs', run.id, 'attempt-1.log') };
}

function threeTries(): string {
  const failed = { kind: 'failed', exitCode: 1 } as const;
  const startedAt = Date.parse(slot);
  const attempt = (number: number) => ({
    number,
    startedAt,
    finishedAt: startedAt + 5,
    duration: 5,
    outcome: failed,
  });
  const run = ran('backup', slot, { attempts: [attempt(1), attempt(2), attempt(3)], outcome: failed });
  const state = stateWith({ runs: [run, ran('backup', '2026-11-22T01:30:00Z')] });
  printed(state, run, ['one\nuno\n', 'two\ndue', 'three\n']);
  return state;
}

describe('tsched logs', () => {
  it('shows what the newest run of a job printed, attempt by attempt', () => {
    const state = threeTries();
    const { code, out, err } = tsched(['logs', 'backup', '--state-dir', state]);
    expect({ code, out }).toEqual({ code: 0, out: 'one\nuno\ntwo\ndue\nthree\n' });
    expect(err.split('\n')).toEqual([
      '▶ backup, attempt 1: failed with exit code 1 after 5ms',
      '▶ backup, attempt 2: failed with exit code 1 after 5ms',
      '▶ backup, attempt 3: failed with exit code 1 after 5ms',
      '',
    ]);
    expect(tsched(['logs', 'backup', '--attempt', '2', '--state-dir', state]).out).toBe('two\ndue\n');
    expect(tsched(['logs', 'backup', '--attempt', '4', '--state-dir', state])).toMatchObject({
      code: 64,
      err: 'tsched: the run had 3 attempts, not 4\n',
    });
  });

  it('shows the last lines, from however many attempts they are', () => {
    const state = threeTries();
    const tail = (lines: number): string =>
      tsched(['logs', 'backup', '--tail', String(lines), '--state-dir', state]).out;
    expect([0, 1, 2, 3, 5, 9].map(tail)).toEqual([
      '',
      'three\n',
      'due\nthree\n',
      'two\ndue\nthree\n',
      'one\nuno\ntwo\ndue\nthree\n',
      'one\nuno\ntwo\ndue\nthree\n',
    ]);
  });

  it('makes bytes safe, in a pipe too, unless they are asked for raw', () => {
    const bytes = Buffer.concat([
      Buffer.from('\u001b[31mred\u001b[0m \u0000 tab\there\r\n\u202eesrever ä€😀 '),
      Buffer.from([0xff, 0xc3, 0x28, 0xe2, 0x82, 0xed, 0xa0, 0x80, 0xf0, 0x9f]),
    ]);
    const { state } = oneRun(bytes);
    const { out } = tsched(['logs', 'backup', '--state-dir', state]);
    expect(out).toBe(
      '\\x1b[31mred\\x1b[0m \\x00 tab\there\\x0d\n\\u202eesrever ä€😀 \\xff\\xc3(\\xe2\\x82\\xed\\xa0\\x80\\xf0\\x9f\n',
    );
    const raw = join(directory(), 'raw');
    const file = openSync(raw, 'w');
    const child = spawn(process.execPath, [bin, 'logs', 'backup', '--raw', '--state-dir', state], {
      env: plainEnvironment(),
      stdio: ['ignore', file, 'inherit'],
    });
    return new Promise<void>((resolve) => child.once('close', () => resolve())).then(() => {
      closeSync(file);
      expect(readFileSync(raw)).toEqual(bytes);
    });
  });

  it('gives JSON lines that any parser takes', () => {
    const { state, id } = oneRun(
      Buffer.concat([Buffer.from('a\u0000\u001b\u202e\u2028b\n\n'), Buffer.from([0xff])]),
    );
    const { out } = tsched(['logs', 'backup', '--json', '--state-dir', state]);
    expect(out).toMatch(/^[\u0020-\u007e\n\ufffd]+$/);
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { line: string });
    expect(lines[0]).toMatchObject({ run: id, attempt: 1 });
    expect(lines.map(({ line }) => line)).toEqual(['a\u0000\u001b\u202e\u2028b', '', '\ufffd']);
  });

  it('never holds a line, nor a file: 50 MB without an end of line, 1 GB in all', async () => {
    const { state, path } = oneRun('');
    const file = openSync(path, 'w');
    writeSync(file, Buffer.alloc(50_000_000, 'é'));
    ftruncateSync(file, 1_000_000_000); // the rest is NUL bytes, and takes no room on the disk
    closeSync(file);
    const shown = await measured(['logs', 'backup', '--raw', '--state-dir', state]);
    expect(shown.bytes).toBe(1_000_000_000);
    expect(shown.peak).toBeLessThan(200_000);
    ftruncate(path, 50_000_000);
    const safe = await measured(['logs', 'backup', '--state-dir', state]);
    expect(safe.bytes).toBe(50_000_001);
    expect(safe.peak).toBeLessThan(200_000);
    const json = await measured(['logs', 'backup', '--tail', '1', '--json', '--state-dir', state], 'keep');
    expect(json.peak).toBeLessThan(200_000);
    const parts = json.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { line: string; continues?: true });
    expect(parts.reduce((sum, { line }) => sum + line.length, 0)).toBe(25_000_000);
    expect(parts.map(({ continues }) => continues ?? false)).toEqual(
      parts.map((_, index) => index < parts.length - 1),
    );
  });

  it('ends when its reader does', async () => {
    const { state } = oneRun('line\n'.repeat(10_000_000));
    const child = spawn(process.execPath, [bin, 'logs', 'backup', '--state-dir', state], {
      env: plainEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
  });

  it('says why there is nothing', () => {
    const message = 'There is no file ./nope';
    const outcome = { kind: 'not_started', message } as const;
    const quiet = ran('quiet', slot);
    const state = stateWith({
      runs: [
        ran('gone', slot),
        ran('never', slot, { attempts: [{ number: 1, startedAt: 5, outcome }], outcome }),
        going('soon', slot, { state: 'claimed', attempts: [] }),
        quiet,
      ],
    });
    printed(state, quiet, ['']);
    const said = (name: string): [number | null, string] => {
      const { code, err } = tsched(['logs', name, '--state-dir', state], {
        cwd: project('jobs:\n  fresh: { every: 1h, run: x }\n'),
      });
      return [code, err];
    };
    expect(said('gone')).toEqual([1, expect.stringMatching(/is gone from .*output: \{ keep \}/) as string]);
    expect(said('never')).toEqual([
      1,
      `tsched: this run of never printed nothing: not started: ${message}\n`,
    ]);
    expect(said('soon')).toEqual([0, 'tsched: this run of soon has not begun yet; follow it with -f\n']);
    expect(said('quiet')).toEqual([0, '(no output)\n']);
    expect(said('fresh')).toEqual([1, 'tsched: fresh has not run yet\n']);
    expect(said('freh')).toEqual([64, expect.stringContaining('did you mean "fresh"?') as string]);
  });

  it('is not held up by what a job put in place of its output', () => {
    const { state, path } = oneRun('');
    rmSync(path);
    execFileSync('mkfifo', [path]);
    const { code, err } = tsched(['logs', 'backup', '--state-dir', state]);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('is gone from') as string });
  });
});

describe('tsched logs -f', () => {
  it('follows a run through its retries to its end', async () => {
    const where = project('');
    const go = join(where, 'go');
    const jobs = `jobs:
  a:
    startup: daemon
    run: 'echo begun $TSCHED_ATTEMPT; until [ -e "${go}" ]; do sleep 0.05; done; echo done; [ $TSCHED_ATTEMPT = 2 ]'
    retry: { limit: 1, delay: 300ms, jitter: false }
`;
    const daemon = await startDaemon({ jobs, directory: where }).ready();
    await daemon.waitFor('the attempt', (line) => line.event === 'attempt_started');
    const child = spawn(process.execPath, [bin, 'logs', 'a', '-f', '--state-dir', daemon.stateDirectory], {
      env: plainEnvironment(),
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await daemon.until('the first lines', () => out.includes('begun 1\n'));
    expect(out).toBe('begun 1\n');
    writeFileSync(go, '');
    expect(await ended).toBe(0);
    expect(out).toBe('begun 1\ndone\nbegun 2\ndone\n');
    expect(err).toContain('▶ a, attempt 2');
  });
});

interface Measured {
  readonly bytes: number;
  readonly text: string;
  /** Of its memory, in KB. */
  readonly peak: number;
}

/** Its output is counted, and kept only if asked for. */
async function measured(args: readonly string[], keep?: 'keep'): Promise<Measured> {
  const spy = join(directory(), 'spy.cjs');
  const report = `${spy}.out`;
  writeFileSync(
    spy,
    `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(report)}, String(process.resourceUsage().maxRSS)))`,
  );
  const child = spawn(process.execPath, ['--require', spy, bin, ...args], {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let bytes = 0;
  const kept: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (keep !== undefined) kept.push(piece);
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(code).toBe(0);
  return { bytes, text: Buffer.concat(kept).toString(), peak: Number(readFileSync(report, 'utf8')) };
}

function ftruncate(path: string, size: number): void {
  const file = openSync(path, 'r+');
  ftruncateSync(file, size);
  closeSync(file);
}
