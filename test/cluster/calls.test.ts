import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { bytes, bytesOf, Caller, digest, failure, handler, rowsLeft, until } from './callers.ts';

let server: Postgres;
const open: { close(): unknown }[] = [];

beforeAll(async () => (server = await startPostgres()));
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});
afterAll(() => server.stop());

async function caller(url: string, name: string): Promise<Caller> {
  const made = await Caller.open(url, name);
  open.push(made);
  return made;
}

async function pair(): Promise<{ url: string; near: Caller; far: Caller }> {
  const url = await server.createDatabase();
  const [near, far] = await Promise.all([caller(url, 'near'), caller(url, 'far')]);
  far.calls.serve(handler);
  return { url, near, far };
}

/** A node in another process. */
class Elsewhere {
  readonly id = randomUUID();
  readonly lines: string[] = [];
  readonly process: ChildProcess;
  #wake: (() => void)[] = [];

  constructor(url: string) {
    this.process = spawn(
      process.execPath,
      [join(import.meta.dirname, 'caller-process.ts'), url, 'elsewhere', this.id],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    if (this.process.stdout === null) throw new Error('it has no output');
    createInterface(this.process.stdout).on('line', (line) => {
      this.lines.push(line);
      for (const wake of this.#wake.splice(0)) wake();
    });
  }

  async says(line: string): Promise<void> {
    while (!this.lines.includes(line)) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  async close(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }
}

async function elsewhere(url: string): Promise<Elsewhere> {
  const made = new Elsewhere(url);
  open.push(made);
  await made.says('ready');
  return made;
}

describe('a request to another node', () => {
  it('comes there as it was, and its answer comes back, whatever texts they hold', async () => {
    const { near, far } = await pair();
    const odd = `\u0000 \ud800 ü ‮ '"\\ \u{E000}`;
    const body = bytes(5_000_000);
    const answer = await near.ask(far.id, `/echo?job=%00'; DROP TABLE calls; --`, {
      method: 'POST',
      headers: { odd, __proto__x: 'y' },
      body,
      by: `token "${odd}"`,
      scope: 'admin',
    });
    expect(answer.status).toBe(200);
    expect(answer.headers).toEqual({ 'content-type': 'application/json', odd });
    expect(JSON.parse((await bytesOf(answer)).toString())).toEqual({
      method: 'POST',
      target: `/echo?job=%00'; DROP TABLE calls; --`,
      headers: { odd, __proto__x: 'y' },
      by: `token "${odd}"`,
      scope: 'admin',
      from: near.id,
      digest: digest(body),
    });
    await until(async () => (await rowsLeft(near)) === 0);
  });

  it('may have a long answer, and one of no bytes', async () => {
    const { near, far } = await pair();
    for (const size of [5_000_000, 262_144, 262_145, 1, 0]) {
      expect(digest(await bytesOf(await near.ask(far.id, `/bytes?${size}`))), `${size} bytes`).toBe(
        digest(bytes(size)),
      );
    }
    await until(async () => (await rowsLeft(near)) === 0);
  });

  it('is answered by a node in another process, 200 at once', async () => {
    const url = await server.createDatabase();
    const near = await caller(url, 'near');
    const far = await elsewhere(url);
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, number) => {
        const answer = await near.ask(far.id, `/echo?${number}`);
        return (JSON.parse((await bytesOf(answer)).toString()) as { target: string }).target;
      }),
    );
    expect(answers).toEqual(Array.from({ length: 200 }, (_, number) => `/echo?${number}`));
    expect(far.lines.filter((line) => line.startsWith('begun'))).toHaveLength(200);
    await until(async () => (await rowsLeft(near)) === 0);
  });

  it('may be made to the very node that makes it', async () => {
    const { near } = await pair();
    near.calls.serve(handler);
    expect((await bytesOf(await near.ask(near.id, '/count?3'))).toString()).toBe('1\n2\n3\n');
  });

  it('waits for a node that does not answer yet', async () => {
    const url = await server.createDatabase();
    const [near, far] = await Promise.all([caller(url, 'near'), caller(url, 'far')]);
    const asking = near.ask(far.id, '/bytes?1');
    await until(async () => (await rowsLeft(near)) === 1);
    far.calls.serve(handler);
    expect(await bytesOf(await asking)).toHaveLength(1);
  });
});

