/** Every route as its users know it, on a real daemon; each answer against the document that promises it. */
import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Daemon, Later } from '../support/daemon.ts';
import { ELSEWHERE, exerciseReplays, Promises } from './promises.ts';
import {
  ask,
  Events,
  socketOf,
  startAsked,
  type Body,
  type Place,
  type Told,
  type Wanted,
} from './support.ts';

const jobs = (extra = '') => `
jobs:
  hello:
    description: Says it
    cron: "0 0 1 1 *"
    timezone: Europe/Berlin
    tags: [a, b]
    run: printf 'line 1\\nline 2\\n'
    env: { PASSWORD: hunter2 }
  fails:
    cron: "0 0 1 1 *"
    run: exit 3
  waits:
    cron: "0 0 1 1 *"
    run: echo begun; while [ ! -e go ]; do sleep 0.05; done; echo done
  often:
    cron: "* * * * * *"
    command: ["true"]
${extra}`;

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let daemon: Daemon;
let place: Place;
let document: Body;
let promises: Promises;
const promised = (path: string, wanted?: Wanted): Promise<Told> => promises.ask(path, wanted);

beforeAll(async () => {
  daemon = await startAsked({ jobs: jobs(), args: ['--no-watch'], later });
  place = socketOf(daemon);
  document = (await ask(place, '/openapi.json')).body;
  promises = new Promises(place, document);
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});
const post = (path: string, json?: unknown, headers?: Wanted['headers']): Promise<Told> =>
  promised(path, {
    method: 'POST',
    ...(json === undefined ? {} : { json }),
    ...(headers === undefined ? {} : { headers }),
  });

/** Waits until a run is over, by asking. */
async function over(id: string): Promise<Body> {
  for (;;) {
    const { body } = await promised(`/api/v1/runs/${id}`);
    if (body.state === 'finished') return body;
    await pause(20);
  }
}

