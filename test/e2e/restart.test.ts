/** A daemon dies or is stopped, and the next one goes on where it was. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RunRecord } from '../../src/model.ts';
import { account, directory, processOf, startDaemon, type Daemon, type Line } from '../support/daemon.ts';
import { SteppedClock } from '../support/faketime.ts';
import { damageOf, historyOf } from '../support/history.ts';

const isRoot = process.getuid?.() === 0;

function event(daemon: Daemon, name: string, job: string): Promise<Line> {
  return daemon.waitFor(`${job}: ${name}`, (line) => line.event === name && line.job === job);
}

/** Ends it as a crash does, and waits until it is gone. What it started lives on. */
async function kill(daemon: Daemon, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  daemon.signal(signal);
  expect(await daemon.exited).toBe(signal);
}

function fileOf(jobs: object): string {
  return JSON.stringify({ jobs });
}

/** A pipe by which a test lets jobs go on; it holds what is written until a job reads it, however late that opens it. */
function gate(where: string): () => void {
  execFileSync('mkfifo', [join(where, 'gate')]);
  const pipe = openSync(join(where, 'gate'), 'r+');
  onTestFinished(() => closeSync(pipe));
  return () => void writeSync(pipe, 'on\n');
}

function onlyRun(daemon: Daemon, job: string): RunRecord {
  const { runs } = historyOf(daemon.stateDirectory, job);
  const [run] = runs;
  if (run === undefined || runs.length > 1) throw new Error(`${job} has ${runs.length} runs`);
  return run;
}

describe('a job that outlives its daemon', () => {
  it.each(['SIGKILL', 'SIGSEGV'] as const)(
    '(%s) is one row, with its pid, code, output and length',
    async (signal) => {
      const where = directory();
      const open = gate(where);
      const jobs = {
        long: { startup: 'daemon', run: 'echo "begun $$"; read -r word < gate; echo "went $word"; exit 3' },
        other: { every: '1s', run: 'true' },
      };
      const before = Date.now();
      const first = startDaemon({ directory: where, jobs: fileOf(jobs) });
      const { pid, run } = await event(first, 'attempt_started', 'long');
      await kill(first, signal);
      const between = Date.now();
      expect(processOf(Number(pid))).toMatchObject({ zombie: false });

      // The next daemon has a start of its own, which skips: the job is still busy.
      const second = startDaemon({ directory: where });
      expect(await event(second, 'run_recovered', 'long')).toMatchObject({ run, found: 'running' });
      expect(await event(second, 'slots_skipped', 'long')).toMatchObject({ reason: 'overlap' });
      await event(second, 'run_finished', 'other');
      const opened = Date.now();
      open();
      expect(await event(second, 'run_finished', 'long')).toMatchObject({
        run,
        outcome: 'failed',
        exitCode: 3,
      });
      const over = Date.now();
      // Recorded a moment after it is said.
      await second.until('its row', () => onlyRun(second, 'long').finishedAt);
      const record = onlyRun(second, 'long');
      expect(record.attempts).toMatchObject([{ number: 1, pid, outcome: { kind: 'failed', exitCode: 3 } }]);
      const { startedAt = 0, finishedAt = 0, duration = 0 } = record.attempts[0] ?? {};
      expect(finishedAt).toBeGreaterThanOrEqual(between);
      // Told by two clocks, one of which counts in hundredths of seconds: it began before the first daemon died, and ended once it was let go.
      expect(duration).toBeGreaterThan(opened - between - 50);
      expect(duration).toBeLessThan(over - before + 50);
      expect(startedAt).toBeGreaterThanOrEqual(before);
      expect(startedAt).toBeLessThanOrEqual(between);
      const output = join(second.stateDirectory, 'runs', String(run), 'attempt-1.log');
      expect(readFileSync(output, 'utf8')).toBe(`begun ${Number(pid)}\nwent on\n`);
      expect(await second.stop()).toBe(0);
    },
  );

  it('is ended by the time-out it began with', async () => {
    const where = directory();
    const jobs = {
      long: {
        startup: 'boot',
        // Longer than it takes to kill the first daemon, on any machine.
        timeout: '6s',
        kill_after: '1h',
        run: 'touch begun; exec sleep 1000',
      },
    };
    const first = startDaemon({ directory: where, jobs: fileOf(jobs) });
    const { pid } = await event(first, 'attempt_started', 'long');
    await first.until('its row', () => onlyRun(first, 'long').attempts[0]?.pid);
    await kill(first);
    const changed = { long: { ...jobs.long, timeout: '1h' } };
    const second = startDaemon({ directory: where, jobs: fileOf(changed) });
    await event(second, 'run_recovered', 'long');
    expect(await event(second, 'run_finished', 'long')).toMatchObject({ outcome: 'timed_out' });
    expect(processOf(Number(pid))?.zombie ?? true).toBe(true);
    expect(onlyRun(second, 'long').attempts).toHaveLength(1);
    expect(await second.stop()).toBe(0);
  });

  it('because it is to be left at a stop is adopted too', async () => {
    const where = directory();
    const open = gate(where);
    const jobs = {
      long: {
        startup: 'boot',
        on_shutdown: 'leave',
        run: 'read -r word < gate',
      },
    };
    const first = startDaemon({ directory: where, jobs: fileOf(jobs) });
    const { run } = await event(first, 'attempt_started', 'long');
    expect(await first.stop()).toBe(0);
    expect(onlyRun(first, 'long')).toMatchObject({ state: 'running' });
    const second = await startDaemon({ directory: where }).ready();
    open();
    expect(await event(second, 'run_finished', 'long')).toMatchObject({ run, outcome: 'succeeded' });
    expect(await second.stop()).toBe(0);
    expect(second.family()).toEqual([]);
  });

  it('and ended while no daemon ran has its end on record', async () => {
    const where = directory();
    const open = gate(where);
    const jobs = {
      long: { startup: 'boot', run: 'read -r word < gate; exit 4' },
    };
    const first = startDaemon({ directory: where, jobs: fileOf(jobs) });
    const { run } = await event(first, 'attempt_started', 'long');
    await kill(first);
    open();
    const record = join(first.stateDirectory, 'runs', String(run), 'attempt-1.exit');
    await first.afterwards('its end', () => readFileSync(record, 'utf8').includes('exited 4'));
    const second = startDaemon({ directory: where });
    expect(await event(second, 'run_finished', 'long')).toMatchObject({
      run,
      outcome: 'failed',
      exitCode: 4,
    });
    // Recorded a moment after it is said.
    await second.until('its row', () => onlyRun(second, 'long').finishedAt);
    expect(onlyRun(second, 'long').finishedAt).toBe(Math.floor(statSync(record).mtimeMs));
    expect(await second.stop()).toBe(0);
  });
});

