/** The disk of the state fails under a daemon at work: jobs keep their schedule, it says so, and nothing is lost in the end. */
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { DaemonInfo } from '../../src/store/daemon-file.ts';
import { account, directory, startDaemon, type Account, type Daemon } from '../support/daemon.ts';
import { damageOf, historyOf } from '../support/history.ts';
import { canMount, namespace } from '../support/namespace.ts';

function degraded(daemon: Daemon): Promise<unknown> {
  return daemon.waitFor('it to say that it is degraded', ({ event }) => event === 'store_degraded');
}

function healed(daemon: Daemon): Promise<unknown> {
  return daemon.waitFor('it to heal', ({ event }) => event === 'store_healed');
}

/** Waits for so many more executions. */
async function goesOn(daemon: Daemon, book: Account, count: number): Promise<void> {
  const before = book.executions('tick').length;
  await daemon.until(`${count} more runs`, () => book.executions('tick').length >= before + count);
}

/** Every execution has its row, every row its execution, and no second was left out. */
function expectComplete(book: Account, stateDirectory: string): void {
  const { runs, skips } = historyOf(stateDirectory, 'tick');
  const executed = book.executions('tick').map(({ run }) => run);
  expect(new Set(executed).size).toBe(executed.length);
  expect(runs.map(({ id }) => id).sort()).toEqual(executed.sort());
  expect(runs.filter(({ outcome }) => outcome?.kind !== 'succeeded')).toEqual([]);
  expect(skips).toEqual([]);
  const slots = runs.map(({ scheduledAt }) => scheduledAt).sort((a, b) => a - b);
  expect(slots.slice(1).filter((slot, index) => slot - (slots[index] ?? 0) !== 1000)).toEqual([]);
}

describe('a disk under a daemon at work', () => {
  it.runIf(canMount)('fills up: 5 MB for all its state', async ({ onTestFinished: later }) => {
    const where = directory();
    const book = account(join(where, 'account'));
    const state = join(where, 'state');
    mkdirSync(state, { mode: 0o700 });
    const disk = await namespace(state, 'mount -t tmpfs -o size=5m,mode=700 tmpfs .', later);
    const info = (): DaemonInfo => JSON.parse(disk.read('daemon.json').toString()) as DaemonInfo;
    // However busy the machine is: a slot that is late, or whose turn comes while another still runs, is not to be lost.
    const jobs = {
      tick: {
        every: '1s',
        overlap: 'allow',
        max_instances: 50,
        misfire: { run: 'all', max: 100 },
        run: `${book.line()}; echo said || :`,
      },
    };
    const daemon = startDaemon({ directory: where, jobs: JSON.stringify({ jobs }), wrapper: disk.enter });
    await goesOn(daemon, book, 2);
    disk.run('dd if=/dev/zero of=ballast bs=4k 2>/dev/null; :');
    expect(disk.run('df --output=avail . | tail -1').trim()).toBe('0');
    await degraded(daemon);
    expect(info().store).toMatchObject({ kind: 'degraded', message: expect.stringMatching(/full/) });
    await goesOn(daemon, book, 4);
    expect(daemon.events('run_finished').filter(({ outcome }) => outcome !== 'succeeded')).toEqual([]);
    disk.run('rm ballast');
    await healed(daemon);
    expect(info().store).toEqual({ kind: 'well' });
    await goesOn(daemon, book, 2);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.text).toBe('');
    const copy = join(where, 'copy');
    mkdirSync(copy);
    writeFileSync(join(copy, 'tsched.db'), disk.read('tsched.db'));
    expectComplete(book, copy);
  });

  it('loses its directory: it is made again, with a lock, and a word on the daemon', async () => {
    const where = directory();
    const book = account(join(where, 'account'));
    const jobs = { tick: { every: '1s', run: book.line() } };
    const daemon = startDaemon({ directory: where, jobs: JSON.stringify({ jobs }) });
    await goesOn(daemon, book, 2);
    rmSync(daemon.stateDirectory, { recursive: true, force: true, maxRetries: 5 });
    await degraded(daemon);
    await healed(daemon);
    await goesOn(daemon, book, 2);
    expect(statSync(daemon.stateDirectory).mode & 0o777).toBe(0o700);
    await daemon.until('a word on it', () => existsSync(join(daemon.stateDirectory, 'daemon.json')));
    const second = startDaemon({ directory: where });
    expect(await second.exited).toBe(75);
    expect(second.text).toContain(`process ${daemon.pid}`);
    expect(await daemon.stop()).toBe(0);
    const executed = book.executions();
    expect(new Set(executed.map(({ slot }) => slot)).size).toBe(executed.length);
    // What became of the last ones is in the new history.
    const { runs } = historyOf(daemon.stateDirectory);
    expect(runs.at(-1)?.id).toBe(executed.at(-1)?.run);
  });
});