describe('questions', () => {
  it('tells how the daemon is', async () => {
    const { body: limits } = await promised('/api/v1/pools');
    expect(limits.pools).toMatchObject([{ name: '_runs', slots: 100, holders: [], next: null }]);
    const { body } = await promised('/api/v1/status');
    expect(body).toMatchObject({
      pid: daemon.pid,
      file: daemon.file,
      stopping: false,
      store: { kind: 'well' },
    });
    expect(body.jobs).toEqual({ scheduled: 4, paused: 0, disabled: 0, ended: 0, faulted: 0 });
    expect(body.next.jobId).toBe('often');
  });

  it('lists jobs a page at a time, each with where it comes from, and no secret', async () => {
    const first = await promised('/api/v1/jobs?limit=3');
    expect(first.body.jobs.map(({ id }: Body) => id)).toEqual(['fails', 'hello', 'often']);
    const second = await promised(`/api/v1/jobs?limit=3&cursor=${first.body.next}`);
    expect(second.body).toMatchObject({ next: null, jobs: [{ id: 'waits' }] });
    expect(first.body.jobs[1]).toMatchObject({
      description: 'Says it',
      schedule: '0 0 1 1 *',
      scheduleInWords: 'At 00:00, on day 1 of the month, only in January',
      timezone: 'Europe/Berlin',
      state: 'scheduled',
      source: { file: daemon.file, line: 3 },
      tags: ['a', 'b'],
    });
    const detail = await promised('/api/v1/jobs/hello');
    expect(detail.body.definition).toMatchObject({ env: ['PASSWORD'], task: { kind: 'run' } });
    expect(first.text + detail.text).not.toContain('hunter2');
  });

  it('says which job was meant', async () => {
    const { status, body } = await promised('/api/v1/jobs/helo');
    expect({ status, ...body }).toMatchObject({
      status: 404,
      code: 'unknown_job',
      hint: 'did you mean "hello"?',
    });
  });

  it('tells the coming times', async () => {
    const { body } = await promised('/api/v1/jobs/hello/next?n=2');
    expect(body.times).toHaveLength(2);
    expect(body.times[0]).toMatchObject({
      jobId: 'hello',
      local: expect.stringMatching(/-01-01T00:00:00\+01:00$/),
    });
  });

  it('tells why a slot became what it became', async () => {
    const old = await promised('/api/v1/jobs/hello/why');
    expect(old.body).toMatchObject({
      jobId: 'hello',
      slot: expect.stringMatching(/-12-31T23:00:00Z$/),
      local: expect.stringMatching(/-01-01T00:00:00\+01:00$/),
      // The first of January may be longer ago than history reaches.
      reason: expect.stringMatching(/^(?:not_known_yet|pruned)$/),
      inWords: expect.stringContaining('nothing is recorded of it'),
      run: null,
      skip: null,
    });
    const { body } = await promised('/api/v1/jobs/hello/why?time=2100-01-01T00:00:00%2B01:00');
    expect(body).toMatchObject({ reason: 'future', inWords: 'it has not come yet' });
    const none = await promised('/api/v1/jobs/hello/why?time=2100-01-01T00:00:01Z');
    expect(none.body).toMatchObject({ reason: 'not_a_slot', nextAt: '2100-12-31T23:00:00Z' });
    const { run } = await daemon.waitFor(
      'a run of often',
      (line) => line['job'] === 'often' && line.event === 'run_finished',
    );
    const { scheduledAt } = (await promised(`/api/v1/runs/${String(run)}`)).body;
    const ran = await promised(`/api/v1/jobs/often/why?time=${scheduledAt}`);
    expect(ran.body).toMatchObject({ slot: scheduledAt, run: { id: run, outcome: { kind: 'succeeded' } } });
    const unknown = await promised('/api/v1/jobs/helo/why');
    expect(unknown.body).toMatchObject({ code: 'unknown_job', hint: 'did you mean "hello"?' });
  });

  it('explains an expression, or shows what is wrong with it', async () => {
    const good = await post('/api/v1/explain', {
      expression: '30 2 * * *',
      timezone: 'Europe/Berlin',
      count: 2,
    });
    expect(good.body).toMatchObject({ words: 'At 02:30', timezone: 'Europe/Berlin' });
    expect(good.body.times).toHaveLength(2);
    const bad = await post('/api/v1/explain', { expression: '61 * * * *' });
    expect(bad.body).toMatchObject({
      status: 422,
      code: 'bad_expression',
      errors: [{ column: 1, length: 2 }],
    });
    expect((await post('/api/v1/explain', { expression: '* * * * *', timezone: 'Berlin' })).status).toBe(422);
  });

  it('validates a text with the words of tsched validate', async () => {
    const { body } = await post('/api/v1/validate', { text: 'jobs:\n  a:\n    evry: 1m\n    run: x\n' });
    expect(body.jobs).toBe(0);
    expect(body.errors[0]).toMatchObject({ file: daemon.file, line: 3, column: 5, path: 'jobs.a.evry' });
    expect(body.errors[0].hint).toContain('every');
    expect(body.errors[0].frame).toMatch(/> 3 │ .*\n.*\^{4}/);
    const long = `jobs:\n${Array.from({ length: 2000 }, (_, n) => `  j${n}: { every: 1h, run: echo ${n} }\n`).join('')}`;
    expect(body.plan).toBeNull();
    expect((await post('/api/v1/validate', { text: long })).body).toMatchObject({ jobs: 2000, errors: [] });
  });

  it('says what it takes when it is asked for something else', async () => {
    const wrong = [
      '/api/v1/runs?limit=0',
      '/api/v1/runs?status=faild',
      '/api/v1/runs?since=yesterday',
      '/api/v1/runs?jib=a',
    ];
    for (const path of wrong)
      expect((await promised(path)).body).toMatchObject({ status: 400, detail: expect.anything() });
    expect((await promised('/api/v1/runs?status=faild')).body.hint).toBe('did you mean "failed"?');
    expect((await promised('/api/v1/runs?jib=a')).body.hint).toBe('did you mean "job"?');
    expect((await promised('/api/v1/runs?cursor=bm9uZQ')).body.code).toBe('bad_cursor');
    const wrongMethod = await ask(place, '/api/v1/status', { method: 'DELETE' });
    expect([wrongMethod.status, wrongMethod.headers.allow]).toEqual([405, 'GET']);
  });

  it('is alive and ready', async () => {
    expect((await promised('/healthz')).body).toEqual({ ok: true });
    expect((await promised('/readyz')).body).toEqual({ ready: true, problems: [] });
    expect((await promised('/metrics')).text).toContain('tsched_build_info{');
    await promised('/openapi.json');
  });
});

