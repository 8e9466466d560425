/** What a request for a run may carry: a key, so that it is one run however often it is sent, and values. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Later } from '../support/daemon.ts';
import { ask, socketOf, startAsked, type Body, type Place, type Told, type Wanted } from './support.ts';

const JOBS = `
jobs:
  hello: { cron: "0 0 1 1 *", run: echo hello }
  other: { cron: "0 0 1 1 *", run: echo other }
  given: { cron: "0 0 1 1 *", run: printf '%s' "$TSCHED_WITH" }
`;

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let place: Place;

beforeAll(async () => {
  place = socketOf(await startAsked({ jobs: JOBS, later }));
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const post = (path: string, json: unknown, headers: Wanted['headers'] = {}): Promise<Told> =>
  ask(place, path, { method: 'POST', headers, ...(json === undefined ? {} : { json }) });

/** Waits until a run is over, by asking. */
async function over(id: string): Promise<Body> {
  for (;;) {
    const { body } = await ask(place, `/api/v1/runs/${id}`);
    if (body.state === 'finished') return body;
    await pause(20);
  }
}

describe('a run by hand', () => {
  it('is the same run for the same key, however many ask at once', async () => {
    const headers = { 'idempotency-key': 'one' };
    const asked = Array.from({ length: 10 }, () => post('/api/v1/jobs/hello/runs', undefined, headers));
    const told = await Promise.all(asked);
    expect(new Set(told.map(({ body }) => body.id as string)).size).toBe(1);
    expect(told.filter((one) => one.headers['idempotent-replayed'] === 'true')).toHaveLength(9);
    const other = await post('/api/v1/jobs/other/runs', undefined, headers);
    expect(other.body.code).toBe('key_reused');
    const bad = await post('/api/v1/jobs/hello/runs', undefined, { 'idempotency-key': 'with space' });
    expect(bad.status).toBe(400);
  });

  it('can be given values, which a retry gives again', async () => {
    const given = { a: 1, _b: 'two', 'c-3': [null] };
    const headers = { 'idempotency-key': 'given' };
    const { body: run } = await post('/api/v1/jobs/given/runs', { with: given }, headers);
    await over(run.id as string);
    const again = await post(`/api/v1/runs/${run.id}/retry`, undefined);
    await over(again.body.id as string);
    for (const id of [run.id, again.body.id]) {
      expect(JSON.parse((await ask(place, `/api/v1/runs/${id}/output`)).text)).toEqual(given);
    }
    const other = await post('/api/v1/jobs/given/runs', { with: { a: 2 } }, headers);
    expect(other.body.code).toBe('key_reused');
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`n${index}`, 1]));
    const bad = [
      [],
      'x',
      { '': 1 },
      { 'a b': 1 },
      { a: 'NUL \0' },
      { ['x'.repeat(65)]: 1 },
      many,
      { a: 'é'.repeat(33_000) },
    ];
    for (const wrong of bad) {
      const { status, body } = await post('/api/v1/jobs/given/runs', { with: wrong });
      expect({ status, detail: body.detail }).toMatchObject({
        status: 400,
        detail: expect.stringContaining('"with" takes'),
      });
    }
  });
});
