import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stampAt } from '../../src/config/source.ts';
import { watchFiles, type FileWatch } from '../../src/config/watch.ts';
import { systemClock } from '../../src/engine/clock.ts';
import type { Clock } from '../../src/engine/ports.ts';

/** The system's clock without the look every 30 s, so that what a test waits for is told by an event, however long that takes. */
const withoutBackstop: Clock = {
  ...systemClock,
  after: (delay, action) => (delay < 30_000 ? systemClock.after(delay, action) : () => undefined),
};

let directory: string;
let watch: FileWatch;
/** What the file held each time it was said to have changed; null: it was not there. */
let seen: (string | null)[];
let file: string;

function read(): string | null {
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}

/** Ends when events are listened to, so that what a test does next must be told by one. */
async function listen(): Promise<void> {
  start();
  await watch.ready();
}

function start(clock: Clock = withoutBackstop, stamps?: Record<string, string>): void {
  watch = watchFiles({
    clock,
    onChange: () => seen.push(read()),
    onProblem: (message) => expect.unreachable(message),
  });
  watch.watch([file], stamps);
}

/** The same by a clock that stands still but for the test. */
async function listenByHand(): Promise<HandClock> {
  const clock = handClock();
  start(clock);
  let isReady = false;
  void watch.ready().then(() => (isReady = true));
  await expect
    .poll(() => {
      clock.advance(20);
      return isReady;
    })
    .toBe(true);
  return clock;
}

function latest(): string | null | undefined {
  return seen.at(-1);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => systemClock.after(milliseconds, resolve));
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsched-watch-'));
  mkdirSync(join(directory, 'etc'));
  file = join(directory, 'etc', 'jobs.yaml');
  seen = [];
});

afterEach(async () => {
  await watch.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('watchFiles notices', () => {
  it('a write in place', async () => {
    writeFileSync(file, 'one');
    await listen();
    writeFileSync(file, 'two');
    await expect.poll(latest).toBe('two');
  });

  it('an atomic rename, twice (F76)', async () => {
    writeFileSync(file, 'one');
    await listen();
    for (const content of ['two', 'three']) {
      writeFileSync(`${file}.new`, content);
      renameSync(`${file}.new`, file);
      await expect.poll(latest).toBe(content);
    }
    expect(seen).toEqual(['two', 'three']);
  });

  it('a file written slowly only when it stands still (F73)', async () => {
    writeFileSync(file, 'one');
    const clock = await listenByHand();
    const parts = ['half', '-', 'writ', 'ten'];
    writeFileSync(file, '');
    for (const part of parts) {
      appendFileSync(file, part);
      await expect.poll(() => clock.untilNext()).toBeLessThan(100);
      clock.advance(120); // the fault itself: a writer that takes its time
    }
    expect(seen).toEqual([]);
    clock.advance(1000);
    expect(seen).toEqual(['half-written']);
  });

  it('a file beside the directory, once it is named; what else lies there is passed over', async () => {
    const beside = join(directory, 'more.yaml');
    writeFileSync(file, 'one');
    await listen();
    writeFileSync(beside, 'not named yet');
    watch.watch([file, beside]);
    // Told by an event: the next look without one is 30 s away.
    await pause(500);
    writeFileSync(beside, 'named');
    await expect.poll(() => seen.length).toBe(1);
  });

  it('removal, and the file created again (F75)', async () => {
    writeFileSync(file, 'one');
    await listen();
    rmSync(file);
    await expect.poll(latest).toBe(null);
    writeFileSync(file, 'two');
    await expect.poll(latest).toBe('two');
  });

  it('a file that was not there at first', async () => {
    await listen();
    writeFileSync(file, 'one');
    await expect.poll(latest).toBe('one');
  });

  it('a symbolic link pointed elsewhere, and edits behind it (F77)', async () => {
    const [one, two] = ['v1.yaml', 'v2.yaml'].map((name) => join(directory, name)) as [string, string];
    writeFileSync(one, 'one');
    writeFileSync(two, 'two');
    symlinkSync(one, file);
    await listen();
    symlinkSync(two, `${file}.new`);
    renameSync(`${file}.new`, file);
    await expect.poll(latest).toBe('two');
    writeFileSync(two, 'two, edited');
    await expect.poll(latest).toBe('two, edited');
  });

  it('a Kubernetes ..data swap whose old directory stays (F78)', async () => {
    const mount = join(directory, 'etc');
    const put = (name: string, content: string): void => {
      mkdirSync(join(mount, name));
      writeFileSync(join(mount, name, 'jobs.yaml'), content);
    };
    put('..1', 'one');
    symlinkSync('..1', join(mount, '..data'));
    symlinkSync('..data/jobs.yaml', file);
    await listen();
    for (const [name, content] of [
      ['..2', 'two'],
      ['..3', 'three'],
    ] as const) {
      put(name, content);
      symlinkSync(name, join(mount, '..data_tmp'));
      renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
      await expect.poll(latest).toBe(content);
    }
  });

  it('its directory replaced, and edits in the new one (F79)', async () => {
    writeFileSync(file, 'one');
    await listen();
    renameSync(join(directory, 'etc'), join(directory, 'etc.old'));
    mkdirSync(join(directory, 'etc'));
    await expect.poll(latest).toBe(null);
    writeFileSync(file, 'two');
    await expect.poll(latest).toBe('two');
    writeFileSync(file, 'three');
    await expect.poll(latest).toBe('three');
  });

  it('a release directory swapped by its link', async () => {
    for (const name of ['r1', 'r2']) {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, 'jobs.yaml'), name);
    }
    symlinkSync('r1', join(directory, 'current'));
    file = join(directory, 'current', 'jobs.yaml');
    await listen();
    symlinkSync('r2', join(directory, 'next'));
    renameSync(join(directory, 'next'), join(directory, 'current'));
    await expect.poll(latest).toBe('r2');
  });

  it('a change made between reading and watching', async () => {
    writeFileSync(file, 'one');
    const stamps = { [file]: stampAt(file) };
    writeFileSync(file, 'changed before watching');
    start(systemClock, stamps);
    await expect.poll(latest).toBe('changed before watching');
  });

  it('a storm of writes as one change, the last one (F86)', async () => {
    writeFileSync(file, 'one');
    const clock = await listenByHand();
    writeFileSync(file, 'write 0');
    await expect.poll(() => clock.untilNext()).toBeLessThan(100);
    for (let count = 1; count < 300; count += 1) {
      writeFileSync(file, `write ${count}`);
      await setImmediate();
      clock.advance(3);
    }
    expect(seen).toEqual([]);
    clock.advance(1000);
    expect(seen).toEqual(['write 299']);
  });
});

