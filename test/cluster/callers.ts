/** Nodes that call one another. */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Calls } from '../../src/cluster/calls.ts';
import {
  NodeUnanswered,
  type NodeAnswer,
  type NodeHandler,
  type NodeReply,
  type NodeRequest,
} from '../../src/engine/ports-calls.ts';
import type { Clock } from '../../src/engine/ports.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { DatabaseAway, openDatabase, type Database } from '../../src/postgres/database.ts';

/** What is looked at now and then is looked at more often, so that no test waits for it. */
const hasty: Clock = {
  ...systemClock,
  after: (delay, action) => systemClock.after(delay >= 5000 ? delay / 20 : delay, action),
};

/** Asks the real one, and now and then loses what it answers: nobody knows then whether it was done. */
function lossy(database: Database, loses: () => boolean): Database {
  const { url, schema } = database;
  return {
    url,
    schema,
    query: async <Row extends object>(sql: string, values?: readonly unknown[]) => {
      const rows = await database.query<Row>(sql, values);
      if (loses()) throw new DatabaseAway('the answer was lost');
      return rows;
    },
    run: (sql, values) => database.run(sql, values),
    urgent: database.urgent,
    transaction: (work) => database.transaction(work),
    listen: (channel, hear, again) => database.listen(channel, hear, again),
    hold: (key) => database.hold(key),
    release: (key) => database.release(key),
    close: () => database.close(),
  };
}

/** Until a condition holds; the test's own time is the limit. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(10);
}

/** Rows that calls have left. */
export async function rowsLeft({ database }: Caller): Promise<number> {
  const [row] = await database.query<{ rows: number }>(
    'SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM answers) AS rows',
  );
  return row?.rows ?? 0;
}

export function failure(error: unknown): NodeUnanswered {
  if (error instanceof NodeUnanswered) return error;
  throw new Error(`it did not fail as it should: ${String(error)}`, { cause: error });
}

export class Caller {
  readonly id: string;
  readonly name: string;
  readonly database: Database;
  readonly calls: Calls;
  readonly bugs: unknown[] = [];
  /** Whether an answer of the database is to be lost. */
  loses = (): boolean => false;
  #callOff: (() => void) | undefined;

  private constructor(database: Database, { id, name }: { id: string; name: string }) {
    this.id = id;
    this.name = name;
    this.database = database;
    this.calls = new Calls({
      database: lossy(database, () => this.loses()),
      clock: hasty,
      node: id,
      onBug: (error) => this.bugs.push(error),
    });
  }

  static async open(url: string, name: string, id: string = randomUUID()): Promise<Caller> {
    const caller = new Caller(await openDatabase({ url, clock: systemClock }), { id, name });
    await caller.beat();
    caller.#beatLater();
    await caller.calls.start();
    return caller;
  }

  /** As membership.ts does it, in short. */
  async beat(ago = 0): Promise<void> {
    await this.database.run(
      `INSERT INTO nodes (id, name, state, schedules, beat_at) VALUES ($1, $2, 'up', true, clock_timestamp() - make_interval(secs => $3))
       ON CONFLICT (id) DO UPDATE SET beat_at = EXCLUDED.beat_at`,
      [this.id, this.name, ago],
    );
  }

  #beatLater(): void {
    this.#callOff = systemClock.after(1000, () => {
      void this.beat().catch(() => undefined);
      this.#beatLater();
    });
  }

  /** It is not heard of any more. */
  async fallSilent(ago: number): Promise<void> {
    this.#callOff?.();
    await this.beat(ago);
  }

  ask(
    to: string,
    target: string,
    more: Partial<NodeRequest> = {},
    signal = new AbortController().signal,
  ): Promise<NodeAnswer> {
    const request = { method: 'GET', target, headers: {}, by: 'a test', scope: 'read', ...more };
    return this.calls.request(to, request, signal);
  }

  /** As if killed: it tells nobody. */
  async die(): Promise<void> {
    this.#callOff?.();
    await this.database.close();
  }

  async close(): Promise<void> {
    this.#callOff?.();
    await this.calls.close();
    await this.database.close();
  }
}

export async function bytesOf(answer: NodeAnswer): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.body) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Bytes that differ from one another, the same each time. */
export function bytes(count: number): Buffer {
  const all = Buffer.alloc(count);
  let state = 1;
  for (let at = 0; at < count; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7f_ff_ff_ff;
    all[at] = state >> 16;
  }
  return all;
}

export const digest = (all: Uint8Array): string => createHash('sha256').update(all).digest('hex');

/** `/echo` tells what came, `/bytes?5` gives so many, `/count?3` counts up to it line by line, `/never` does not answer, `/fail` makes a mistake. */
export const handler: NodeHandler = async (request, signal) => {
  const [path = '', argument = ''] = request.target.split('?');
  const reply = (body: NodeReply['body'], headers: NodeReply['headers'] = {}): NodeReply => ({
    status: 200,
    headers,
    body,
  });
  switch (path) {
    case '/echo': {
      const { body, ...rest } = request;
      const told = { ...rest, digest: body && digest(body) };
      return reply(Buffer.from(JSON.stringify(told)), {
        'content-type': 'application/json',
        odd: request.headers['odd'] ?? '',
      });
    }
    case '/bytes':
      return reply(bytes(Number(argument)));
    case '/count':
      return reply(count(Number(argument), signal));
    case '/never':
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return reply(Buffer.alloc(0));
    default:
      throw new Error(`there is no ${path}`);
  }
};

async function* count(to: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
  for (let number = 1; number <= to && !signal.aborted; number += 1) {
    yield Buffer.from(`${number}\n`);
    if (number % 100 === 0) await sleep(1);
  }
}