describe('a run by hand', () => {
  it('begins, can be looked at, and leaves its output', async () => {
    const begun = await post('/api/v1/jobs/hello/runs');
    expect(begun).toMatchObject({ status: 202, headers: { location: `/api/v1/runs/${begun.body.id}` } });
    const run = await over(begun.body.id as string);
    expect(run).toMatchObject({ jobId: 'hello', cause: 'manual', outcome: { kind: 'succeeded' } });
    const output = `/api/v1/runs/${run.id}/output`;
    expect((await promised(output)).text).toBe('line 1\nline 2\n');
    const ranges = { 'bytes=0-3': 'line', 'bytes=-2': '2\n', 'bytes=7-': 'line 2\n' };
    for (const [range, text] of Object.entries(ranges)) {
      expect(await promised(output, { headers: { range } })).toMatchObject({ status: 206, text });
    }
    const beyond = await promised(output, { headers: { range: 'bytes=99-' } });
    expect(beyond).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */14' } });
    expect((await promised(`${output}?attempt=2`)).body.code).toBe('no_output');
    const { body } = await promised('/api/v1/jobs/hello');
    expect(body).toMatchObject({ lastRun: { id: run.id }, recent: ['succeeded'] });
  });

  it('can be retried when it is over, and cancelled while it is not', async () => {
    const begun = await post('/api/v1/jobs/waits/runs');
    const id = begun.body.id as string;
    expect((await post(`/api/v1/runs/${id}/retry`)).body.code).toBe('run_active');
    expect((await promised('/api/v1/jobs/waits')).body.active).toHaveLength(1);
    expect((await post(`/api/v1/runs/${id}/cancel`)).status).toBe(202);
    expect(await over(id)).toMatchObject({ outcome: { kind: 'cancelled', by: 'operator' } });
    expect((await post(`/api/v1/runs/${id}/cancel`)).body.code).toBe('run_finished');
    const failed = await over((await post('/api/v1/jobs/fails/runs')).body.id as string);
    const again = await post(`/api/v1/runs/${failed.id}/retry`);
    expect(again.body).toMatchObject({ jobId: 'fails', cause: 'manual' });
    expect(again.body.id).not.toBe(failed.id);
    await over(again.body.id as string);
    expect((await promised('/api/v1/status')).body.failing).toEqual(['fails']);
    const unknown = '00000000-0000-7000-8000-000000000000';
    expect((await post(`/api/v1/runs/${unknown}/cancel`)).body.code).toBe('unknown_run');
    expect((await post(`/api/v1/runs/${unknown}/retry`)).body.code).toBe('unknown_run');
    expect((await post('/api/v1/jobs/nope/runs')).body.code).toBe('unknown_job');
  });

  it('is told in the log, with who asked', async () => {
    const told = await daemon.waitFor('a word of it', ({ msg }) =>
      msg.startsWith('somebody on the socket runs hello: run '),
    );
    expect(told.level).toBe('notice');
  });

  it('streams its output until it is over', async () => {
    const begun = await post('/api/v1/jobs/waits/runs');
    const path = `/api/v1/runs/${begun.body.id}/output/stream`;
    promises.keep('get', path);
    const stream = new Events(place, path);
    await daemon.until('the first output', () => stream.all.length > 0);
    expect(stream.all[0]).toEqual({
      name: 'output',
      id: '1:6',
      data: { attempt: 1, offset: 6, text: 'begun\n' },
    });
    const resumed = new Events(place, path, { 'last-event-id': '1:3' });
    writeFileSync(`${daemon.directory}/go`, '');
    await daemon.until('both streams to end', () => stream.ended && resumed.ended);
    expect(stream.all.map(({ data }) => data.text).join('')).toBe('begun\ndone\n');
    expect(resumed.all.map(({ data }) => data.text).join('')).toBe('un\ndone\n');
    expect(stream.all.at(-1)?.name).toBe('end');
  });
});