/** A clock that moves only by hand. */
interface HandClock extends Clock {
  advance(by: number): void;
  /** How long it is until the next timer is due. */
  untilNext(): number;
}

function handClock(): HandClock {
  let now = 0;
  let timers: { due: number; action: () => void }[] = [];
  return {
    now: () => now,
    monotonic: () => now,
    after(delay, action) {
      const timer = { due: now + delay, action };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    untilNext: () => Math.min(...timers.map(({ due }) => due)) - now,
    advance(by) {
      const end = now + by;
      for (;;) {
        const [next] = timers.filter((one) => one.due <= end).sort((a, b) => a.due - b.due);
        if (next === undefined) break;
        now = next.due;
        timers = timers.filter((one) => one !== next);
        next.action();
      }
      now = end;
    },
  };
}

describe('the backstop', () => {
  it('finds within 30 s what no event told, and only once', () => {
    const clock = handClock();
    writeFileSync(file, 'one');
    start(clock);
    clock.advance(1000);
    expect(seen).toEqual([]);
    // Everything here is synchronous, so no event can have arrived.
    writeFileSync(file, 'two');
    clock.advance(31_000);
    expect(seen).toEqual(['two']);
    clock.advance(300_000);
    expect(seen).toEqual(['two']);
  });

  it('says nothing when only the time of access changes', () => {
    const clock = handClock();
    writeFileSync(file, 'one');
    utimesSync(file, 1000, 2000);
    start(clock);
    utimesSync(file, 5000, 2000);
    clock.advance(100_000);
    expect(seen).toEqual([]);
  });

  it('is silent after close', async () => {
    const clock = handClock();
    writeFileSync(file, 'one');
    start(clock);
    await watch.close();
    writeFileSync(file, 'two');
    clock.advance(100_000);
    expect(seen).toEqual([]);
  });
});

describe('without notification', () => {
  it('files are looked at often instead, and that is said once (F41)', async () => {
    writeFileSync(file, 'one');
    start(handClock());
    const log = join(directory, 'strace.log');
    const fixture = new URL('../fixtures/config/watch-one.ts', import.meta.url).pathname;
    const inject = ['-f', '-o', log, '-e', 'trace=inotify_init1', '-e', 'inject=inotify_init1:error=EMFILE'];
    const child = spawn('strace', [...inject, process.execPath, fixture, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const gone = once(child, 'close');
    const failed = new Promise<never>((_, reject) => {
      child.once('error', (error) => reject(new Error(`strace is needed for this test: ${error.message}`)));
    });
    let output = '';
    const said = async (text: string): Promise<void> => {
      while (!output.includes(text)) {
        const [chunk] = (await Promise.race([once(child.stdout, 'data'), failed])) as [Buffer];
        output += chunk.toString();
      }
    };
    try {
      await said('problem:');
      expect(readFileSync(log, 'utf8')).toMatch(/inotify_init1.*EMFILE.*INJECTED/);
      writeFileSync(file, 'two');
      await said('changed: two');
      writeFileSync(file, 'three');
      await said('changed: three');
      expect(output.match(/problem:/g)).toHaveLength(1);
      expect(output).toContain('EMFILE');
    } finally {
      // The tracer would leave it behind.
      process.kill(Number(/pid: (\d+)/.exec(output)?.[1]), 'SIGTERM');
      await gone;
    }
  });
});