describe('what waits', () => {
  it('a retry is made at its time, as the attempt it is', async () => {
    const where = directory();
    const book = account(join(where, 'account'));
    const retry = { limit: 1, delay: '6s', jitter: false };
    const jobs = {
      flaky: {
        startup: 'boot',
        retry,
        run: `${book.line('$TSCHED_ATTEMPT')}; exit 1`,
      },
    };
    const first = startDaemon({ directory: where, jobs: fileOf(jobs) });
    await event(first, 'retry_scheduled', 'flaky');
    await first.until('the row', () => onlyRun(first, 'flaky').retryAt);
    await kill(first);
    const { retryAt = Number.NaN } = onlyRun(first, 'flaky');
    const second = startDaemon({ directory: where });
    expect(await event(second, 'run_recovered', 'flaky')).toMatchObject({ found: 'waiting' });
    await event(second, 'run_finished', 'flaky');
    expect(onlyRun(second, 'flaky').attempts.map(({ number }) => number)).toEqual([1, 2]);
    expect(onlyRun(second, 'flaky').attempts.at(-1)?.startedAt).toBeGreaterThanOrEqual(retryAt);
    expect(book.executions().map(({ more }) => more)).toEqual(['1', '2']);
    expect(await second.stop()).toBe(0);
  });

  it('slots of three days: each policy does what it says, and a one-shot runs by its grace, once', async ({
    onTestFinished: later,
  }) => {
    const where = directory();
    const book = account(join(where, 'account'));
    const daily = { cron: '30 12 * * *', run: book.line() };
    const jobs = {
      latest: { ...daily, misfire: { run: 'latest', grace: '1d' } },
      strict: daily,
      all: { ...daily, misfire: { run: 'all', max: 2 } },
      none: { ...daily, misfire: { run: 'none' } },
      once: { at: '2026-03-04T12:30:00Z', misfire: { run: 'latest', grace: '1h' }, run: book.line() },
      late: { at: '2026-03-04T10:30:00Z', misfire: { run: 'latest', grace: '1h' }, run: book.line() },
    };
    const clock = new SteppedClock(where, '2026-03-01T13:00:00Z', later);
    const start = (): Promise<Daemon> =>
      startDaemon({ directory: where, jobs: fileOf(jobs), env: clock.env, args: ['--no-watch'] }).ready();
    await kill(await start());
    expect(book.executions()).toEqual([]);
    clock.set('2026-03-04T13:00:00Z');
    const second = await start();
    const ran = (): string[] =>
      book
        .executions()
        .map(({ job, slot }) => `${job} ${slot.slice(8, 16)}`)
        .sort();
    const expected = ['all 03T12:30', 'all 04T12:30', 'latest 04T12:30', 'once 04T12:30', 'strict 04T12:30'];
    await second.until('what is caught up', () => second.events('run_finished').length === expected.length);
    expect(ran()).toEqual(expected);
    await kill(second);
    const third = await start();
    expect(await third.stop()).toBe(0);
    expect(ran()).toEqual(expected);
    const skips = historyOf(third.stateDirectory).skips.map(
      ({ jobId, scheduledAt, through, count, reason }) =>
        `${jobId} ${new Date(scheduledAt).getUTCDate()}–${new Date(through).getUTCDate()} ${count} ${reason}`,
    );
    expect(skips.sort()).toEqual([
      'all 2–2 1 misfire',
      'late 4–4 1 misfire',
      'latest 2–3 2 misfire',
      'none 2–4 3 misfire',
      'strict 2–3 2 misfire',
    ]);
  });
});

