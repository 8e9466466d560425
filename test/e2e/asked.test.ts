/** Jobs keep their times while the API is asked all the time, on top of what else is wrong. */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readExposition } from '../http/exposition.ts';
import { ask, Events, socketOf, startAsked, type Place } from '../http/support.ts';
import { account, directory, type Account, type Daemon } from '../support/daemon.ts';

const PATHS = [
  '/api/v1/status',
  '/api/v1/jobs?limit=100',
  '/api/v1/runs?limit=100',
  '/readyz',
  '/openapi.json',
];

/** Eight that ask one thing after another, and two that listen, until it is called off. */
class Askers {
  answers = 0;
  /** What was not answered well. */
  readonly refused: string[] = [];
  readonly #place: Place;
  readonly #paths: readonly string[];
  readonly #streams: Events[];
  readonly #loops: Promise<void>[];
  #isOver = false;

  constructor(daemon: Daemon, paths: readonly string[] = PATHS) {
    this.#place = socketOf(daemon);
    this.#paths = paths;
    this.#streams = [1, 2].map(() => new Events(this.#place, '/api/v1/events'));
    this.#loops = Array.from({ length: 8 }, (_, n) => this.#ask(n));
    onTestFinished(() => this.end());
  }

  async end(): Promise<void> {
    this.#isOver = true;
    for (const stream of this.#streams) stream.close();
    await Promise.all(this.#loops);
  }

  async #ask(from: number): Promise<void> {
    for (let n = from; !this.#isOver; n += 1) {
      const path = this.#paths[n % this.#paths.length] ?? '';
      const { status } = await ask(this.#place, path).catch(() => ({ status: 0 }));
      if (status === 200) this.answers += 1;
      else if (!this.#isOver) this.refused.push(`${path}: ${status}`);
    }
  }
}

const ALL = { misfire: { run: 'all', grace: '1h' }, overlap: 'allow', max_instances: 50 };

/** The jobs' own account: each slot from the first to the last, once. */
function eachOnce(book: Account, job: string): void {
  const slots = book
    .executions(job)
    .map(({ slot }) => Date.parse(slot))
    .sort((a, b) => a - b);
  const [first = 0] = slots;
  expect(slots).toEqual(slots.map((_, index) => first + index * 1000));
}

async function figure(daemon: Daemon, name: string): Promise<number> {
  const told = readExposition((await ask(socketOf(daemon), '/metrics')).text);
  const [sample] = [...told.values()].flatMap(({ samples }) => samples.filter((each) => each.name === name));
  if (sample === undefined) throw new Error(`no ${name}`);
  return sample.value;
}

describe('while the API is asked all the time', () => {
  it('a loop that was held for two seconds is noticed, and its slots are late, not lost', async () => {
    const where = directory();
    const book = account(join(where, 'account'));
    const hold = join(import.meta.dirname, '../fixtures/programs/holds-loop.mjs');
    const daemon = await startAsked({
      directory: where,
      jobs: JSON.stringify({ jobs: { tick: { every: '1s', ...ALL, run: book.line() } } }),
      env: { NODE_OPTIONS: `--import ${hold}` },
    });
    const delay = (): Promise<number> => figure(daemon, 'tsched_loop_delay_max_seconds');
    await delay(); // from now on it is measured
    const askers = new Askers(daemon);
    await daemon.until('the first slots', () => book.executions('tick').length >= 2 && askers.answers > 20);
    for (const times of [1, 2]) {
      const before = book.executions('tick').length;
      daemon.signal('SIGWINCH');
      await daemon.until('the loop to be held', () => daemon.text.split('was held').length > times);
      await daemon.until('the slots of that time', () => book.executions('tick').length >= before + 4);
    }
    expect(await delay()).toBeGreaterThan(1);
    await askers.end();
    expect(askers.refused).toEqual([]);
    expect(await daemon.stop()).toBe(0);
    eachOnce(book, 'tick');
    expect(daemon.events('slots_skipped')).toEqual([]);
  });

  const noPinning = spawnSync('taskset', ['-c', '0', 'true']).status === 0 ? '' : ' (skipped: no taskset)';
  it.skipIf(noPinning !== '')(
    `a daemon that gets a ninth of a processor starts each slot once, and tells how late${noPinning}`,
    async () => {
      const where = directory();
      const book = account(join(where, 'account'));
      const onOne = ['taskset', '-c', '0'];
      const daemon = await startAsked({
        directory: where,
        jobs: JSON.stringify({ jobs: { tick: { every: '1s', ...ALL, run: book.line() } } }),
        wrapper: onOne,
      });
      const askers = new Askers(daemon);
      await daemon.until('the first slots', () => book.executions('tick').length >= 2);
      const waited = waitingOf(daemon);
      const hogs = Array.from({ length: 8 }, () =>
        spawn('taskset', ['-c', '0', 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' }),
      );
      onTestFinished(() => hogs.forEach((hog) => hog.kill('SIGKILL')));
      const before = book.executions('tick').length;
      await daemon.until('slots meanwhile', () => book.executions('tick').length >= before + 5);
      // Else nothing was starved.
      expect(waitingOf(daemon) - waited).toBeGreaterThan(500);
      for (const hog of hogs) hog.kill('SIGKILL');
      await askers.end();
      const counted = (): Promise<number> => figure(daemon, 'tsched_run_start_delay_seconds_count');
      expect(await counted()).toBeGreaterThanOrEqual(before + 5);
      expect(askers.refused).toEqual([]);
      expect(await daemon.stop()).toBe(0);
      eachOnce(book, 'tick');
    },
  );

  it('ten thousand jobs, a hundred of them due each second, run once each, and leave no descriptor behind', async () => {
    // Six thousand are due once a minute, as many at each second of it.
    const jobs = Array.from({ length: 10_000 }, (_, n) => {
      const cron = n < 6000 ? `${n % 60} * * * * *` : '0 3 1 1 *';
      return `  j${n}: { cron: "${cron}", command: ["true"], output: { keep: 1 } }\n`;
    }).join('');
    const daemon = await startAsked({
      jobs: `jobs:\n${jobs}`,
      // However many are still under way at the next second: none waits for others to end, so that a second is decided as a whole.
      args: ['--log-level', 'notice', '--max-concurrent-runs', '0'],
    });
    const claimed = (): Promise<number> => figure(daemon, 'tsched_run_start_delay_seconds_count');
    const descriptors = (): number => readdirSync(`/proc/${daemon.pid}/fd`).length;
    // What is opened when it is first asked for stays open: the reader of history has a thread of its own.
    const first = new Askers(daemon, [...PATHS, '/metrics']);
    await daemon.until('the first answers', () => first.answers > 20);
    await first.end();
    while ((await claimed()) < 200);
    const before = descriptors();
    const askers = new Askers(daemon, [...PATHS, '/metrics']);
    while ((await claimed()) < 800);
    await askers.end();
    expect(askers.refused).toEqual([]);
    expect(askers.answers).toBeGreaterThan(20);
    await daemon.until('no more descriptors than before', () => descriptors() <= before + 2);

    const all = await slotsOf(daemon);
    expect(new Set(all.map(({ jobId, scheduledAt }) => `${jobId} ${scheduledAt}`)).size).toBe(all.length);
    // Of the seconds that are over each has its hundred.
    const bySecond = Map.groupBy(all, ({ scheduledAt }) => Date.parse(scheduledAt));
    const seconds = [...bySecond].sort(([a], [b]) => a - b).slice(0, -1);
    expect(seconds.length).toBeGreaterThan(6);
    expect(new Set(seconds.map(([, found]) => found.length))).toEqual(new Set([100]));
    expect(daemon.events('slots_skipped')).toEqual([]);
    expect(await daemon.stop()).toBe(0);
  });
});

/** All that became of slots, runs and skips, as history has it. */
async function slotsOf(daemon: Daemon): Promise<readonly { jobId: string; scheduledAt: string }[]> {
  const found: { jobId: string; scheduledAt: string }[] = [];
  for (let cursor = ''; ;) {
    const { body } = await ask(socketOf(daemon), `/api/v1/runs?limit=1000${cursor}`);
    found.push(...body.runs);
    if (body.next === null) return found;
    cursor = `&cursor=${body.next}`;
  }
}

/** How long it has stood in line for a processor, in ms: proc(5), schedstat. */
function waitingOf(daemon: Daemon): number {
  return Number(readFileSync(`/proc/${daemon.pid}/schedstat`, 'latin1').split(' ')[1]) / 1e6;
}
