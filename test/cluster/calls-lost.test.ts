/** Calls while the database, or the way to it, fails. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { bytesOf, Caller, digest, failure, handler, rowsLeft, until } from './callers.ts';

let server: Postgres;
const open: Caller[] = [];

beforeAll(async () => (server = await startPostgres()));
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});
afterAll(() => server.stop());

async function pair(): Promise<{ url: string; near: Caller; far: Caller }> {
  const url = await server.createDatabase();
  const [near, far] = await Promise.all([Caller.open(url, 'near'), Caller.open(url, 'far')]);
  open.push(near, far);
  far.calls.serve(handler);
  return { url, near, far };
}

describe('a database', () => {
  it('that is restarted cuts no call, and loses no piece of an answer', async () => {
    const { near, far } = await pair();
    let go: (() => void) | undefined;
    far.calls.serve(async (request, signal) => {
      if (request.target !== '/wait') return handler(request, signal);
      await new Promise<void>((resolve) => (go = resolve));
      return { status: 200, headers: {}, body: Buffer.from('waited') };
    });
    const waiting = near.ask(far.id, '/wait');
    const answer = await near.ask(far.id, '/count?400000');
    const reading = bytesOf(answer);
    await until(() => go !== undefined);
    await server.halt();
    go?.();
    await server.start();
    expect((await bytesOf(await waiting)).toString()).toBe('waited');
    const text = (await reading).toString();
    expect(text.length).toBe(2_688_895);
    expect(digest(Buffer.from(text))).toBe(
      digest(Buffer.from(Array.from({ length: 400_000 }, (_, at) => `${at + 1}\n`).join(''))),
    );
    expect((await bytesOf(await near.ask(far.id, '/bytes?9'))).length).toBe(9);
    await until(async () => (await rowsLeft(near)) === 0);
    expect([...near.bugs, ...far.bugs]).toEqual([]);
  });

  it('may lose any word and any answer: nothing is done twice, nor told twice', async () => {
    const { near, far } = await pair();
    const seed = Math.floor(Math.random() * 2 ** 31);
    console.log(`seed ${seed}`);
    let state = seed;
    near.loses = far.loses = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7f_ff_ff_ff;
      return (state >> 16) % 4 === 0;
    };
    const begun: string[] = [];
    far.calls.serve((request, signal) => {
      begun.push(request.target);
      return handler(request, signal);
    });
    const counted = Array.from({ length: 400 }, (_, at) => `${at + 1}\n`).join('');
    const asked = Array.from({ length: 30 }, (_, at) => (at % 2 === 0 ? '/count?400' : `/echo?${at}`));
    const told = await Promise.all(
      asked.map(async (target) => (await bytesOf(await near.ask(far.id, target))).toString()),
    );
    const seen = told.map((text) =>
      text.startsWith('{') ? (JSON.parse(text) as { target: string }).target : text,
    );
    expect(seen).toEqual(asked.map((target) => (target === '/count?400' ? counted : target)));
    expect(begun.sort()).toEqual(asked.toSorted());
    await until(async () => (await rowsLeft(near)) === 0);
    expect([...near.bugs, ...far.bugs]).toEqual([]);
  });

  it('may end the connection that hears, and words with it', async () => {
    const { url, near, far } = await pair();
    const deafen = () =>
      server.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'", url);
    const never = near.ask(far.id, '/never');
    await until(
      async () => (await near.database.query('SELECT FROM calls WHERE taken IS NOT NULL')).length === 1,
    );
    // An answer, and a request, of which nobody was told.
    await near.database.run(
      `INSERT INTO answers SELECT id, 0, '{"status": 200, "headers": {}}', 'late', true FROM calls`,
    );
    const untold = randomUUID();
    await near.database.run(
      `INSERT INTO calls (id, from_node, to_node, request) VALUES ($1, $2, $3, '{"target": "/bytes?7"}')`,
      [untold, near.id, far.id],
    );
    await deafen();
    expect((await bytesOf(await never)).toString()).toBe('late');
    await until(
      async () =>
        (await near.database.query('SELECT FROM answers WHERE call = $1 AND last', [untold])).length === 1,
    );
  });

  it('that crashed has forgotten calls, which is told at once', async () => {
    const { near, far } = await pair();
    const asking = near.ask(far.id, '/never').catch((error: unknown) => error);
    await until(
      async () => (await near.database.query('SELECT FROM calls WHERE taken IS NOT NULL')).length === 1,
    );
    await server.kill();
    await server.start();
    expect(failure(await asking)).toMatchObject({ reason: 'cut', mayBeDone: true });
    expect((await bytesOf(await near.ask(far.id, '/bytes?9'))).length).toBe(9);
  });
});
