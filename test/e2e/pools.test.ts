/** Limits that jobs share, held against what the jobs themselves wrote down. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startAsked } from '../http/support.ts';
import { tsched } from '../cli/tsched.ts';
import { directory, until, type Daemon } from '../support/daemon.ts';
import { dueTogether } from '../support/due.ts';
import { historyOf } from '../support/history.ts';
import { mostAtOnce, stintsIn, stintTask, type Stint } from '../support/stints.ts';

const stints = (where: string): Stint[] => stintsIn(join(where, 'ledger'));

/** In the directory of its daemon. */
const TASK = stintTask('ledger', 'sleep "$LENGTH"');

function fileOf(jobs: object, pools: object): string {
  return JSON.stringify({ env: { LENGTH: '0.2' }, pools, jobs });
}

/** A job file with a job that never runs. */
const NOTHING = 'jobs: { none: { cron: "0 0 1 1 *", run: "true" } }\n';

async function kill(daemon: Daemon): Promise<void> {
  daemon.signal('SIGKILL');
  await daemon.exited;
}

function said(daemon: Daemon, ...args: string[]): string {
  const { code, out, err } = tsched(args, {
    cwd: daemon.directory,
    env: { TSCHED_STATE_DIR: daemon.stateDirectory, TSCHED_FILE: daemon.file },
  });
  if (code !== 0) throw new Error(`tsched ${args.join(' ')} ended with ${code}: ${err}`);
  return out;
}

describe('two hundred jobs in a pool of three', () => {
  it('never run more than three at once, each once, the better ones first, though the daemon is killed', async () => {
    const where = directory();
    const options = { directory: where };
    let daemon = await startAsked({ ...options, jobs: NOTHING });
    await dueTogether(daemon, (at) => {
      const job = { at, run: TASK, pool: 'database', on_shutdown: 'leave' };
      const jobs = Array.from({ length: 200 }, (_, n) => [`j${n}`, { ...job, priority: n % 4 }]);
      return fileOf(Object.fromEntries(jobs) as object, { database: 3 });
    });
    for (const reached of [20, 60, 110]) {
      await daemon.until(`${reached} runs`, () => stints(where).length >= reached);
      await kill(daemon);
      daemon = await startAsked(options);
    }
    await daemon.until(
      'the end of all',
      () => stints(where).filter(({ end }) => end !== undefined).length >= 200,
    );
    const all = stints(where);
    expect(new Set(all.map(({ job }) => job)).size).toBe(200);
    expect(all).toHaveLength(200);
    expect(mostAtOnce(all)).toBe(3);
    // Of a job with higher priority none begins after one with lower priority, but for the three that were on their way.
    const order = all.sort((a, b) => a.begin - b.begin).map(({ job }) => Number(job.slice(1)) % 4);
    const displaced = order.filter((priority, index) => priority !== 3 - Math.floor(index / 50)).length;
    expect(displaced).toBeLessThanOrEqual(12);
    // Each that had to wait can say for what.
    const { runs } = await daemon.until('the last row', () => {
      const history = historyOf(daemon.stateDirectory);
      return history.runs.every(({ state }) => state === 'finished') && history;
    });
    const waited = runs.filter((run) => run.waited !== undefined);
    expect(waited.length).toBeGreaterThan(150);
    for (const { waited: wait } of waited) expect(wait?.limit).toBe('database');
    const last = all.at(-1)?.job ?? '';
    expect(said(daemon, 'why', last)).toMatch(/it waited .* for the pool database, held by j\d+, j\d+, j\d+/);
  });
});

describe('a pool of one', () => {
  it('excludes runs by hand too, also when the daemon is killed while they wait', async () => {
    const where = directory();
    const never = '0 0 1 1 *';
    const jobs = {
      long: {
        cron: never,
        run: `touch begun; while [ ! -e go ]; do sleep 0.05; done; ${TASK}`,
        pool: 'database',
      },
      short: { cron: never, run: TASK, pool: { name: 'database', max_wait: '1h' } },
      other: { cron: never, run: TASK },
    };
    const first = await startAsked({ directory: where, jobs: fileOf(jobs, { database: 1 }) });
    said(first, 'trigger', 'long');
    await first.until(
      'the long one',
      () => historyOf(first.stateDirectory, 'long').runs[0]?.state === 'running',
    );
    expect(said(first, 'trigger', 'short')).toMatch(
      /run \S+ of short waits for the pool database, held by long/,
    );
    said(first, 'trigger', 'other');
    await first.until('the other', () =>
      stints(where).some(({ job, end }) => job === 'other' && end !== undefined),
    );
    expect(said(first, 'status')).toMatch(/pools +database 1\/1, 1 waiting +held by long/);
    expect(said(first, 'list')).toMatch(/short .* waiting +for database/);
    expect(JSON.parse(said(first, 'status', '--json'))).toMatchObject({
      pools: [
        { name: 'database', slots: 1, used: 1, waiting: 1, holders: [{ jobId: 'long' }] },
        { name: '_runs' },
      ],
    });
    await kill(first);

    const second = await startAsked({ directory: where });
    expect(said(second, 'history', 'short')).toMatch(/short|waiting/);
    expect(stints(where).map(({ job }) => job)).toEqual(['other']);
    said(second, 'trigger', 'short');
    writeFileSync(join(where, 'go'), '');
    await second.until('all of it', () => stints(where).filter(({ end }) => end !== undefined).length === 4);
    expect(mostAtOnce(stints(where).filter(({ job }) => job !== 'other'))).toBe(1);
    await second.until('their rows', () =>
      historyOf(second.stateDirectory, 'short').runs.every(({ outcome }) => outcome?.kind === 'succeeded'),
    );
  });

  it('grows while slots wait for it, and tells a slot that waits by name', async () => {
    const where = directory();
    const task =
      'while [ ! -e go ]; do sleep 0.05; done; echo "begin $TSCHED_JOB_ID $TSCHED_RUN_ID 0" >>ledger';
    const daemon = await startAsked({ directory: where, jobs: NOTHING });
    let text = '';
    await dueTogether(daemon, (at) => {
      const job = { at, run: task, pool: 'database' };
      const jobs = { a: job, b: { ...job, priority: -1 }, c: { ...job, priority: -2 } };
      return (text = fileOf(jobs, { database: 1 }));
    });
    const waits = (job: string) =>
      daemon.waitFor(`${job} waits`, (line) => line.event === 'run_waiting' && line.job === job);
    expect(await waits('c')).toMatchObject({
      msg: 'waits for the pool database, held by a',
      limit: 'database',
      heldBy: ['a'],
    });
    await until('why', () =>
      /it is due, and waits for the pool database, held by a/.test(said(daemon, 'why', 'b')),
    );
    writeFileSync(daemon.file, text.replace('"database":1', '"database":3'));
    for (const id of ['b', 'c'])
      await daemon.waitFor(`${id} starts`, (line) => line.event === 'attempt_started' && line.job === id);
    writeFileSync(join(where, 'go'), '');
    await daemon.until('their end', () => stints(where).length === 3);
  });
});
