import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/engine/ports.ts';
import { Sink } from '../../src/observe/sink.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsched-sink-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A clock that stands until it is moved; timers run when they are fired. */
function handClock(): Clock & { move(by: number): void; fire(): void } {
  let at = 0;
  const timers = new Set<() => void>();
  return {
    now: () => at,
    monotonic: () => at,
    after(_, action) {
      timers.add(action);
      return () => timers.delete(action);
    },
    move(by) {
      at += by;
    },
    fire() {
      const due = Array.from(timers);
      timers.clear();
      for (const action of due) action();
    },
  };
}

const gap = (count: number, reason: string): string => `GAP ${count} ${reason}`;

describe('a sink on a file', () => {
  it('makes a file that only its owner reads, and adds to it', () => {
    const path = join(directory, 'log');
    writeFileSync(path, 'before\n');
    rmSync(path);
    const sink = new Sink({ target: { path }, clock: handClock(), gap });
    sink.write('one');
    sink.write('two');
    sink.close();
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
    expect(execFileSync('stat', ['-c', '%a', path], { encoding: 'utf8' }).trim()).toBe('600');
  });

  it('follows its name after a rotation when told to', () => {
    const path = join(directory, 'log');
    const sink = new Sink({ target: { path }, clock: handClock(), gap });
    sink.write('one');
    renameSync(path, `${path}.1`);
    sink.write('still the old file');
    sink.reopen();
    sink.write('two');
    sink.close();
    expect(readFileSync(`${path}.1`, 'utf8')).toBe('one\nstill the old file\n');
    expect(readFileSync(path, 'utf8')).toBe('two\n');
  });

  it('notices by itself that its file was deleted', () => {
    const path = join(directory, 'log');
    const clock = handClock();
    const sink = new Sink({ target: { path }, clock, gap });
    sink.write('one');
    rmSync(path);
    clock.move(6_000);
    sink.write('two');
    sink.close();
    expect(readFileSync(path, 'utf8')).toBe('two\n');
  });

  it('keeps the old file when the new one cannot be opened, and says so', () => {
    const path = join(directory, 'sub', 'log');
    execFileSync('mkdir', [join(directory, 'sub')]);
    const lost: string[] = [];
    const sink = new Sink({ target: { path }, clock: handClock(), gap, onLost: (line) => lost.push(line) });
    renameSync(join(directory, 'sub'), join(directory, 'moved'));
    sink.reopen();
    sink.write('one');
    sink.close();
    expect(lost).toEqual([`cannot open ${path} again`]);
    expect(readFileSync(join(directory, 'moved', 'log'), 'utf8')).toBe('one\n');
  });
});

describe('a sink on a full disk', () => {
  it('does not throw, hands over every line, and knows why', () => {
    const fd = openSync('/dev/full', 'w');
    const lost: string[] = [];
    const sink = new Sink({
      target: { fd },
      clock: handClock(),
      gap,
      onLost: (line, reason) => lost.push(`${line}: ${reason}`),
    });
    sink.write('one');
    sink.write('two');
    closeSync(fd);
    expect(lost).toEqual([
      expect.stringMatching(/^one: ENOSPC/) as string,
      expect.stringMatching(/^two: ENOSPC/) as string,
    ]);
    expect(sink.dropped).toBe(2);
  });

  it.runIf(process.geteuid?.() === 0)('writes again when there is space, and tells what is missing', () => {
    // A file system of 64 KB of its own, gone with the namespace.
    const script = `
      import { Sink } from ${JSON.stringify(new URL('../../src/observe/sink.ts', import.meta.url).href)};
      import { writeFileSync, rmSync, readFileSync } from 'node:fs';
      const lost = [];
      const clock = { now: () => 0, monotonic: () => 0, after: () => () => {} };
      const sink = new Sink({ target: { path: 'small/log' }, clock, gap: (n, why) => \`GAP \${n} \${why}\`, onLost: (line) => lost.push(line) });
      sink.write('first');
      try { writeFileSync('small/ballast', Buffer.alloc(1 << 20)); } catch (error) { console.log('full:', error.code); }
      const long = 'x'.repeat(10_000);
      sink.write(long); sink.write(long);
      rmSync('small/ballast');
      sink.write('last');
      sink.close();
      const text = readFileSync('small/log', 'utf8').split('\\n').map((line) => line.replace(/^x+$/, 'x…'));
      console.log(JSON.stringify({ lost: lost.length, text }));
    `;
    const file = join(directory, 'fill.mjs');
    writeFileSync(file, script);
    const shell = `mkdir small && mount -t tmpfs -o size=64k tmpfs small && exec "$0" fill.mjs`;
    const output = execFileSync('unshare', ['-m', 'sh', '-c', shell, process.execPath], {
      cwd: directory,
      encoding: 'utf8',
    });
    const [fault, result] = output.trim().split('\n');
    expect(fault).toBe('full: ENOSPC');
    const { lost, text } = JSON.parse(result ?? '') as { lost: number; text: string[] };
    expect(lost).toBe(2);
    expect(text.filter((line) => line !== 'x…')).toEqual([
      'first',
      expect.stringMatching(/^GAP 2 ENOSPC/) as string,
      'last',
      '',
    ]);
  });
});

describe('a sink on a pipe', () => {
  it('outlives its reader', () => {
    const script = `
      import { Sink } from ${JSON.stringify(new URL('../../src/observe/sink.ts', import.meta.url).href)};
      import { spawnSync } from 'node:child_process';
      const reasons = new Set();
      const clock = { now: () => 0, monotonic: () => 0, after: () => () => {} };
      const sink = new Sink({ target: { fd: 1 }, clock, gap: () => 'gap', onLost: (_, reason) => reasons.add(reason.split(':')[0]) });
      for (let i = 0; !reasons.has('EPIPE') && i < 1e6; i += 1) sink.write('line ' + i);
      console.error([...reasons].join());
    `;
    const file = join(directory, 'pipe.mjs');
    writeFileSync(file, script);
    const output = execFileSync(
      'sh',
      ['-c', '{ "$0" "$1" | head -n 1 >/dev/null; } 2>&1', process.execPath, file],
      {
        encoding: 'utf8',
      },
    );
    expect(output.trim()).toBe('EPIPE');
  });

  it('holds what a slow reader does not take yet, drops what is too much, and says how much', async () => {
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    // Opened for reading too, so that opening does not wait; nothing is read until later.
    const reader = openSync(fifo, 'r+');
    const nonBlocking = openSync(fifo, 0o4001); // O_WRONLY | O_NONBLOCK
    const clock = handClock();
    let dropped = 0;
    const sink = new Sink({ target: { fd: nonBlocking }, clock, gap, onLost: () => (dropped += 1) });
    const line = 'y'.repeat(9_999);
    for (let i = 0; i < 200; i += 1) sink.write(line);
    expect(dropped).toBeGreaterThan(0);

    const cat = spawn('cat', [fifo], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    cat.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await new Promise((resolve) => cat.stdout.once('data', resolve));
    closeSync(reader); // now that there is another
    while (text.length < (200 - dropped) * 10_000) {
      clock.fire();
      await new Promise((resolve) => setImmediate(resolve));
    }
    sink.write('last');
    sink.close();
    closeSync(nonBlocking);
    await new Promise((resolve) => cat.on('close', resolve));
    expect(text.split('\n').filter((each) => each !== line)).toEqual([
      `GAP ${sink.dropped} the reader is too slow`,
      'last',
      '',
    ]);
  });
});