describe('a stream', () => {
  it('comes whole and in order, a piece at once when there is one', async () => {
    const { near, far } = await pair();
    let give: ((line: string) => void) | undefined;
    far.calls.serve(async () => ({
      status: 200,
      headers: {},
      body: (async function* () {
        for (let line = ''; line !== 'end';) {
          line = await new Promise<string>((resolve) => (give = resolve));
          give = undefined;
          yield Buffer.from(line);
        }
      })(),
    }));
    const pieces = (await near.ask(far.id, '/')).body[Symbol.asyncIterator]();
    for (const line of ['one', 'two', 'end']) {
      const piece = pieces.next();
      await until(() => give !== undefined);
      give?.(line);
      expect(Buffer.from((await piece).value as Uint8Array).toString()).toBe(line);
    }
    expect((await pieces.next()).done).toBe(true);
  });

  it('of very many pieces loses none and doubles none', async () => {
    const { near, far } = await pair();
    const text = (await bytesOf(await near.ask(far.id, '/count?20000'))).toString();
    expect(text).toBe(Array.from({ length: 20_000 }, (_, at) => `${at + 1}\n`).join(''));
    await until(async () => (await rowsLeft(near)) === 0);
  });

  it('is made no faster than it is read', async () => {
    const { near, far } = await pair();
    let made = 0;
    far.calls.serve(async (_, signal) => ({
      status: 200,
      headers: {},
      body: (async function* () {
        while (!signal.aborted && made < 100) {
          made += 1;
          yield new Uint8Array(256 * 1024);
        }
      })(),
    }));
    const answer = await near.ask(far.id, '/');
    const counted = async (): Promise<number> =>
      Number(
        (await near.database.query<{ rows: number }>('SELECT count(*)::int AS rows FROM answers'))[0]?.rows,
      );
    await until(async () => (await counted()) === 4);
    // Four are written, one waits for room, and the next was asked for.
    await sleep(300);
    expect(made).toBeLessThanOrEqual(6);
    expect(await counted()).toBe(4);
    expect(await bytesOf(answer)).toHaveLength(100 * 256 * 1024);
    expect(made).toBe(100);
  });
});

describe('an asker that goes away', () => {
  it('is noticed by who answers, before the answer and in the middle of it', async () => {
    const { near, far } = await pair();
    const seen: string[] = [];
    let closed = 0;
    far.calls.serve(async (request, signal) => {
      signal.addEventListener('abort', () => seen.push(request.target));
      const reply = await handler(request, signal);
      return { ...reply, close: async () => void (closed += 1) };
    });
    const early = new AbortController();
    const never = near.ask(far.id, '/never', {}, early.signal);
    await until(async () => (await rowsLeft(near)) === 1);
    early.abort();
    expect(failure(await never.catch((error: unknown) => error)).reason).toBe('given_up');
    await until(() => seen.includes('/never'));

    for await (const piece of (await near.ask(far.id, '/count?100000000')).body) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    await until(() => seen.includes('/count?100000000'));

    (await near.ask(far.id, '/count?200000000')).close();
    await until(() => seen.includes('/count?200000000'));
    await until(() => closed === 3);
    await until(async () => (await rowsLeft(near)) === 0);
    expect(far.bugs).toEqual([]);
  });

  it('is noticed when its process is killed', async () => {
    const url = await server.createDatabase();
    const near = await caller(url, 'near');
    const far = await elsewhere(url);
    const gone: string[] = [];
    near.calls.serve(async (_, signal) => {
      signal.addEventListener('abort', () => gone.push('far'));
      return {
        status: 200,
        headers: {},
        body: (async function* () {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          yield Buffer.alloc(0);
        })(),
      };
    });
    // On behalf of the other process: what it has asked for is a row of its own.
    await near.database.run(
      `INSERT INTO calls (id, from_node, to_node, request) VALUES (gen_random_uuid(), $1, $2, '{"target": "/"}')`,
      [far.id, near.id],
    );
    await near.database.run("SELECT pg_notify('tsched_call', $1)", [near.id]);
    await until(async () => (await rowsLeft(near)) === 2);
    await far.close();
    await near.database.run("UPDATE nodes SET beat_at = clock_timestamp() - interval '16 s' WHERE id = $1", [
      far.id,
    ]);
    await until(() => gone.length > 0);
    expect(gone).toEqual(['far']);
  });
});

