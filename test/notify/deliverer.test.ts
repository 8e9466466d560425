import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../src/engine/ports.ts';
import type { Message } from '../../src/message.ts';
import type { RunRecord } from '../../src/model.ts';
import { Deliverer } from '../../src/notify/deliverer.ts';
import type { Digest } from '../../src/notify/digest.ts';
import type { Delivery } from '../../src/notify/sender.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';

const OK: Delivery = { kind: 'delivered' };
const REFUSED: Delivery = { kind: 'failed', message: 'refused', final: false };
const NEVER: Delivery = { kind: 'failed', message: 'no such thing', final: true };
const HOUR = 3_600_000;

function runOf(id: string, outcome?: RunRecord['outcome']): RunRecord {
  const run = { id, jobId: 'j', scheduledAt: 0, cause: 'schedule', claimedAt: 0, attempts: [] } as const;
  return outcome === undefined ? { ...run, state: 'running' } : { ...run, state: 'finished', outcome };
}

/** A deliverer on a fake clock, whose receivers answer as told. */
function rig() {
  const clock = new FakeClock(0);
  const tried: string[] = [];
  const settledIds: string[] = [];
  const events: EngineEvent[] = [];
  let answer: (message: Message | Digest) => Delivery | Promise<Delivery> = () => OK;
  const deliverer = new Deliverer({
    clock,
    send: async (message) => {
      const ids = message.kind === 'digest' ? message.messages.map(({ id }) => id) : [message.id];
      tried.push(`${clock.now() / 1000} ${ids.join('+')}`);
      return answer(message);
    },
    digestOf: () => 10,
    settle: async (ids) => void settledIds.push(...ids),
    emit: (event) => events.push(event),
  });
  return {
    clock,
    tried,
    settled: settledIds,
    deliverer,
    answers: (how: typeof answer) => (answer = how),
    events: () =>
      events.map((event) =>
        'message' in event
          ? `${event.kind} ${event.message}`
          : 'to' in event
            ? `${event.kind} ${event.to}`
            : event.kind,
      ),
    notice: (id: string, to = 'ops'): Message => ({
      kind: 'notice',
      id,
      to,
      notice: 'failure',
      jobId: 'j',
      at: clock.now(),
      timezone: 'UTC',
    }),
    ping: (id: string, run: RunRecord): Message => ({ kind: 'ping', id, jobId: 'j', at: clock.now(), run }),
  };
}

