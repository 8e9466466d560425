/** Two nodes, each with an API on a socket of its own, one of which conducts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { Operator } from '../../src/engine/ports-operator.ts';
import type { RunRecord } from '../../src/model.ts';
import { elsewhere } from '../../src/http/elsewhere.ts';
import { answerNodes, serveSocket, type HttpParts, type Listener } from '../../src/http/http.ts';
import { Feed } from '../../src/operator/feed.ts';
import { Node } from '../../src/operator/node.ts';
import { outputFiles } from '../../src/tasks/output-files.ts';
import { ask, Events, type Place } from '../http/support.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { bytes, bytesOf, Caller } from './callers.ts';

const RUN = '01890000-0000-7000-8000-000000000001';

let server: Postgres;
let where: string;
let near: Station;
let far: Station;
let conductor: string | undefined;

/** A node with its API. Its operator is scripted, but for its feed and the output of runs. */
class Station {
  readonly caller: Caller;
  readonly place: Place;
  readonly feed = new Feed(systemClock, systemClock.now());
  readonly output = new AbortController();
  readonly asked: unknown[] = [];
  readonly bugs: unknown[] = [];
  readonly #path: string;
  #tenure: AbortController | undefined;
  #listener: Listener | undefined;
  /** What `operator.job` waits for. */
  jobs: Promise<void> = Promise.resolve();

  constructor(caller: Caller) {
    this.caller = caller;
    this.#path = join(where, `${caller.name}.sock`);
    this.place = { socketPath: this.#path };
  }

  static async open(url: string, name: string): Promise<Station> {
    const station = new Station(await Caller.open(url, name));
    await station.#serve();
    return station;
  }

  async #serve(): Promise<void> {
    const operator = this.#operator();
    const conducting = (): Operator | undefined => (this.#tenure === undefined ? undefined : operator);
    const { id, name } = this.caller;
    const parts: HttpParts = {
      node: new Node({
        cluster: { view: async () => Promise.reject(new Error('unasked')) } as never,
        membership: {
          get conductor() {
            return conductor;
          },
          contactFor: 1000,
        },
        operator: conducting,
        stopping: () => false,
        stop: async (wish) => void this.asked.push({ stop: wish }),
        say: (message) => this.asked.push(message),
      }),
      operator: conducting,
      elsewhere: elsewhere({
        calls: this.caller.calls,
        node: { id, name },
        conductor: () => conductor,
        isAway: () => false,
        tenure: () => this.#tenure?.signal,
      }),
      clock: systemClock,
      version: '1',
      metrics: async () => `metrics of ${name}`,
      onBug: (error) => this.bugs.push(error),
    };
    this.caller.calls.serve(answerNodes(parts));
    this.#listener = await serveSocket(parts, { path: this.#path, mode: 0o600 });
  }

  #operator(): Operator {
    const run = {
      id: RUN,
      jobId: 'a',
      attempts: [],
      state: 'active',
      cause: 'manual',
      scheduledAt: 0,
      claimedAt: 0,
    };
    const outputs = outputFiles(where, systemClock);
    const scripted: Partial<Operator> = {
      readiness: () => ({ ready: true, problems: [] }),
      status: async () =>
        ({ node: this.caller.name, startedAt: 0, loadedAt: 0, store: { kind: 'well' } }) as never,
      runNow: async (jobId, request) => {
        this.asked.push({ jobId, ...request });
        if (jobId === 'throws') throw new Error('thrown');
        return jobId === 'a'
          ? { ok: true, value: { run: run as unknown as RunRecord, replayed: true } }
          : {
              ok: false,
              refusal: { refused: 'unknown_job', message: `there is no ${jobId}`, hint: 'odd \u{202E}' },
            };
      },
      job: async (jobId) => {
        this.asked.push(jobId);
        await this.jobs;
        return { ok: false, refusal: { refused: 'unknown_job', message: 'none' } };
      },
      output: async (id, attempt = 1) => {
        const output = await outputs.open(id, attempt);
        if (output === undefined) throw new Error('there is none');
        return { ok: true, value: output };
      },
      followOutput: async (id, from, signal) => {
        const progress = () => ({ attempts: 1, over: this.output.signal.aborted });
        return {
          ok: true,
          value: outputs.follow(id, from ?? { attempt: 1, offset: 0 }, { progress, signal }),
        };
      },
      subscribe: (listener, after) => {
        const subscription = this.feed.subscribe(listener, after);
        this.asked.push('subscribed');
        const close = (): void => {
          this.asked.push('left');
          subscription.close();
        };
        return { ...subscription, close };
      },
    };
    return scripted as Operator;
  }

  conduct(): void {
    this.#tenure = new AbortController();
    conductor = this.caller.id;
  }

  cease(): void {
    this.#tenure?.abort();
    this.#tenure = undefined;
    conductor = undefined;
  }

  tell(count: number): void {
    for (let number = 0; number < count; number += 1)
      this.feed.observe({ kind: 'file_mended', cause: `${number} ü\n\u2028` });
  }

  async close(): Promise<void> {
    this.cease();
    await this.#listener?.close();
    await this.caller.close();
  }
}