describe('one daemon to a state directory', () => {
  const jobs = { tick: { every: '1s', run: 'true' } };

  it('a second is told which is there; after kill -9 of that one it starts', async () => {
    const where = directory();
    const first = await startDaemon({ directory: where, jobs: fileOf(jobs) }).ready();
    const second = startDaemon({ directory: where });
    expect(await second.exited).toBe(75);
    expect(second.text).toContain(`process ${first.pid}, since 20`);
    expect(second.text).toContain(first.file);
    expect(second.text).toContain('--state-dir');
    // And it has left no trace: the first goes on.
    const before = first.events('run_finished').length;
    await first.until('more runs', () => first.events('run_finished').length > before + 1);
    await kill(first);
    const third = await startDaemon({ directory: where }).ready();
    expect(await third.stop()).toBe(0);
    expect(damageOf(third.stateDirectory)).toEqual([]);
  });

  it('of eight at once one starts', async () => {
    const where = directory();
    writeFileSync(join(where, 'jobs.yaml'), fileOf(jobs));
    const daemons = Array.from({ length: 8 }, () => startDaemon({ directory: where }));
    const codes: (number | string)[] = [];
    for (const { exited } of daemons) void exited.then((code) => codes.push(code));
    const [first] = daemons;
    if (first === undefined) throw new Error('there is none');
    await first.afterwards('all but one to give up', () => codes.length === daemons.length - 1);
    expect(codes).toEqual(codes.map(() => 75));
    const one = daemons.find((daemon) => daemon.events('engine_started').length > 0 || daemon.text === '');
    expect(await (await one?.ready())?.stop()).toBe(0);
  });

  it.runIf(isRoot)('not even of another user; nor is what belongs to another taken', async () => {
    const where = directory();
    chmodSync(where, 0o755);
    const drop = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const first = await startDaemon({ directory: where, jobs: fileOf(jobs) }).ready();
    const second = startDaemon({ directory: where, wrapper: drop });
    expect(await second.exited).toBe(77);
    expect(second.text).toContain(first.stateDirectory);
    expect(await first.stop()).toBe(0);

    const other = directory();
    mkdirSync(join(other, 'state'), 0o700);
    chownSync(join(other, 'state'), 65_534, 65_534);
    const third = startDaemon({ directory: other, jobs: fileOf(jobs) });
    expect(await third.exited).toBe(77);
    expect(third.text).toMatch(/belongs to user 65534, not to user 0/);
    expect(readdirSync(join(other, 'state'))).toEqual([]);
  });

  it('is readable by its owner alone, whatever the umask, and whatever it was before', async () => {
    const where = directory();
    mkdirSync(join(where, 'state'));
    chmodSync(join(where, 'state'), 0o777);
    writeFileSync(join(where, 'task.mjs'), 'export default () => 1;\n');
    const daemon = startDaemon({
      directory: where,
      jobs: fileOf({
        tick: { startup: 'daemon', run: 'true' },
        module: { startup: 'daemon', module: './task.mjs' },
        thread: { startup: 'daemon', module: './task.mjs', isolation: 'thread' },
      }),
      wrapper: ['sh', '-c', 'umask 000; exec "$@"', 'sh'],
    });
    for (const job of ['tick', 'module', 'thread']) await event(daemon, 'run_finished', job);
    const modes = new Set<string>();
    for (const entry of readdirSync(daemon.stateDirectory, { recursive: true, withFileTypes: true })) {
      // What was made for a run to come may have become that of one meanwhile.
      const mode = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.mode ?? 0;
      if (mode === 0) continue;
      if (entry.isFile() || entry.isDirectory())
        modes.add(`${entry.isFile() ? 'file' : 'directory'} ${(mode & 0o777).toString(8)}`);
    }
    expect([...modes].sort()).toEqual(['directory 700', 'file 600']);
    expect(statSync(daemon.stateDirectory).mode & 0o777).toBe(0o700);
    expect(await daemon.stop()).toBe(0);
  });
});