describe('the deliverer', () => {
  it('tries again ever more rarely, up to every ten minutes, in order, and tells of it once', async () => {
    const { deliverer, clock, tried, answers, notice, events, settled: gone } = rig();
    answers(() => REFUSED);
    deliverer.take([notice('a'), notice('b')]);
    await clock.advance(HOUR);
    const seconds = tried.map((each) => Number(each.split(' ')[0]));
    expect(seconds.slice(0, 13)).toEqual([0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1623, 2223]);
    expect(new Set(tried.map((each) => each.split(' ')[1]))).toEqual(new Set(['a']));
    expect(events()).toEqual(['delivery_failed refused']);
    answers(() => OK);
    await clock.advance(600_000);
    expect(gone).toEqual(['a', 'b']);
    expect(events().slice(1)).toEqual(['message_delivered ops', 'message_delivered ops']);
    expect(clock.wakeUps).toBe(seconds.length);
  });

  it('gives up after a day, loudly', async () => {
    const { deliverer, clock, answers, notice, events, settled: gone, tried } = rig();
    answers(() => REFUSED);
    deliverer.take([notice('a')]);
    await clock.advance(20 * HOUR);
    deliverer.take([notice('b')]);
    await clock.advance(5 * HOUR);
    expect(gone).toEqual(['a']);
    expect(events()).toEqual([
      'delivery_failed refused',
      'message_dropped refused; given up, it is too old now',
    ]);
    await clock.advance(48 * HOUR);
    expect(gone).toEqual(['a', 'b']);
    const before = tried.length;
    await clock.advance(48 * HOUR);
    expect(tried).toHaveLength(before);
  });

  it('does not try again what will never be taken, and goes on with the next', async () => {
    const { deliverer, clock, answers, notice, events, settled: gone } = rig();
    answers(({ id }) => (id === 'a' ? NEVER : OK));
    deliverer.take([notice('a'), notice('b')]);
    await clock.advance(0);
    expect(gone).toEqual(['a', 'b']);
    expect(events()).toEqual(['message_dropped no such thing', 'message_delivered ops']);
  });

  it('lets no receiver wait for another', async () => {
    const { deliverer, clock, answers, notice, settled: gone } = rig();
    answers((message) =>
      message.kind === 'notice' && message.to === 'slow' ? new Promise<Delivery>(() => undefined) : OK,
    );
    deliverer.take([notice('a', 'slow'), notice('b', 'slow'), notice('c')]);
    await clock.advance(0);
    expect(gone).toEqual(['c']);
  });

  it('sends to a bounded number at once, and to all in the end', async () => {
    const { deliverer, clock, answers, notice, settled: gone } = rig();
    let underWay = 0;
    let most = 0;
    const open: (() => void)[] = [];
    answers(async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise<void>((resolve) => {
        open.push(resolve);
      });
      underWay -= 1;
      return OK;
    });
    deliverer.take(Array.from({ length: 100 }, (_, n) => notice(`${n}`, `to-${n}`)));
    await clock.advance(0);
    while (open.length > 0) {
      open.shift()?.();
      await settled();
    }
    expect(most).toBe(16);
    expect(gone).toHaveLength(100);
  });

  it('bounds what waits for one receiver; the oldest go, loudly', async () => {
    const { deliverer, clock, answers, notice, events, settled: gone } = rig();
    answers(() => new Promise<Delivery>(() => undefined));
    deliverer.take([notice('under way')]);
    await clock.advance(0);
    deliverer.take(Array.from({ length: 10_001 }, (_, n) => notice(`${n}`)));
    await clock.advance(0);
    expect(gone).toEqual(['0', '1']);
    expect(events()).toEqual(Array(2).fill('message_dropped more than 10000 messages wait'));
  });

  it('makes one of those that wait when they are many, and settles each', async () => {
    const { deliverer, clock, answers, notice, tried, events, settled: gone } = rig();
    const names = Array.from({ length: 12 }, (_, n) => `${n}`);
    answers(() => REFUSED);
    deliverer.take(names.map((id) => notice(id)));
    await clock.advance(0);
    answers(() => OK);
    await clock.advance(1000);
    expect(tried).toEqual([`0 ${names.join('+')}`, `1 ${names.join('+')}`]);
    expect(gone).toEqual(names);
    expect(events()).toEqual(['delivery_failed refused', ...Array<string>(12).fill('message_delivered ops')]);
  });

  it('sends ten a minute alone, holds what follows until the minute is over, and sends that as one', async () => {
    const { deliverer, clock, notice, tried, settled: gone } = rig();
    for (let n = 0; n < 30; n += 1) {
      deliverer.take([notice(`${n}`), notice(`other ${n}`, 'other')]);
      await clock.advance(2000);
    }
    await clock.advance(60_000);
    const toOps = tried.filter((each) => !each.includes('other'));
    expect(toOps.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, n) => `${n * 2} ${n}`));
    // At a minute the first is forgotten, two seconds later the second.
    expect(toOps.slice(10)).toEqual([`60 ${Array.from({ length: 20 }, (_, n) => n + 10).join('+')}`]);
    expect(gone.filter((id) => !id.includes('other'))).toHaveLength(30);
    await clock.advance(120_000);
    deliverer.take([notice('alone')]);
    await clock.advance(0);
    expect(tried.at(-1)).toBe('240 alone');
  });

  it('drops all of one that no receiver will ever take, loudly', async () => {
    const { deliverer, clock, answers, notice, events, settled: gone } = rig();
    answers((message) => (message.kind === 'digest' ? NEVER : REFUSED));
    deliverer.take(Array.from({ length: 11 }, (_, n) => notice(`${n}`)));
    await clock.advance(1000);
    expect(gone).toHaveLength(11);
    expect(events()).toEqual(Array<string>(11).fill('message_dropped no such thing'));
  });

  it('tells a check only how its job is now: an older end gives way, a start that is late is left out', async () => {
    const { deliverer, clock, answers, ping, tried, settled: gone, events } = rig();
    const ok = { kind: 'succeeded' } as const;
    answers(() => REFUSED);
    deliverer.take([ping('start-1', runOf('1'))]);
    deliverer.take([ping('end-1', runOf('1', ok))]);
    await clock.advance(0);
    expect(tried).toEqual(['0 start-1', '0 end-1']);
    deliverer.take([ping('start-2', runOf('2')), ping('end-2', runOf('2', ok))]);
    answers(() => OK);
    await clock.advance(10_000);
    expect(tried).toEqual(['0 start-1', '0 end-1', '1 end-2']);
    expect(gone).toEqual(['end-1', 'end-2']);
    expect(events().at(-1)).toBe('message_delivered the check of j');
  });

  it('tells a check of the start before the end, however slowly it answers', async () => {
    const { deliverer, clock, answers, ping, tried } = rig();
    let open = (): void => undefined;
    answers(() => new Promise((resolve) => (open = () => resolve(OK))));
    deliverer.take([ping('start', runOf('1'))]);
    await clock.advance(0);
    deliverer.take([ping('end', runOf('1', { kind: 'succeeded' }))]);
    await clock.advance(5000);
    expect(tried).toEqual(['0 start']);
    open();
    await clock.advance(0);
    expect(tried).toEqual(['0 start', '5 end']);
  });

  it('sends nothing after its end, for which it waits a moment', async () => {
    const { deliverer, clock, answers, notice, tried, settled: gone } = rig();
    let open = (): void => undefined;
    answers(() => new Promise((resolve) => (open = () => resolve(OK))));
    deliverer.take([notice('a'), notice('b')]);
    await clock.advance(0);
    const closed = deliverer.close();
    open();
    await closed;
    expect(gone).toEqual(['a']);
    deliverer.take([notice('c')]);
    await clock.advance(HOUR);
    expect(tried).toEqual(['0 a']);
  });
});
