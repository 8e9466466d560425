/** How runs lie in time, as those who ask a daemon are told. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Daemon, Later } from '../support/daemon.ts';
import { eventually } from '../support/telling.ts';
import { Promises } from './promises.ts';
import { ask, socketOf, startAsked, type Body, type Place } from './support.ts';

const jobs = `
jobs:
  often: { cron: "* * * * * *", command: ["true"] }
  fails: { cron: "0 0 1 1 *", timezone: Europe/Berlin, run: exit 3 }
  paused: { cron: "* * * * * *", run: "true" }
`;
const HOUR = 3_600_000;

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let daemon: Daemon;
let place: Place;
let promises: Promises;

/** Of a window around now, in milliseconds from it. */
async function asked(path: string, from: number, to: number): Promise<Body> {
  const now = Date.now();
  const [since, until] = [from, to].map((by) => new Date(now + by).toISOString());
  return (await promises.ask(`/api/v1/${path}since=${since}&until=${until}`)).body;
}

beforeAll(async () => {
  daemon = await startAsked({ jobs, args: ['--no-watch'], later });
  place = socketOf(daemon);
  promises = new Promises(place, (await ask(place, '/openapi.json')).body);
  await ask(place, '/api/v1/jobs/paused/pause', { method: 'POST', json: { for: '30m' } });
  await ask(place, '/api/v1/jobs/fails/runs', { method: 'POST' });
  await daemon.until(
    'some runs',
    () =>
      daemon.events('run_finished', 'often').length > 3 && daemon.events('run_finished', 'fails').length > 0,
  );
  // Recorded by a thread of its own, a moment after it is said.
  for (const query of ['job=fails&status=failed', 'job=paused&status=skipped'])
    await eventually(query, async () => {
      const { body } = await ask(place, `/api/v1/runs?limit=1&${query}`);
      if (body.runs.length === 0) throw new Error(JSON.stringify(body));
    });
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const sumOf = ({ hours }: Body, name: string): number =>
  hours.reduce((all: number, hour: Body) => all + (hour[name] as number), 0);

describe('runs in time', () => {
  it('are counted by the hour', async () => {
    const known = daemon.events('run_finished', 'often').length;
    // Recorded by a thread of its own, a moment after it is said.
    const body = await eventually('what is known to be counted', async () => {
      const told = await asked('hours?', -2 * HOUR, HOUR);
      expect(sumOf(told, 'succeeded')).toBeGreaterThanOrEqual(known);
      return told;
    });
    expect(body.countedFrom).toBe(null);
    expect([4, 3]).toContain(body.hours.length);
    const sum = (name: string): number => sumOf(body, name);
    expect(sum('failed')).toBe(1);
    expect(sum('skipped')).toBeGreaterThan(0); // of the job that is paused
    expect(body.hours.some(({ delayMs }: Body) => delayMs?.p50 <= delayMs?.p99)).toBe(true);
  });

  it('are told as lanes, close ones as one, with what is planned', async () => {
    const { lanes } = await asked('timeline?jobs=often,fails,paused,nobody&parts=10&', -HOUR, 20_000);
    const [often, fails, paused, nobody] = lanes as Body[];
    expect(nobody).toEqual({ jobId: 'nobody', bars: [], planned: [], complete: true });
    // A second apart, at a scale of six minutes.
    expect(often.bars.length).toBeLessThan(4);
    expect(often.bars.some(({ runs }: Body) => runs > 2)).toBe(true);
    expect(often.planned).toHaveLength(1);
    expect(paused.planned).toEqual([]);
    expect(fails.bars).toMatchObject([{ kind: 'failed', runs: 1, failed: 1 }]);
    expect((await ask(place, `/api/v1/runs/${fails.bars[0].runId}`)).body.jobId).toBe('fails');
    const near = await asked('timeline?jobs=often,paused&parts=2000&', 0, HOUR);
    expect(near.lanes[0].planned.length).toBeGreaterThan(1500);
    expect(near.lanes[1].planned.length).toBeGreaterThan(500); // once its pause is over
  });

  it('are told minute by minute, and the busiest minutes named', async () => {
    const body = await asked('load?', -HOUR, HOUR);
    expect(body).toMatchObject({ stepMs: 60_000, complete: true });
    expect([60, 61]).toContain(body.active.length);
    expect(Math.max(...(body.planned as number[]))).toBe(60); // often; the other is paused
    expect(body.busiest).toHaveLength(3);
    expect(body.busiest[0].runs).toBeGreaterThanOrEqual(60);
    const wide = await asked('load?', -30 * 24 * HOUR, 0);
    expect(wide.active.length).toBeLessThanOrEqual(400);
  });

  it('are on the day they were', async () => {
    const { body } = await promises.ask('/api/v1/jobs/fails/days?n=2');
    expect(body).toMatchObject({
      timezone: 'Europe/Berlin',
      days: [{ day: expect.stringMatching(/^\d{4}-\d\d-\d\d$/), succeeded: 0, failed: 1, skipped: 0 }],
    });
    expect((await promises.ask('/api/v1/jobs/nobody/days')).body.code).toBe('unknown_job');
    const job = await ask(place, '/api/v1/jobs/fails');
    expect(job.body.recentDurationsMs).toEqual([expect.any(Number)]);
  });

  it('are refused for a window that is none, or too wide', async () => {
    for (const path of ['hours?', 'load?', 'timeline?jobs=a&']) {
      expect((await asked(path, HOUR, HOUR)).detail, path).toContain('not later');
      expect((await asked(path, -1e12, 0)).detail, path).toContain('at most');
    }
    const missing = await ask(place, '/api/v1/load?since=2026-01-01T00:00:00Z');
    expect(missing.body.detail).toContain('"until" is missing');
    const many = Array.from({ length: 101 }, (_, n) => `j${n}`).join();
    expect((await asked(`timeline?jobs=${many}&`, 0, HOUR)).detail).toContain('at most 100');
  });
});