describe('a state', () => {
  const jobs = { tick: { every: '1s', run: 'true' } };

  it('of a newer tsched is refused, and left as it is', async () => {
    const where = directory();
    const first = startDaemon({ directory: where, jobs: fileOf(jobs) });
    await event(first, 'run_finished', 'tick');
    expect(await first.stop()).toBe(0);
    const path = join(first.stateDirectory, 'tsched.db');
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 1000');
    db.close();
    const before = readFileSync(path);
    const second = startDaemon({ directory: where });
    expect(await second.exited).toBe(73);
    expect(second.text).toMatch(/newer tsched: its tables are version 1000, this one knows up to \d+/);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('copied at any moment opens, and knows all that was started by then', async () => {
    const where = directory();
    const book = account(join(where, 'account'));
    const often = Object.fromEntries(
      Array.from({ length: 6 }, (_, n) => [`job-${n}`, { every: '1s', jitter: '900ms', run: book.line() }]),
    );
    const daemon = await startDaemon({ directory: where, jobs: fileOf(often) }).ready();
    const begun = new Set<string>();
    for (let copy = 0; copy < 8; copy += 1) {
      const before = book.executions().length;
      await daemon.until('some runs', () => book.executions().length > before + 3 + copy);
      // Stopped, as the power stops it; what is not on the disk by then a test cannot take away.
      daemon.signal('SIGSTOP');
      const started = book.executions();
      cpSync(daemon.stateDirectory, join(where, `copy-${copy}`), {
        recursive: true,
        filter: (path) => !/sock(?:et)?$/.test(path),
      });
      daemon.signal('SIGCONT');
      const { runs } = historyOf(join(where, `copy-${copy}`));
      const known = new Set(runs.map(({ id }) => id));
      if (copy === 3) for (const { job, slot } of started) begun.add(`${job} ${slot}`);
      expect(started.filter(({ run }) => !known.has(run))).toEqual([]);
      expect(damageOf(join(where, `copy-${copy}`))).toEqual([]);
    }
    expect(await daemon.stop()).toBe(0);
    // A daemon that starts from a copy does not start again what had been started.
    const until = book.executions().length;
    const restored = join(where, 'copy-3');
    const second = await startDaemon({ directory: where, args: ['--state-dir', restored] }).ready();
    await second.until('new runs', () => second.events('run_finished').length > 5);
    expect(await second.stop()).toBe(0);
    const again = book.executions().slice(until);
    expect(again.filter(({ job, slot }) => begun.has(`${job} ${slot}`))).toEqual([]);
  });
});
