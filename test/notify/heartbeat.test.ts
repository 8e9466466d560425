import { describe, expect, it, onTestFinished } from 'vitest';
import { Heartbeat } from '../../src/notify/heartbeat.ts';
import { until } from '../support/daemon.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { httpReceiver } from '../support/receivers.ts';

const MINUTE = 60_000;

async function beating() {
  const clock = new FakeClock(0);
  const receiver = await httpReceiver(onTestFinished);
  const failures: string[] = [];
  const state = { quietFor: 0 };
  const heartbeat = new Heartbeat({
    clock,
    url: `${receiver.url}/ping/s3cret-uuid`,
    quietFor: () => state.quietFor,
    onFailure: (message) => failures.push(message),
  });
  return {
    clock,
    receiver,
    failures,
    state,
    heartbeat,
    heard: (count: number) => until(`beat ${count}`, () => receiver.requests.length >= count),
  };
}

describe('the heartbeat', () => {
  it('is heard at once, then every minute, and only while the loop does its work', async () => {
    const { clock, receiver, state, heard, heartbeat } = await beating();
    await heard(1);
    await clock.advance(MINUTE);
    await heard(2);
    state.quietFor = 100_000;
    await clock.advance(5 * MINUTE);
    state.quietFor = 10_000;
    await clock.advance(MINUTE);
    await heard(3);
    heartbeat.close();
    await clock.advance(5 * MINUTE);
    expect(receiver.requests.map(({ path }) => path)).toEqual(Array(3).fill('/ping/s3cret-uuid'));
    expect(clock.wakeUps).toBe(7);
  });

  it('says once that it is not heard, without its address', async () => {
    const { clock, receiver, failures, heard } = await beating();
    await heard(1);
    receiver.answer = () => 503;
    for (const count of [2, 3]) {
      await clock.advance(MINUTE);
      await heard(count);
    }
    await until('the failure', () => failures.length > 0);
    expect(failures).toEqual(['it answered 503']);
  });
});