describe('the history', () => {
  it('is paged without losing or repeating a row, while rows come', async () => {
    const all: string[] = [];
    await daemon.until('some history', () => daemon.events('run_finished', 'often').length > 5);
    for (let next: string | null = ''; next !== null;) {
      const { body } = await promised(`/api/v1/runs?limit=3${next === '' ? '' : `&cursor=${next}`}`);
      all.push(...body.runs.map(({ id }: Body) => id as string));
      ({ next } = body);
    }
    expect(new Set(all).size).toBe(all.length);
    const known = daemon.lines.filter(({ event }) => event === 'run_finished').map(({ run }) => run ?? '');
    const early = known.slice(0, 5);
    expect(all).toEqual(expect.arrayContaining(early));
  });

  it('can be asked for by job and by how it ended', async () => {
    const { body } = await promised('/api/v1/runs?job=fails&status=failed,killed&limit=2');
    expect(body.runs.length).toBeGreaterThan(0);
    for (const run of body.runs)
      expect(run).toMatchObject({ jobId: 'fails', outcome: { kind: 'failed', exitCode: 3 } });
    expect((await promised('/api/v1/runs?job=nobody')).body).toEqual({ runs: [], next: null });
    expect((await promised('/api/v1/runs?until=2000-01-01T00:00:00Z')).body.runs).toEqual([]);
  });
});

describe('pausing', () => {
  it('lets a job rest, tells its skipped slots, and ends', async () => {
    const paused = await post('/api/v1/jobs/often/pause', { reason: 'the disk\nis full', for: '1h' });
    expect(paused.body).toMatchObject({ state: 'paused', pause: { reason: 'the disk\nis full' } });
    expect((await promised('/api/v1/status')).body.jobs.paused).toBe(1);
    await daemon.waitFor(
      'a skipped slot',
      ({ event, reason }) => event === 'slots_skipped' && reason === 'paused',
    );
    // Recorded by a thread of its own, a moment after it is said.
    const skipped = (): Promise<Told> => promised('/api/v1/runs?job=often&status=skipped&limit=1');
    let rows = await skipped();
    while (rows.body.runs.length === 0) rows = await skipped();
    expect(rows.body.runs[0]).toMatchObject({ state: 'skipped', reason: 'paused' });
    expect((await post('/api/v1/jobs/often/resume')).body).toMatchObject({ state: 'scheduled', pause: null });
    const past = await post('/api/v1/jobs/often/pause', { until: '2001-01-01T00:00:00Z' });
    expect(past.body.code).toBe('past');
    const both = await post('/api/v1/jobs/often/pause', { until: '2101-01-01T00:00:00Z', for: '1h' });
    expect(both.status).toBe(400);
    expect((await post('/api/v1/jobs/nope/resume')).status).toBe(404);
  });
});

