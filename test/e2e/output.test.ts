/** A job that writes without end costs neither the daemon's memory nor other jobs' time, and not the disk either. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { account, directory, startDaemon, type Daemon } from '../support/daemon.ts';

const GB = 2 ** 30;
const MAX_SIZE = 10_000_000;

function outputOf({ stateDirectory }: Daemon, run: string): string {
  return join(stateDirectory, 'runs', run, 'attempt-1.log');
}

/** How many bytes the marker says to be gone: it stands in the middle, or after what was written while the file was cut. */
function removed(path: string): number {
  const text = readFileSync(path, 'latin1').slice(MAX_SIZE / 2);
  return Number(/about (\d+) bytes removed/.exec(text)?.[1] ?? 0);
}

/** The most memory it ever had, in bytes. */
function peak({ pid }: Daemon): number {
  return 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
}

// The copied lines are garbage of V8's, which it lets lie for a while.
it.each([
  ['of NULs, nobody listening', `head -c ${GB} /dev/zero`, 'none', 100_000_000],
  ['in one line, copied to the log', `head -c ${GB} /dev/zero | tr '\\0' a`, 'all', 200_000_000],
])('1 GB %s (F50, F51)', async (_, flood, log, memory) => {
  const where = directory();
  const book = account(join(where, 'account'));
  const jobs = {
    // However busy the machine is: a slot that is late, or whose turn comes while another still runs, is not to be lost.
    tick: {
      every: '1s',
      run: book.line(),
      misfire: { run: 'all', grace: '1h' },
      overlap: 'allow',
      max_instances: 50,
    },
    flood: {
      startup: 'daemon',
      run: `echo begun; while [ ! -e start ]; do sleep 0.05; done; ${flood}; touch written; while [ ! -e end ]; do sleep 0.05; done; echo; echo over`,
      output: { log },
    },
  };
  const daemon = startDaemon({ directory: where, jobs: JSON.stringify({ jobs }) });
  await daemon.ready();
  const { run = '' } = await daemon.waitFor(
    'the flood to be prepared',
    ({ event, job }) => event === 'attempt_started' && job === 'flood',
  );
  await daemon.until('a first tick', () => book.executions('tick').length > 0);
  const before = peak(daemon);
  writeFileSync(join(where, 'start'), '');
  const path = outputOf(daemon, run);
  await daemon.until('all to be written', () => existsSync(join(where, 'written')));
  // All this while the job still had the file open.
  expect(daemon.events('run_finished', 'flood')).toEqual([]);
  await daemon.until(
    'the file to be small',
    () => statSync(path).size <= 2 * MAX_SIZE && removed(path) > 10 * MAX_SIZE,
  );
  expect(peak(daemon) - before).toBeLessThan(memory);

  writeFileSync(join(where, 'end'), '');
  await daemon.waitFor('its end', ({ event, job }) => event === 'run_finished' && job === 'flood');
  expect(daemon.events('run_finished', 'flood')).toMatchObject([{ outcome: 'succeeded' }]);
  expect(statSync(path).size).toBeLessThanOrEqual(MAX_SIZE);
  const text = readFileSync(path, 'latin1');
  expect(text).toMatch(/^begun\n/);
  expect(text).toMatch(/\nover\n$/);

  const ticks = book.executions('tick').map(({ slot }) => Date.parse(slot));
  ticks.sort((a, b) => a - b);
  const gaps = ticks.slice(1).map((tick, index) => tick - (ticks[index] ?? 0));
  expect(new Set(gaps)).toEqual(new Set([1000]));
  expect(daemon.events('slots_skipped')).toEqual([]);
  expect(await daemon.stop()).toBe(0);
});