describe('a node that does not answer', () => {
  it('is told by its name, with why', async () => {
    const { near, far } = await pair();
    const unknown = failure(await near.ask(randomUUID(), '/').catch((error: unknown) => error));
    expect(unknown).toMatchObject({ reason: 'unknown', mayBeDone: false });
    await far.fallSilent(20);
    const silent = failure(await near.ask(far.id, '/').catch((error: unknown) => error));
    expect(silent).toMatchObject({
      reason: 'silent',
      mayBeDone: false,
      message: expect.stringMatching(/^node far has not been heard of for 2\d s$/v),
    });
    await near.database.run("UPDATE nodes SET state = 'stopped' WHERE id = $1", [far.id]);
    expect(failure(await near.ask(far.id, '/').catch((error: unknown) => error)).message).toBe(
      'node far was stopped',
    );
  });

  it('makes a mistake', async () => {
    const { near, far } = await pair();
    const broken = failure(await near.ask(far.id, '/fail').catch((error: unknown) => error));
    expect(broken).toMatchObject({ reason: 'broken', mayBeDone: true });
    expect(far.bugs.map(String)).toEqual(['Error: there is no /fail']);
    far.calls.serve(async () => ({
      status: 200,
      headers: {},
      body: (async function* () {
        yield Buffer.from('one');
        throw new Error('no two');
      })(),
    }));
    const answer = await near.ask(far.id, '/');
    expect(failure(await bytesOf(answer).catch((error: unknown) => error)).reason).toBe('broken');
    await until(async () => (await rowsLeft(near)) === 0);
  });

  it('dies in the middle of its answer', async () => {
    const url = await server.createDatabase();
    const near = await caller(url, 'near');
    const far = await elsewhere(url);
    const answer = await near.ask(far.id, '/count?100000000');
    const reading = bytesOf(answer).catch((error: unknown) => error);
    await far.close();
    await near.database.run("UPDATE nodes SET beat_at = clock_timestamp() - interval '16 s' WHERE id = $1", [
      far.id,
    ]);
    const dead = failure(await reading);
    expect(dead).toMatchObject({ reason: 'silent', mayBeDone: true });
    expect(dead.message).toMatch(/^node elsewhere has not been heard of for \d+ s$/v);
    await until(async () => (await rowsLeft(near)) === 0);
  });

  it('is restarted in the middle of it, and does nothing twice', async () => {
    const url = await server.createDatabase();
    const near = await caller(url, 'near');
    const far = await Caller.open(url, 'far');
    far.calls.serve(handler);
    const asking = near.ask(far.id, '/never').catch((error: unknown) => error);
    await until(
      async () => (await near.database.query('SELECT FROM calls WHERE taken IS NOT NULL')).length === 1,
    );
    await far.die();
    const begun: string[] = [];
    const again = await Caller.open(url, 'far', far.id);
    open.push(again);
    again.calls.serve((request, signal) => {
      begun.push(request.target);
      return handler(request, signal);
    });
    expect(failure(await asking)).toMatchObject({
      reason: 'cut',
      mayBeDone: true,
      message: 'node far ended, or was restarted, before it had answered',
    });
    expect((await bytesOf(await near.ask(far.id, '/bytes?1'))).length).toBe(1);
    expect(begun).toEqual(['/bytes?1']);
  });
});
