/** How runs by hand are begun and named, on a real daemon; each answer against the document that promises it. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { account, directory, type Daemon, type Later } from '../support/daemon.ts';
import { historyOf } from '../support/history.ts';
import { Promises } from './promises.ts';
import { ask, socketOf, startAsked, type Body, type Told, type Wanted } from './support.ts';

const jobs = `
jobs:
  hello:
    cron: "0 0 1 1 *"
    run: printf 'line 1\\nline 2\\n'
  given:
    cron: "0 0 1 1 *"
    run: printf '%s' "$TSCHED_WITH"
  declared:
    cron: "0 0 1 1 *"
    run: printf '%s|%s|%s' "$TSCHED_PARAM_DAY" "$TSCHED_PARAM_MAX_N" "$TSCHED_WITH"
    params:
      day: { type: string, required: true, default: today }
      max-n: { type: integer, maximum: 5, default: 3 }
  endless:
    cron: "0 0 1 1 *"
    run: "true"
    params: { word: { type: string, pattern: "^(a+)+$", default: a } }
`;

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let promises: Promises;
const promised = (path: string, wanted?: Wanted): Promise<Told> => promises.ask(path, wanted);
const post = (path: string, json?: unknown, headers: Wanted['headers'] = {}): Promise<Told> =>
  promised(path, { method: 'POST', headers, ...(json === undefined ? {} : { json }) });

beforeAll(async () => {
  const place = socketOf(await startAsked({ jobs, args: ['--no-watch'], later }));
  promises = new Promises(place, (await ask(place, '/openapi.json')).body);
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** Waits until a run is over, by asking. */
async function over(id: string): Promise<Body> {
  for (;;) {
    const { body } = await promised(`/api/v1/runs/${id}`);
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
    const other = await post('/api/v1/jobs/given/runs', undefined, headers);
    expect(other.body.code).toBe('key_reused');
    const bad = await post('/api/v1/jobs/hello/runs', undefined, { 'idempotency-key': 'with space' });
    expect(bad.status).toBe(400);
  });

  it('is the same run for the same key after kill -9, and runs once', async () => {
    const where = directory();
    const book = account(join(where, 'account'));
    const job = { cron: '0 0 1 1 *', run: `${book.line()}; sleep 1` };
    const first = await startAsked({ directory: where, jobs: JSON.stringify({ jobs: { job } }), later });
    const begin = (daemon: Daemon, id: string) =>
      ask(socketOf(daemon), `/api/v1/jobs/job/runs`, { method: 'POST', headers: { 'idempotency-key': id } });
    const begun = await begin(first, 'one');
    await first.until('it to begin', () => book.executions('job').length > 0);
    first.signal('SIGKILL');
    await first.exited;

    const next = await startAsked({ directory: where, later });
    const again = await begin(next, 'one');
    expect(again).toMatchObject({ status: 202, headers: { 'idempotent-replayed': 'true' } });
    expect(again.body.id).toBe(begun.body.id);
    await next.waitFor('its end', ({ event, run }) => event === 'run_finished' && run === begun.body.id);
    expect((await begin(next, 'one')).body).toMatchObject({ id: begun.body.id, state: 'finished' });
    expect(book.executions('job')).toHaveLength(1);
    expect((await begin(next, 'two')).body.id).not.toBe(begun.body.id);
  });

  it('is recorded by the time it is told of, for whoever comes next', async () => {
    const daemon = await startAsked({ jobs });
    for (let times = 0; times < 20; times += 1) {
      const { body } = await ask(socketOf(daemon), '/api/v1/jobs/hello/runs', { method: 'POST' });
      const known = historyOf(daemon.stateDirectory, 'hello').runs.map(({ id }) => id);
      expect(known).toContain(body.id);
    }
  });

  it('can be given values, which a retry gives again', async () => {
    const given = { a: 1, _b: 'two', 'c-3': [null] };
    const headers = { 'idempotency-key': 'given' };
    const { body: run } = await post('/api/v1/jobs/given/runs', { with: given }, headers);
    await over(run.id as string);
    const again = await post(`/api/v1/runs/${run.id}/retry`);
    await over(again.body.id as string);
    for (const id of [run.id, again.body.id]) {
      expect(JSON.parse((await promised(`/api/v1/runs/${id}/output`)).text)).toEqual(given);
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

  it('is named by the beginning of its id, where only one begins so', async () => {
    const { body: run } = await post('/api/v1/jobs/hello/runs');
    const id = run.id as string;
    await over(id);
    expect((await promised(`/api/v1/runs/${id.slice(0, 30)}`)).body.id).toBe(id);
    expect((await promised(`/api/v1/runs/${id.slice(0, 30)}/output`)).text).toBe('line 1\nline 2\n');
    expect((await post(`/api/v1/runs/${id.slice(0, 30)}/cancel`)).body.code).toBe('run_finished');
    expect((await promised(`/api/v1/runs/${id.slice(0, 4)}`)).body.code).toBe('ambiguous_run');
    expect((await promised('/api/v1/runs/0')).body.code).toBe('unknown_run');
    expect((await promised('/api/v1/runs/ffff%25')).body.code).toBe('unknown_run');
  });
});

describe('declared parameters', () => {
  it('are told as JSON Schema, and given to the task with their defaults', async () => {
    const { body: job } = await promised('/api/v1/jobs/declared');
    expect(job.params).toMatchObject({
      properties: { 'max-n': { type: 'integer', maximum: 5, default: 3 } },
      required: ['day'],
      additionalProperties: false,
    });
    expect((await promised('/api/v1/jobs/given')).body.params).toBeNull();
    const { body: run } = await post('/api/v1/jobs/declared/runs', { with: { day: '2027-01-31' } });
    await over(String(run.id));
    const { text } = await promised(`/api/v1/runs/${String(run.id)}/output`);
    expect(text).toBe('2027-01-31|3|{"day":"2027-01-31","max-n":3}');
    // Once more with what it was given; the default is what the job file says by then.
    const { status } = await post(`/api/v1/runs/${String(run.id)}/retry`);
    expect(status).toBe(202);
  });

  it('that do not fit are refused, each with where it stands', async () => {
    const { status, body } = await post('/api/v1/jobs/declared/runs', { with: { dday: 1, 'max-n': 6 } });
    expect(status).toBe(422);
    expect(body).toMatchObject({
      code: 'bad_arguments',
      arguments: [
        { pointer: '/with/dday', message: 'there is no parameter "dday"', hint: 'did you mean "day"?' },
        { pointer: '/with/max-n', message: '"max-n" takes at most 5, not 6', hint: null },
        { pointer: '/with/day', message: '"day" is missing', hint: 'it takes text' },
      ],
    });
  });

  it('are held against a pattern without holding up the daemon, however long that takes', async () => {
    const give = (word: string) => post('/api/v1/jobs/endless/runs', { with: { word } });
    const endless = give(`${'a'.repeat(60)}b`);
    expect((await give('aaa')).status).toBe(202);
    expect((await give('b')).body).toMatchObject({
      code: 'bad_arguments',
      detail: '"word" takes what matches ^(a+)+$, not "b"',
    });
    const more = await Promise.all(Array.from({ length: 10 }, () => give(`${'a'.repeat(60)}b`)));
    expect(more.map(({ body }) => body.code)).toContain('too_many');
    expect((await endless).body).toMatchObject({
      code: 'bad_arguments',
      detail: '"word" took too long to match ^(a+)+$',
      arguments: [{ pointer: '/with/word' }],
    });
  });
});