/** `npm run chaos` tries every one. */
const EVERY = process.env['TSCHED_CHAOS_KILLS'] !== undefined;

describe('a daemon killed inside the calls that write its history', () => {
  const jobs = (book: Account): string => {
    const often = Array.from({ length: 8 }, (_, n) => [
      `job-${n}`,
      { every: '1s', jitter: '900ms', run: book.line() },
    ]);
    return JSON.stringify({ jobs: Object.fromEntries(often) as object });
  };

  async function killedAt(call: string, nth: number): Promise<void> {
    const where = directory();
    const book = account(join(where, 'account'));
    const log = join(where, 'strace');
    const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${nth}`];
    const first = startDaemon({
      directory: where,
      jobs: jobs(book),
      wrapper: ['strace', '-f', '-qq', '-o', log, ...inject],
    });
    // It was killed, where it was to be: strace ends as what it started does.
    expect(await first.end(), `${call} ${nth}`).toBe('SIGKILL');
    const second = await startDaemon({ directory: where }).ready();
    const before = second.events('run_finished').length;
    await second.until('new runs', () => second.events('run_finished').length > before + 4);
    expect(await second.stop()).toBe(0);
    expect(damageOf(second.stateDirectory), `${call} ${nth}`).toEqual([]);
    const slots = book.executions().map(({ job, slot }) => `${job} ${slot}`);
    expect(new Set(slots).size, `${call} ${nth}`).toBe(slots.length);
    const { runs } = historyOf(second.stateDirectory);
    expect(runs.filter(({ state }) => state !== 'finished')).toEqual([]);
    const known = new Set(runs.map(({ id }) => id));
    expect(book.executions().filter(({ run }) => !known.has(run))).toEqual([]);
  }

  const moments = EVERY ? Array.from({ length: 40 }, (_, n) => n + 1) : [1, 2, 3, 5, 8, 13, 21, 34];

  it.each([['fsync'], ['pwrite64']])(
    '%s: no slot starts twice, and the database is sound',
    { timeout: moments.length * 30_000 },
    async (call) => {
      const queue = [...moments];
      const worker = async (): Promise<void> => {
        for (let nth = queue.shift(); nth !== undefined; nth = queue.shift()) await killedAt(call, nth);
      };
      await Promise.all([worker(), worker(), worker(), worker()]);
      expect(queue).toEqual([]);
    },
  );
});

/** The database of a daemon that is at work can be opened by others meanwhile. */
it('a history is read while it is written', async () => {
  const where = directory();
  const jobs = { tick: { every: '1s', run: 'true' } };
  const daemon = await startDaemon({ directory: where, jobs: JSON.stringify({ jobs }) }).ready();
  await daemon.waitFor('a run', ({ event }) => event === 'run_finished');
  const db = new DatabaseSync(join(daemon.stateDirectory, 'tsched.db'), { readOnly: true });
  db.exec('BEGIN');
  const count = (): unknown => db.prepare('SELECT count(*) AS runs FROM runs').get()?.['runs'];
  const before = count();
  const runs = daemon.events('run_finished').length;
  await daemon.until('more runs', () => daemon.events('run_finished').length > runs + 1);
  expect(count()).toBe(before);
  db.exec('COMMIT');
  db.close();
  expect(daemon.events('store_degraded')).toEqual([]);
  expect(await daemon.stop()).toBe(0);
});
