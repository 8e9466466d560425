/** Ten thousand runs through the daemon and its database leave nothing behind. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { startDaemon, directory, type Daemon } from '../support/daemon.ts';
import { dueTogether } from '../support/due.ts';
import { damageOf } from '../support/history.ts';

const BATCH = 500;
const BATCHES = 20;

interface Usage {
  readonly descriptors: number;
  /** Its own and its helpers'. */
  readonly processes: number;
  /** Kilobytes. */
  readonly resident: number;
  /** Bytes. */
  readonly log: number;
}

function usage(daemon: Daemon): Usage {
  const helpers = daemon.helpers();
  const descriptors = [daemon.pid, ...helpers.map(({ pid }) => pid)]
    .map((pid) => `/proc/${pid}/fd`)
    .filter((path) => existsSync(path))
    .reduce((sum, path) => sum + readdirSync(path).length, 0);
  const status = readFileSync(`/proc/${daemon.pid}/status`, 'latin1');
  return {
    descriptors,
    processes: helpers.length + daemon.family().length,
    resident: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]),
    log: statSync(join(daemon.stateDirectory, 'tsched.db-wal')).size,
  };
}

it(
  'ten thousand runs leave descriptors, processes, memory and the write-ahead log as they were',
  { timeout: 600_000 },
  async () => {
    const where = directory();
    /** The same jobs each time, due at once, at a moment of their own. */
    const batch = (at: string): string => {
      const one = { at, misfire: { run: 'latest', grace: '1h' }, command: ['true'], output: { keep: 1 } };
      const entries = Array.from({ length: BATCH }, (_, n) => [`job-${n}`, one]);
      return JSON.stringify({
        jobs: { idle: { every: '1000d', run: 'true' }, ...(Object.fromEntries(entries) as object) },
      });
    };
    const idle = JSON.stringify({ jobs: { idle: { every: '1000d', run: 'true' } } });
    const daemon = await startDaemon({
      directory: where,
      jobs: idle,
      args: ['--no-watch', '--log-level', 'notice'],
      patience: 120_000,
    }).ready();
    const db = new DatabaseSync(join(daemon.stateDirectory, 'tsched.db'), { readOnly: true });
    const total = db.prepare('SELECT count(*) AS runs FROM runs');
    const active = db.prepare("SELECT count(*) AS runs FROM runs WHERE state <> 'finished'");
    const counted = (): number => Number(total.get()?.['runs']);
    const isQuiet = (): boolean => active.get()?.['runs'] === 0;
    let before: Usage | undefined;
    for (let number = 1; number <= BATCHES; number += 1) {
      await dueTogether(daemon, batch, { told: () => daemon.signal('SIGHUP'), ahead: 1000 });
      await daemon.until(`batch ${number}`, () => isQuiet() && counted() >= number * BATCH);
      if (number === 5) before = usage(daemon);
    }
    expect(counted()).toBeGreaterThanOrEqual(BATCH * BATCHES);
    const most = before;
    if (most === undefined) throw new Error('nothing was measured');
    await daemon.until(
      'no more descriptors than before',
      () => usage(daemon).descriptors <= most.descriptors,
    );
    await daemon.until('no more processes than before', () => usage(daemon).processes <= most.processes);
    const after = usage(daemon);
    // 7,500 runs: a leak of half a kilobyte each would be a megabyte or four; the heap itself breathes by more.
    expect(after.resident - most.resident).toBeLessThan(40_000);
    expect(after.log).toBeLessThan(20_000_000);
    const kept = (): number => readdirSync(join(daemon.stateDirectory, 'runs')).length;
    await daemon.until('the output of earlier runs to be removed', () => kept() <= BATCH + 2);
    db.close();
    expect(await daemon.stop()).toBe(0);
    expect(damageOf(daemon.stateDirectory)).toEqual([]);
  },
);
