/** What the API asks of the history, of each driver: pages, single runs, the newest of each job. */
import { describe, expect, it } from 'vitest';
import type { RunQuery } from '../../src/engine/ports-operator.ts';
import type { HistoryRow } from '../../src/engine/ports.ts';
import type { Outcome, RunRecord } from '../../src/model.ts';
import type { HistorySource } from '../../src/store/history.ts';
import { firstIdAt } from '../../src/store/rows.ts';
import { runOf, skipOf } from './conformance.ts';
import { drivers, type Kept } from './histories.ts';

const HOUR = 3_600_000;
/** As those of runs that were claimed then. */
const idAt = (at: number, n: number): string =>
  `${firstIdAt(at)}-7000-8000-${n.toString(16).padStart(12, '0')}`;
const id = (n: number): string => `01a2146c-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;

function nameOf(row: HistoryRow): string {
  return 'run' in row ? `run ${Number.parseInt(row.run.id.slice(-12), 16)}` : `skip ${row.skip.at}`;
}

/** Runs 1 … 30 of jobs a, b, c in turn, and skips of a between them; every third run failed. */
async function fill({ store }: Kept): Promise<void> {
  for (let n = 1; n <= 30; n += 1) {
    const jobId = 'abc'.charAt(n % 3);
    const run = runOf(id(n), n * 10, { jobId });
    await store.claim([run], n % 5 === 0 ? [skipOf(n * 10 + 5, { jobId: 'a' })] : []);
    const outcome = n % 3 === 0 ? { kind: 'failed' as const, exitCode: 1 } : { kind: 'succeeded' as const };
    await store.save({ ...run, state: 'finished', finishedAt: n * 10 + 1, outcome });
  }
}

async function pages(history: HistorySource, query: Omit<RunQuery, 'cursor'>, between = async () => {}) {
  const names: string[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await history.page({ ...query, cursor });
    if (page === undefined) throw new Error('its own cursor was refused');
    expect(page.rows.length).toBeLessThanOrEqual(query.limit);
    names.push(...page.rows.map(nameOf));
    if (page.next === undefined) return names;
    cursor = page.next;
    await between();
  }
}

describe.each(Object.entries(drivers))('history of %s', (_, open) => {
  it('is the same by pages of any size, newest first', async () => {
    const kept = await open();
    await fill(kept);
    const whole = await pages(kept.history, { limit: 1000 });
    expect(whole).toHaveLength(36);
    expect(whole.slice(0, 4)).toEqual(['skip 305', 'run 30', 'run 29', 'run 28']);
    for (const limit of [1, 2, 5, 7, 35, 36]) expect(await pages(kept.history, { limit })).toEqual(whole);
  });

  it('loses and repeats nothing while rows come', async () => {
    const kept = await open();
    await fill(kept);
    const before = await pages(kept.history, { limit: 1000 });
    let n = 100;
    const names = await pages(kept.history, { limit: 4 }, async () => {
      n += 1;
      await kept.store.claim([runOf(id(n), n * 10)], [skipOf(n * 10 + 5)]);
    });
    expect(names).toEqual(before);
  });

  it('knows what was written since it was asked the same before', async () => {
    const { store, history } = await open();
    for (let n = 1; n <= 30; n += 1) {
      const run = runOf(id(n), n * 10, { jobId: 'a' });
      const asked = async () => {
        const [page, jobs, one] = [history.page({ limit: 1 }), history.jobs(['a'], 1), history.run(run.id)];
        const [row] = (await page)?.rows ?? [];
        const known = await one;
        return [row && nameOf(row), (await jobs).get('a')?.outcomes, known instanceof Object && known.state];
      };
      await asked();
      await store.claim([run], []);
      expect(await asked()).toEqual([`run ${n}`, ['active'], 'claimed']);
      expect(await asked()).toEqual([`run ${n}`, ['active'], 'claimed']);
      await store.save({
        ...run,
        state: 'finished',
        finishedAt: n * 10 + 1,
        outcome: { kind: 'succeeded', exitCode: 0 },
      });
      expect(await asked()).toEqual([`run ${n}`, ['succeeded'], 'finished']);
    }
  });

  it('of one job is by scheduled time, with slots of the same moment told apart', async () => {
    const kept = await open();
    await kept.store.claim(
      [runOf(id(1), 100), runOf(id(2), 100, { cause: 'manual' })],
      [skipOf(100), skipOf(90)],
    );
    await kept.store.claim([runOf(id(3), 50, { cause: 'manual' })], [skipOf(100, { at: 200 })]);
    const whole = await pages(kept.history, { jobId: 'a', limit: 10 });
    expect(whole).toHaveLength(6);
    expect(whole.slice(-2)).toEqual(['skip 90', 'run 3']);
    expect(await pages(kept.history, { jobId: 'a', limit: 1 })).toEqual(whole);
  });

  it('can be asked for by span and by how it ended', async () => {
    const kept = await open();
    await fill(kept);
    const { history } = kept;
    const failed = await pages(history, { statuses: ['failed'], limit: 3 });
    expect(failed).toEqual([
      'run 30',
      'run 27',
      'run 24',
      'run 21',
      'run 18',
      'run 15',
      'run 12',
      'run 9',
      'run 6',
      'run 3',
    ]);
    expect(await pages(history, { statuses: ['skipped'], since: 100, until: 200, limit: 1 })).toEqual([
      'skip 155',
      'skip 105',
    ]);
    expect(await pages(history, { statuses: ['active'], limit: 5 })).toEqual([]);
    expect(await pages(history, { jobId: 'nobody', limit: 5 })).toEqual([]);
  });

  it('counts the rows of a job in spans, by how they ended', async () => {
    const kept = await open();
    const spans = [0, 100, 200, 300].map((since) => ({ since, until: since + 100 }));
    expect((await kept.history.counts('a', spans)).unfinished).toEqual([]);
    await fill(kept);
    const attempts = [{ number: 1, startedAt: 205, outcome: { kind: 'succeeded' as const } }];
    const ended = { ...runOf(id(50), 199), attempts, state: 'finished' as const, finishedAt: 209 };
    await kept.store.claim(
      [ended, runOf(id(51), 200)],
      [skipOf(99, { count: 3 }), skipOf(250, { through: 300, count: 7 })],
    );
    await kept.store.save({ ...ended, outcome: { kind: 'succeeded' } });
    await kept.store.save({
      ...runOf(id(52), 299, { cause: 'manual' }),
      state: 'finished',
      outcome: { kind: 'cancelled', by: 'operator' },
    });
    const { counts, unfinished } = await kept.history.counts('a', spans);
    const none = { succeeded: 0, failed: 0, cancelled: 0, active: 0, skipped: 0 };
    expect(counts).toEqual([
      { ...none, failed: 3, skipped: 4 }, // runs 3, 6, 9; skips at 55 and 99
      { ...none, failed: 3, succeeded: 1, skipped: 2 },
      { ...none, failed: 3, cancelled: 1, skipped: undefined },
      { ...none, failed: 1, skipped: undefined },
    ]);
    expect(unfinished.map((run) => run.id)).toEqual([id(51)]);
    expect((await kept.history.jobs(['a'], 20)).get('a')?.durations).toContain(4);
  });

  it('refuses a cursor that is none of ours', async () => {
    const { history } = await open();
    const odd = [
      'x',
      '',
      'bm9uZQ',
      Buffer.from('{"run":["1; DROP TABLE runs",1]}').toString('base64url'),
      Buffer.from('{"skip":[1,1.5]}').toString('base64url'),
    ];
    for (const cursor of odd) expect(await history.page({ limit: 1, cursor }), cursor).toBeUndefined();
  });

  it('tells one run, the newest of each job, and which jobs fail', async () => {
    const kept = await open();
    await kept.store.place({
      placed: new Map(['a', 'b', 'c'].map((job) => [job, { schedule: 's', from: 0 }])),
      gone: [],
    });
    await fill(kept);
    expect(await kept.history.run(id(7))).toMatchObject({ id: id(7), jobId: 'b' });
    expect(await kept.history.run(id(99))).toBeUndefined();
    expect(await kept.history.uniqueLengths([id(1), id(16)])).toEqual(
      new Map([
        [id(1), 36],
        [id(16), 36],
      ]),
    );
    const jobs = await kept.history.jobs(['a', 'b', 'none'], 3);
    expect(jobs.get('a')).toMatchObject({
      last: { id: id(30) },
      outcomes: ['failed', 'failed', 'failed'],
      durations: [undefined, undefined, undefined],
    });
    expect(jobs.has('none')).toBe(false);
    expect(await kept.history.failing()).toEqual(['a']);
  });

  it('tells what a slot became, and where its job stands', async () => {
    const kept = await open();
    const places = new Map(['a', 'b', 'c'].map((job) => [job, { schedule: 's', from: 0 }]));
    await kept.store.place({ placed: places, gone: [] });
    await fill(kept);
    await kept.store.claim(
      [runOf(id(40), 31, { cause: 'manual' })],
      [skipOf(320, { through: 340, at: 350 })],
    );
    const slot = async (jobId: string, at: number) => {
      const { row, ...rest } = await kept.history.slot(jobId, at);
      return { row: row && nameOf(row), ...rest };
    };
    expect(await slot('a', 30)).toEqual({
      row: 'run 3',
      kept: { runs: 11, skips: 7, oldest: 30, oldestRun: 30 },
      place: { schedule: 's', from: 340 },
    });
    expect(await slot('a', 31), 'by hand').toMatchObject({ row: 'run 40' });
    expect(await slot('a', 32)).toMatchObject({ row: undefined });
    expect(await slot('a', 330)).toMatchObject({ row: 'skip 350' });
    expect(await slot('none', 30)).toEqual({ row: undefined, kept: { runs: 0, skips: 0 }, place: undefined });
    expect(await kept.history.newestSlot('a', 299)).toBe(270);
    expect(await kept.history.newestSlot('a', 345)).toBe(340);
    expect(await kept.history.newestSlot('a', 29)).toBeUndefined();
  });

  it('has a run by hand or of a replay for a slot that came to nothing itself', async () => {
    const { store, history } = await open();
    const claim = (n: number, scheduledAt: number, change: Partial<RunRecord> = {}) =>
      store.claim([runOf(id(n), scheduledAt, change)], []);
    const replayed = { cause: 'replay', replay: 'x' } as const;
    await claim(3, 100, { ...replayed, claimedAt: 1000 });
    await claim(2, 100, { cause: 'manual', claimedAt: 900 });
    await claim(5, 200, { ...replayed, claimedAt: 1100 });
    await claim(6, 200, { cause: 'manual', claimedAt: 1200 });
    await claim(7, 300, { ...replayed, claimedAt: 1300 });
    await store.claim([], [skipOf(290, { through: 310, count: 3, at: 350 })]);
    const became = async (at: number): Promise<string | undefined> => {
      const { row } = await history.slot('a', at);
      return row && nameOf(row);
    };
    expect(await became(100), 'the newest').toBe('run 3');
    expect(await became(200)).toBe('run 6');
    expect(await became(300), 'its skip').toBe('skip 350');
    await claim(8, 400);
    await claim(9, 400, { ...replayed, claimedAt: 1400 });
    expect(await became(400), 'its own').toBe('run 8');
  });

  it('counts by the hour, and finds how late runs on schedule started', async () => {
    const { store, history } = await open();
    const at = 100 * HOUR;
    const attempt = (startedAt: number) => ({ number: 1, startedAt });
    const times = [0, 1, 2, HOUR - 1, HOUR].map((by) => at + by);
    const runs = times.map((time, n) => runOf(idAt(time, n), time, { attempts: [attempt(time + 10 * n)] }));
    await store.claim(runs, [skipOf(at + 5, { count: 7 })]);
    const kinds = ['succeeded', 'timed_out', 'cancelled', 'lost'] as const;
    for (const [n, kind] of kinds.entries()) {
      const outcome = { kind, ...(kind === 'timed_out' ? { after: 1 } : {}), by: 'operator' } as Outcome;
      await store.save({ ...(runs[n] ?? runOf('', 0)), state: 'finished', finishedAt: at + HOUR, outcome });
    }
    const { hours } = await history.hours({ since: at - 1, until: at + HOUR + 1 });
    expect(hours).toEqual([
      { at: at - HOUR, succeeded: 0, failed: 0, cancelled: 0, active: 0, skipped: 0, delay: undefined },
      {
        at,
        succeeded: 1,
        failed: 2,
        cancelled: 1,
        active: 0,
        skipped: 7,
        delay: { p50: 20, p99: 30 },
      },
      {
        at: at + HOUR,
        succeeded: 0,
        failed: 0,
        cancelled: 0,
        active: 1,
        skipped: 0,
        delay: { p50: 40, p99: 40 },
      },
    ]);
  });

  it('lays runs side by side: short ones as one, those that reach in from before too', async () => {
    const { store, history } = await open();
    const at = 100 * HOUR;
    const put = async (
      n: number,
      from: number,
      to: number | undefined,
      kind = 'succeeded',
    ): Promise<void> => {
      const run = runOf(idAt(at + from, n), at + from);
      await store.claim([run], []);
      const attempts = [{ number: 1, startedAt: at + from }];
      const over = { state: 'finished', finishedAt: at + (to ?? 0), outcome: { kind } as Outcome } as const;
      await store.save({ ...run, attempts, ...(to === undefined ? { state: 'running' } : over) });
    };
    await put(1, -2 * HOUR, HOUR / 2); // reaches in
    await put(2, -HOUR, -HOUR / 2); // does not
    for (let n = 0; n < 20; n += 1)
      await put(10 + n, n * 1000, n * 1000 + 500, n === 7 ? 'failed' : undefined);
    await put(40, HOUR / 2, undefined);
    await put(41, 2 * HOUR, 2 * HOUR + 1); // after it
    const query = { jobIds: ['a', 'none'], since: at, until: at + HOUR, parts: 60 };
    const [lane, none] = await history.lanes(query);
    expect(none).toEqual({ jobId: 'none', bars: [], complete: true });
    expect(lane?.complete).toBe(true);
    expect(lane?.bars.map(({ runId, runs, failed, kind }) => [runId, runs, failed, kind])).toEqual([
      [idAt(at - 2 * HOUR, 1), 1, 0, 'succeeded'],
      [idAt(at + 7000, 17), 20, 1, 'failed'],
      [idAt(at + HOUR / 2, 40), 1, 0, 'active'],
    ]);
    expect(lane?.bars[1]).toMatchObject({ scheduledAt: at, startedAt: at, finishedAt: at + 19_500 });
    const [near] = await history.lanes({ ...query, parts: 10_000 });
    expect(near?.bars).toHaveLength(22);
  });

  it('counts the runs that were active in each minute', async () => {
    const { store, history } = await open();
    const at = 100 * HOUR;
    const spans = [
      [-90, 30],
      [0, 59],
      [59, 61],
      [119, undefined],
    ] as const;
    for (const [n, [from, to]] of spans.entries()) {
      const run = runOf(idAt(at + from * 1000, n), at + from * 1000);
      await store.claim([run], []);
      const over = { state: 'finished', finishedAt: at + (to ?? 0) * 1000, outcome: { kind: 'succeeded' } };
      if (to !== undefined) await store.save({ ...run, ...over } as RunRecord);
    }
    const load = await history.load({ since: at + 1000, until: at + 180_000 });
    expect(load).toEqual({ active: [3, 2, 1], complete: true });
  });
});
