/** A simulation asked of a real daemon, held against the document that promises it. */
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stateWith, ran } from '../cli/past.ts';
import { tsched } from '../cli/tsched.ts';
import type { Daemon, Later } from '../support/daemon.ts';
import { Promises } from './promises.ts';
import { ask, portOf, socketOf, startAsked, type Body, type Told } from './support.ts';

/** No slot falls due by itself before the window that is simulated. */
const START = '2027-01-01T00:00:00Z';
const jobs = `
jobs:
  long: { cron: "0 * * * *", run: x, overlap: queue, timezone: UTC, start: ${START} }
  fresh: { cron: "30 9 * * *", run: x, timezone: UTC, start: ${START} }
  dense: { every: 1s, run: "true", enabled: false }
`;

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let daemon: Daemon;
let promises: Promises;
const post = (json: unknown): Promise<Told> => promises.ask('/api/v1/simulate', { method: 'POST', json });

beforeAll(async () => {
  // A run of two hours: longer than from one slot to the next.
  const attempts = [
    { number: 1, startedAt: 0, finishedAt: 7_200_000, duration: 7_200_000, outcome: { kind: 'succeeded' } },
  ] as const;
  const before = new Date(Date.now() - 3_600_000).toISOString();
  const where = dirname(stateWith({ runs: [ran('long', before, { attempts })] }));
  daemon = await startAsked({
    jobs,
    directory: where,
    args: ['--no-watch', '--listen', '127.0.0.1:0'],
    later,
  });
  const place = socketOf(daemon);
  promises = new Promises(place, (await ask(place, '/openapi.json')).body);
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const window = { from: START, to: '2027-01-02T00:00:00Z' };

describe('POST /api/v1/simulate', () => {
  it('plays the jobs of the daemon with the lengths of its history', async () => {
    const { status, body } = await post(window);
    expect(status).toBe(200);
    expect(body).toMatchObject({ whole: true, ...window, assumed: ['fresh'] });
    const of = (jobId: string): Body[] => (body.runs as Body[]).filter((run) => run.jobId === jobId);
    expect(of('fresh')).toMatchObject([
      { scheduledAt: '2027-01-01T09:30:00Z', outcome: { kind: 'succeeded' } },
    ]);
    expect(
      of('long')
        .map((run) => run.startedAt)
        .slice(0, 3),
    ).toEqual(['2027-01-01T00:00:00Z', '2027-01-01T02:00:00Z', '2027-01-01T04:00:00Z']);
    expect((body.jobs as Body[]).find((job) => job.jobId === 'long')).toMatchObject({ waited: 12, runs: 13 });
    // Nothing of it was done.
    const { body: page } = await promises.ask('/api/v1/runs');
    expect(page.runs).toHaveLength(1);
  });

  it('plays another file in its place, or says what is wrong with it', async () => {
    const text = 'jobs: { other: { cron: "0 12 * * *", timezone: UTC, run: x } }';
    const { body } = await post({ ...window, text });
    expect((body.runs as Body[]).map(({ jobId }) => jobId)).toEqual(['other']);
    const wrong = await post({ ...window, text: 'jobs: { other: { corn: "0 12 * * *", run: x } }' });
    expect(wrong).toMatchObject({ status: 422, body: { code: 'bad_file' } });
  });

  it('comes only as far as it may, and says so', async () => {
    const text = 'jobs: { dense: { every: 2s, run: x } }';
    const { body } = await post({ ...window, text });
    expect(body.whole).toBe(false);
    expect(Date.parse(body.to)).toBeLessThan(Date.parse(window.to));
    expect((body.runs as Body[]).length).toBeGreaterThan(19_000);
  });

  it('refuses windows that are none, and a second one at the same time', async () => {
    expect(await post({ from: window.to, to: window.from })).toMatchObject({
      status: 422,
      body: { code: 'past' },
    });
    const long = await post({ from: window.from, to: '2028-06-01T00:00:00Z' });
    expect(long.body.detail).toContain('366 days');
    const year = { from: window.from, to: '2027-12-31T00:00:00Z' };
    const both = await Promise.all([post(year), post(year)]);
    expect(new Set(both.map(({ status }) => status))).toEqual(new Set([200, 429]));
  });

  it('is for readers, another file for admins alone', async () => {
    const args = ['token', 'create', 'reader', '--scope', 'read', '--state-dir', daemon.stateDirectory];
    const headers = {
      authorization: `Bearer ${tsched(args).out.trim()}`,
      'content-type': 'application/json',
    };
    const as = (json: unknown): Promise<Told> =>
      ask(portOf(daemon), '/api/v1/simulate', { method: 'POST', headers, json });
    expect((await as(window)).status).toBe(200);
    const other = await as({ ...window, text: 'jobs: {}' });
    expect(other).toMatchObject({ status: 403, body: { code: 'too_small_scope' } });
  });
});