describe('reloading', () => {
  it('tells what it would change, then changes it; a bad file changes nothing', async () => {
    const watched = new Events(place, '/api/v1/events');
    promises.keep('get', '/api/v1/events');
    await daemon.until('the stream to begin', () => watched.all.length > 0);
    await ask(place, '/api/v1/jobs/waits/runs', { method: 'POST' });
    writeFileSync(
      daemon.file,
      jobs('  added: { every: 1h, run: "true" }')
        .replace('exit 3', 'exit 4')
        .replace('* * * * * *', '*/2 * * * * *'),
    );
    const plan = await post('/api/v1/reload?dry_run=true');
    const changes = {
      added: ['added'],
      changed: ['fails'],
      rescheduled: ['often'],
      removed: [],
      unchanged: 2,
      changedKeys: { fails: ['run'], often: ['cron'] },
    };
    expect(plan.body).toMatchObject({ kind: 'planned', ...changes });
    expect((await promised('/api/v1/jobs/added')).status).toBe(404);
    expect((await post('/api/v1/reload')).body).toMatchObject({ kind: 'applied', ...changes });
    expect((await post('/api/v1/reload')).body.kind).toBe('unchanged');
    await daemon.until('the event', () => watched.all.find(({ name }) => name === 'jobs_applied'));
    expect((await promised('/api/v1/jobs/added')).body).toMatchObject({ id: 'added', state: 'scheduled' });
    writeFileSync(daemon.file, 'jobs: { a: { run: x, evry: 1m } }');
    const refused = await post('/api/v1/reload');
    expect(refused.body).toMatchObject({
      status: 422,
      code: 'bad_file',
      errors: [{ line: 1, path: 'jobs.a.evry' }],
    });
    expect((await post('/api/v1/reload?dry_run=true')).body.code).toBe('bad_file');
    expect((await promised('/api/v1/status')).body.fileProblem.message).toContain('the job file has');
    expect((await promised('/api/v1/jobs/added')).status).toBe(200);
    await daemon.until('the refusal', () => watched.all.find(({ name }) => name === 'reload_refused'));
    watched.close();
  });
});

describe('jobs at run time', () => {
  it('are added, changed, replayed and removed, and told as the document says', async () => {
    const job = { every: '1h', run: 'true' };
    expect((await post('/api/v1/jobs/late', { job })).body).toEqual({ added: ['late'], changed: [] });
    expect((await post('/api/v1/jobs', { text: JSON.stringify({ jobs: { late: job } }) })).status).toBe(200);
    const put = { method: 'PUT', json: { job: { ...job, every: '2h' } } };
    expect((await promised('/api/v1/jobs/late', put)).body.changed).toEqual(['late']);
    expect((await post('/api/v1/jobs/late', { job })).body.code).toBe('job_exists');
    expect((await post('/api/v1/jobs', { text: 'jobs: {' })).body.code).toBe('bad_file');
    expect((await promised('/api/v1/jobs/late')).body.origin).toBe('added');
    expect((await promised('/api/v1/jobs/often', { method: 'DELETE' })).body.code).toBe('not_added');
    expect((await promised('/api/v1/jobs/late', { method: 'DELETE' })).body).toEqual({ removed: 'late' });
    expect((await promised('/api/v1/jobs/late', { method: 'DELETE' })).status).toBe(404);
    await exerciseReplays(promised);
  });
});

describe('the session of a page', () => {
  it('begins with a token, says who one is, and ends', async () => {
    const onSocket = { by: 'somebody on the socket', scope: 'admin' };
    expect((await promised('/api/v1/session')).body).toEqual(onSocket);
    const begun = await post('/api/v1/session', { token: 'any' });
    expect(begun.body).toEqual(onSocket);
    expect(begun.headers['set-cookie']?.[0]).toMatch(/^tsched_\w+=any; .*HttpOnly; SameSite=Strict$/);
    const ended = await promised('/api/v1/session', { method: 'DELETE' });
    expect(ended.headers['set-cookie']?.[0]).toMatch(/^tsched_\w+=; Max-Age=0;/);
  });
});

describe('stopping', () => {
  it('is the last thing asked, and every operation of the document was exercised', async () => {
    expect((await post('/api/v1/stop', { now: true, drain: true })).body.code).toBe('bad_body');
    const told = { stopping: true, pid: daemon.pid, cluster: false };
    expect((await post('/api/v1/stop', { now: true })).body).toEqual(told);
    expect(await daemon.end()).toBe(0);
    const promisedOperations = Object.entries(document.paths as Record<string, object>).flatMap(
      ([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(new Set([...promises.kept, ...ELSEWHERE])).toEqual(new Set(promisedOperations));
  });
});