beforeAll(async () => {
  where = mkdtempSync(join(tmpdir(), 'tsched-forwarding-'));
  mkdirSync(join(where, RUN));
  server = await startPostgres();
});

beforeEach(async () => {
  const url = await server.createDatabase();
  [near, far] = await Promise.all([Station.open(url, 'near'), Station.open(url, 'far')]);
  far.conduct();
});

afterEach(async () => {
  await Promise.all([near.close(), far.close()]);
});

afterAll(async () => {
  await server.stop();
  rmSync(where, { recursive: true });
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}

const gets = async (path: string, at = near) => {
  const { status, body, headers } = await ask(at.place, path);
  return { status, body, headers };
};

describe('a request to a node that does not conduct', () => {
  it('is answered by the one that does, which says who was asked', async () => {
    expect((await gets('/api/v1/status')).body).toMatchObject({ node: 'far', via: 'near', cluster: true });
    expect((await gets('/api/v1/status', far)).body).toMatchObject({ node: 'far', via: null });
  });

  it('is answered by itself where it is about it', async () => {
    expect((await gets('/healthz')).body).toEqual({ ok: true });
    expect((await gets('/readyz')).body).toEqual({ ready: true, problems: [] });
    expect((await ask(near.place, '/metrics')).text).toBe('metrics of near');
    expect((await gets('/openapi.json')).body.openapi).toBe('3.1.0');
    expect((await gets('/api/v1/session')).body.scope).toBe('admin');
    const stop = await ask(near.place, '/api/v1/stop', { method: 'POST', json: { now: true } });
    expect([stop.status, stop.body]).toEqual([202, { stopping: true, pid: process.pid, cluster: true }]);
    expect(near.asked).toEqual([
      'somebody on the socket asks to stop now',
      { stop: { now: true, drain: false } },
    ]);
    far.cease();
    expect((await gets('/readyz')).body).toEqual({ ready: false, problems: ['no node conducts'] });
    expect(far.asked).toEqual([]);
  });

  it('takes along who asks, what they may do, its headers and its body', async () => {
    const path = '/api/v1/jobs/a/runs';
    const headers = { 'idempotency-key': 'once', 'x-other': 'not passed on' };
    const json = { with: { odd: `\u{1F600} '"\\ ‮ ${'x'.repeat(5000)}` } };
    const told = await ask(near.place, path, { method: 'POST', headers, json });
    expect([told.status, told.headers['location'], told.headers['idempotent-replayed']]).toEqual([
      202,
      `/api/v1/runs/${RUN}`,
      'true',
    ]);
    expect(told.headers['x-content-type-options']).toBe('nosniff');
    expect(far.asked).toEqual([{ jobId: 'a', key: 'once', given: json.with, by: 'somebody on the socket' }]);
  });

  it('that is refused comes back refused, as it would there', async () => {
    const wanted = { method: 'POST', json: {} };
    const path = `/api/v1/jobs/${encodeURIComponent('b \u0000\u{202E}')}/runs`;
    const [direct, passed] = [await ask(far.place, path, wanted), await ask(near.place, path, wanted)];
    expect(passed.status).toBe(404);
    expect(passed.text).toBe(direct.text);
    expect(passed.headers['content-type']).toBe('application/problem+json');
    const bug = await ask(near.place, '/api/v1/jobs/throws/runs', wanted);
    expect([bug.status, bug.body.code]).toEqual([500, 'bug']);
    expect(far.bugs.map(String)).toEqual(['Error: thrown']);
    expect(near.bugs).toEqual([]);
  });

  it('is not passed on when it is wrong in itself', async () => {
    for (const path of [
      '/api/v1/jobs?limit=abc',
      '/api/v1/nothing',
      '/api/v1/jobs/%ff',
      '/api/v1/runs?limit=1&limit=2',
    ])
      expect((await gets(path)).status, path).toBeGreaterThanOrEqual(400);
    const raw = await ask(near.place, '/api/v1/jobs/a/runs', { method: 'POST', raw: '{"with": 1}' });
    expect(raw.status).toBe(415);
    expect(far.asked).toEqual([]);
  });

  it('is held to its scope, its path and its query once more where it is answered', async () => {
    const told = async (target: string, more: object) => {
      const answer = await near.caller.ask(far.caller.id, target, more);
      return [answer.status, (JSON.parse((await bytesOf(answer)).toString()) as { code: string }).code];
    };
    const run = '/api/v1/jobs/a/runs';
    expect(await told(run, { method: 'POST', scope: 'read' })).toEqual([403, 'too_small_scope']);
    expect(await told(run, { method: 'POST', scope: 'emperor' })).toEqual([403, 'too_small_scope']);
    expect(await told('/api/v1/jobs?limit=0', {})).toEqual([400, 'bad_request']);
    expect(await told('/../../etc/passwd', {})).toEqual([404, 'unknown_path']);
    expect(far.asked).toEqual([]);
  });

  it('may have a long answer, a range of one, or its head alone', async () => {
    const content = bytes(5_000_000).map((byte) => 32 + (byte % 64));
    writeFileSync(join(where, RUN, 'attempt-1.log'), content);
    const path = `/api/v1/runs/${RUN}/output`;
    const whole = await ask(near.place, path);
    expect([whole.status, whole.headers['content-length'], whole.headers['tsched-attempt']]).toEqual([
      200,
      '5000000',
      '1',
    ]);
    expect(Buffer.from(whole.text).equals(content)).toBe(true);
    const part = await ask(near.place, path, { headers: { range: 'bytes=-5' } });
    expect([part.status, part.headers['content-range'], part.text]).toEqual([
      206,
      'bytes 4999995-4999999/5000000',
      Buffer.from(content.subarray(-5)).toString(),
    ]);
    const head = await ask(near.place, path, { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.text]).toEqual([200, '5000000', '']);
    const beyond = await ask(near.place, path, { headers: { range: 'bytes=5000000-' } });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */5000000']);
  });
});

describe('a stream through another node', () => {
  it('tells all events in order, and goes on where it was after it broke off', async () => {
    const first = new Events(near.place, '/api/v1/events');
    await until(() => first.all.length === 1);
    far.tell(3000);
    await until(() => first.all.length === 3001);
    first.close();
    await until(() => far.asked.includes('left'));
    far.tell(500);
    const last = first.all.at(-1)?.id ?? '';
    const second = new Events(near.place, '/api/v1/events', { 'last-event-id': last });
    await until(() => second.all.length === 500);
    far.tell(1);
    await until(() => second.all.length === 501);
    second.close();
    const told = [...first.all.slice(1), ...second.all];
    const number = (id: string): number => Number(id.split('-')[1]);
    const begin = number(told[0]?.id ?? '');
    expect(told.map(({ id }) => number(id))).toEqual(told.map((_, at) => begin + at));
    expect(told[0]).toMatchObject({
      name: 'file_mended',
      data: { kind: 'file_mended', cause: '0 ü\n\u2028' },
    });
  });

  it('tells what a run prints until it is over', async () => {
    writeFileSync(join(where, RUN, 'attempt-1.log'), 'one\ntwo\n');
    const stream = new Events(near.place, `/api/v1/runs/${RUN}/output/stream`);
    await until(() => stream.all.length === 1);
    far.output.abort();
    await until(() => stream.ended);
    expect(stream.all).toEqual([
      { name: 'output', id: '1:8', data: { attempt: 1, offset: 8, text: 'one\ntwo\n' } },
      { name: 'end', id: '1:8', data: {} },
    ]);
    const rest = new Events(near.place, `/api/v1/runs/${RUN}/output/stream`, { 'last-event-id': '1:4' });
    await until(() => rest.ended);
    expect(rest.all[0]?.data).toEqual({ attempt: 1, offset: 8, text: 'two\n' });
  });

  it('ends when its node ceases to conduct, here and there, and goes on at the next one', async () => {
    const streams = [new Events(near.place, '/api/v1/events'), new Events(far.place, '/api/v1/events')];
    await until(() => streams.every(({ all }) => all.length === 1));
    far.cease();
    await until(() => streams.every(({ ended }) => ended));
    expect(far.asked).toEqual(['subscribed', 'subscribed', 'left', 'left']);
    near.conduct();
    const next = new Events(far.place, '/api/v1/events', { 'last-event-id': streams[0]?.all[0]?.id ?? '' });
    await until(() => next.all.length === 1);
    expect(next.all[0]?.name).toBe('reset');
    next.close();
  });
});

describe('while nobody conducts', () => {
  it('is told so, and when to ask again', async () => {
    far.cease();
    const { status, body, headers } = await gets('/api/v1/jobs');
    expect([status, body.code, headers['retry-after']]).toEqual([503, 'no_conductor', '2']);
    expect(body).toMatchObject({
      detail: 'no node conducts at the moment',
      hint: 'ask again in a few seconds; tsched nodes shows who is there',
    });
  });

  it('a node that is taken for the conductor says that it is none, and passes nothing on', async () => {
    far.cease();
    conductor = far.caller.id;
    expect((await gets('/api/v1/jobs')).body).toMatchObject({
      code: 'no_conductor',
      detail: 'the node that conducted does so no more',
    });
    expect((await gets('/api/v1/jobs', far)).body.detail).toBe('this node is about to conduct');
  });

  it('a node that is not heard of is named', async () => {
    await far.caller.fallSilent(20);
    const { status, body } = await gets('/api/v1/jobs');
    expect([status, body.code, body.detail]).toEqual([
      503,
      'no_conductor',
      expect.stringMatching(/^node far has not been heard of for 2\d s$/v),
    ]);
  });

  it('what was under way is answered so, here and there', async () => {
    far.jobs = new Promise<void>(() => undefined);
    const asking = [gets('/api/v1/jobs/a'), gets('/api/v1/jobs/a', far)];
    await until(() => far.asked.length === 2);
    far.cease();
    for (const { status, body } of await Promise.all(asking))
      expect([status, body.detail]).toEqual([503, 'this node ceased to conduct while it was asked']);
  });
});
