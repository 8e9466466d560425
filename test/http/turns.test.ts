import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import type { Operator } from '../../src/engine/ports-operator.ts';
import { socketGuard } from '../../src/http/guard.ts';
import { json, route } from '../../src/http/route.ts';
import { createApiServer } from '../../src/http/server.ts';
import { Turns } from '../../src/http/turns.ts';

/** Pieces of work that fill a slice of 4 ms, where each takes 1 ms. */
const SLICE = 4;

let directory = '';
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'tsched-turns-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Time that passes by work alone. */
function workClock() {
  let at = 0;
  return { ...systemClock, monotonic: () => at, work: () => (at += 1) };
}

test('a timer that is due goes before all but a few of a hundred pieces of work', async () => {
  const clock = workClock();
  const turns = new Turns(clock);
  const done: (number | 'timer')[] = [];
  systemClock.after(1, () => done.push('timer'));
  const due = performance.now() + 2;
  while (performance.now() < due);
  const work = async (n: number): Promise<void> => {
    await turns.next();
    clock.work();
    done.push(n);
  };
  await Promise.all(Array.from({ length: 100 }, (_, n) => work(n)));
  // A slice of the turn in which they came, and one of the turn whose timers come first.
  expect(done).toContain('timer');
  expect(done.indexOf('timer')).toBeLessThanOrEqual(2 * SLICE);
  expect(done.filter((n) => n !== 'timer')).toEqual(Array.from({ length: 100 }, (_, n) => n));
});

test('work that comes while nothing else does is not put off', async () => {
  const turns = new Turns(workClock());
  expect(turns.next()).toBeUndefined();
  await Promise.resolve();
  expect(turns.next()).toBeUndefined();
});

/** A server whose every answer is a piece of work, and connections to it. */
async function serving(count: number, work: () => void): Promise<{ server: Server; sockets: Socket[] }> {
  const clock = workClock();
  const routes = [
    route({
      method: 'GET',
      path: '/work',
      scope: 'open',
      summary: 'Works',
      answers: { 200: { about: 'Done' } },
      handle: () => {
        clock.work();
        work();
        return json({});
      },
    }),
  ];
  const api = {
    node: {} as Operator,
    operator: {} as Operator,
    metrics: () => Promise.resolve(''),
    login: () => undefined,
    document: () => ({}),
  };
  const limits = { connections: 256, headers: 60_000, request: 60_000, looks: 60_000 };
  const bugs: unknown[] = [];
  const onBug = (error: unknown): void => void bugs.push(error);
  const server = createApiServer({
    api,
    routes,
    guard: socketGuard,
    elsewhere: undefined,
    clock,
    limits,
    onBug,
  });
  const path = join(directory, 'sock');
  await once(server.listen(path), 'listening');
  // Of those that the server has not taken yet, it takes one a turn: that would be slicing too, but not ours.
  const taken = new Promise<void>((resolve) => {
    let left = count;
    server.on('connection', () => void ((left -= 1) === 0 && resolve()));
  });
  const sockets = Array.from({ length: count }, () => connect(path));
  await taken;
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    expect(bugs).toEqual([]);
  });
  return { server, sockets };
}

/** Resolves when so many have come. */
function answersOf(socket: Socket, count: number): Promise<void> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += String(chunk);
      if (text.split('HTTP/1.1 200 OK').length > count) resolve();
    });
  });
}

const REQUEST = 'GET /work HTTP/1.1\r\nHost: localhost\r\n\r\n';

test.each([
  { connections: 100, each: 1 },
  { connections: 1, each: 100 },
])('of $connections times $each requests that are ready at once a turn answers few', async (asked) => {
  const perTurn = [0];
  const { sockets } = await serving(asked.connections, () => perTurn.push((perTurn.pop() ?? 0) + 1));
  let turning = true;
  const turn = (): void => {
    perTurn.push(0);
    if (turning) setImmediate(turn);
  };
  setImmediate(turn);
  const answered = sockets.map((socket) => answersOf(socket, asked.each));
  for (const socket of sockets) socket.write(REQUEST.repeat(asked.each));
  await Promise.all(answered);
  turning = false;
  expect(perTurn.reduce((sum, count) => sum + count)).toBe(100);
  // A turn is counted from somewhere within one to somewhere within the next.
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(2 * SLICE);
});

test('who goes while waiting for a turn is not worked for', async () => {
  let worked = 0;
  const { server, sockets } = await serving(100, () => (worked += 1));
  const [staying, going] = [sockets.slice(0, 20), sockets.slice(20)];
  const answers = staying.map((socket) => once(socket, 'data'));
  for (const socket of sockets) socket.write(REQUEST);
  for (const socket of going) socket.destroySoon();
  await Promise.all(answers);
  await new Promise((resolve) => {
    for (const socket of staying) socket.end();
    server.close(resolve);
  });
  // The loop learns within a few turns that they have gone.
  expect(worked).toBeLessThanOrEqual(staying.length + 4 * SLICE);
});
