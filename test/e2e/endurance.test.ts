/** The daemon survives what happens to its helpers, and does not grow. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { account, directory, processOf, startDaemon, type Daemon } from '../support/daemon.ts';
import { dueTogether } from '../support/due.ts';

function spawner(daemon: Daemon): number | undefined {
  return daemon.helpers().find(({ command, zombie }) => !zombie && command.includes('tsched-spawner'))?.pid;
}

function killSpawner(daemon: Daemon): number {
  const pid = spawner(daemon);
  if (pid === undefined) throw new Error('there is no spawner');
  process.kill(pid, 'SIGKILL');
  return pid;
}

describe('kill -9 of the spawner', () => {
  it('while nothing runs: the next job starts as if nothing had been', async () => {
    const where = directory();
    const book = account(join(where, 'account'));
    const jobs = { now: { startup: 'daemon', run: book.line() } };
    const daemon = startDaemon({ directory: where, jobs: JSON.stringify({ jobs }) });
    await daemon.waitFor('the first job', ({ event }) => event === 'run_finished');
    const killed = killSpawner(daemon);
    await daemon.until('its end', () => spawner(daemon) !== killed);
    const next = { ...jobs, next: { every: '1s', run: book.line() } };
    writeFileSync(daemon.file, JSON.stringify({ jobs: next }));
    daemon.signal('SIGHUP');
    const end = await daemon.waitFor(
      'the next job',
      ({ event, job }) => event === 'run_finished' && job === 'next',
    );
    expect(end).toMatchObject({ outcome: 'succeeded' });
    expect(book.executions('next').length).toBeGreaterThan(0);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.family()).toEqual([]);
  });

  it('while jobs run: they go on, their end is known, and others start', async () => {
    const where = directory();
    const book = account(join(where, 'account'));
    const wait = 'while [ ! -e go ]; do sleep 0.05; done';
    const jobs = {
      well: { startup: 'daemon', run: `${wait}; ${book.line()}` },
      ill: { startup: 'daemon', run: `${wait}; ${book.line()}; exit 3` },
      steady: { every: '1s', run: book.line() },
    };
    const daemon = startDaemon({ directory: where, jobs: JSON.stringify({ jobs }) });
    for (const job of ['well', 'ill'])
      await daemon.waitFor(job, (line) => line.event === 'attempt_started' && line.job === job);
    const killed = killSpawner(daemon);
    await daemon.until('its end', () => processOf(killed)?.zombie !== false);
    const before = book.executions('steady').length;
    await daemon.until('others to start', () => book.executions('steady').length > before + 1);
    expect(daemon.events('run_finished', 'well')).toEqual([]);
    writeFileSync(join(where, 'go'), '');
    await daemon.until(
      'both ends',
      () => daemon.events('run_finished', 'well')[0] && daemon.events('run_finished', 'ill')[0],
    );
    expect(daemon.events('run_finished', 'well')).toMatchObject([{ outcome: 'succeeded' }]);
    expect(daemon.events('run_finished', 'ill')).toMatchObject([{ outcome: 'failed', exitCode: 3 }]);
    expect(book.executions('well')).toHaveLength(1);
    expect(book.executions('ill')).toHaveLength(1);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.family()).toEqual([]);
  });
});

describe('hundreds of short runs', () => {
  const BATCH = 50;

  it('leave no descriptor, no process and no memory behind', async () => {
    const where = directory();
    const book = account(join(where, 'account'));
    const idle = { every: '1000d', run: 'true' };
    /** Each batch is of other jobs, due at once. */
    const batch = (number: number, at: string): string => {
      const entries = Array.from({ length: BATCH }, (_, n) => [
        `job-${number}-${n}`,
        { at, misfire: { run: 'latest', grace: '1h' }, run: `${book.line()}; echo said; echo more >&2` },
      ]);
      return JSON.stringify({ jobs: { idle, ...(Object.fromEntries(entries) as object) } });
    };
    const jobs = JSON.stringify({ jobs: { idle } });
    const daemon = await startDaemon({ directory: where, jobs, args: ['--no-watch'] }).ready();
    const run = async (number: number): Promise<void> => {
      await dueTogether(daemon, (at) => batch(number, at), { told: () => daemon.signal('SIGHUP') });
      await daemon.until(
        `batch ${number}`,
        () => daemon.events('run_finished').length === (number + 1) * BATCH,
      );
    };
    await run(0);
    await run(1);
    const before = usage(daemon);
    for (const number of [2, 3, 4, 5]) await run(number);

    expect(book.executions()).toHaveLength(6 * BATCH);
    expect(new Set(book.executions().map(({ job }) => job)).size).toBe(6 * BATCH);
    expect(daemon.events('run_finished').filter(({ outcome }) => outcome !== 'succeeded')).toEqual([]);
    // What a run holds is let go of a moment after its end.
    await daemon.until(
      'no more descriptors than before',
      () => usage(daemon).descriptors <= before.descriptors,
    );
    await daemon.until('no more processes than before', () => usage(daemon).processes <= before.processes);
    // Two hundred runs more; a leak of their output alone would not show, one of a buffer each would.
    expect(usage(daemon).resident - before.resident).toBeLessThan(40_000);
    expect(await daemon.stop()).toBe(0);
  });
});

interface Usage {
  readonly descriptors: number;
  /** Its own and its helpers', zombies among them. */
  readonly processes: number;
  /** Kilobytes. */
  readonly resident: number;
}

function usage(daemon: Daemon): Usage {
  const helpers = daemon.helpers();
  const status = readFileSync(`/proc/${daemon.pid}/status`, 'latin1');
  const descriptors = [daemon.pid, ...helpers.map(({ pid }) => pid)]
    .map((pid) => `/proc/${pid}/fd`)
    .filter((path) => existsSync(path))
    .reduce((sum, path) => sum + readdirSync(path).length, 0);
  return {
    descriptors,
    processes: helpers.length + daemon.family().length,
    resident: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]),
  };
}
