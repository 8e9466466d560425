import { describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/model.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { rig, time, type RigOptions } from '../support/engine.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { diamond, FAILED, job, SUCCEEDED } from '../support/jobs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Each run takes a minute; the jobs named fail. */
const failing = (...ids: readonly string[]): RigOptions => ({
  script: ({ jobId }) => ({ lasts: MINUTE, outcome: ids.includes(jobId) ? FAILED : SUCCEEDED }),
});

class DurableStore extends MemoryStore {
  override readonly durable = true;

  async runs(jobId: string): Promise<readonly RunRecord[]> {
    return (await this.history({ jobId })).flatMap((row) => ('run' in row ? [row.run] : []));
  }
}

describe('jobs that follow others', () => {
  it('start at the end of what they follow, with its scheduled time and its outcomes', async () => {
    const store = new DurableStore();
    const { engine, clock, started, executor } = rig({ ...failing(), store });
    await engine.start(diamond());
    await clock.advance(2 * HOUR);
    expect(started().toSorted()).toEqual(['a 01:00:00', 'b 01:01:00', 'c 01:01:00', 'd 01:02:00']);
    expect(executor.starts.map(({ spec }) => time(spec.scheduledAt))).toEqual(Array(4).fill('01:00:00'));
    expect(executor.starts.map(({ spec }) => spec.cause)).toEqual([
      'schedule',
      ...Array(3).fill('dependency'),
    ]);
    const [run] = await store.runs('d');
    expect(run?.upstream?.toSorted((a, b) => a.jobId.localeCompare(b.jobId))).toEqual([
      { jobId: 'b', runId: expect.stringMatching('run'), outcome: 'succeeded' },
      { jobId: 'c', runId: expect.stringMatching('run'), outcome: 'succeeded' },
    ]);
  });

  /** With b failing: who runs, and who is skipped. */
  it.each([
    [{ on: 'success', when: 'all' }, 'a b c', 'd'],
    [{ on: 'success', when: 'any' }, 'a b c d', ''],
    [{ on: 'failure', when: 'all' }, 'a b c', 'd'],
    [{ on: 'failure', when: 'any' }, 'a b c d', ''],
    [{ on: 'finish', when: 'all' }, 'a b c d', ''],
    [{ on: 'finish', when: 'any' }, 'a b c d', ''],
  ] as const)('a diamond with a failing branch, %o: %s run', async (after, ran, skipped) => {
    const { engine, clock, executor, skips } = rig(failing('b'));
    await engine.start(diamond(after));
    await clock.advance(2 * HOUR);
    const jobs = executor.starts.map(({ spec }) => spec.jobId).toSorted();
    expect(jobs.join(' ')).toBe(ran);
    expect(skips()).toEqual(skipped === '' ? [] : [`${skipped} 01:00:00 1 dependency`]);
  });

  it('are skipped down the chain when its head fails, for nothing ran that they could follow', async () => {
    const { engine, clock, started, skips } = rig(failing('a'));
    await engine.start([...diamond(), job('e', { after: { jobs: ['d'], on: 'finish' } })]);
    await clock.advance(2 * HOUR);
    expect(started()).toEqual(['a 01:00:00']);
    expect(skips().toSorted()).toEqual(['b', 'c', 'd', 'e'].map((id) => `${id} 01:00:00 1 dependency`));
  });

  it('wait for the longer way, however early the shorter one is over', async () => {
    const { engine, clock, started, skips } = rig(failing());
    await engine.start([
      job('last', { after: ['a', 'three'] }),
      job('three', { after: ['two'] }),
      job('two', { after: ['a'] }),
      job('a', { cron: '0 1 * * *' }),
    ]);
    await clock.advance(2 * HOUR);
    expect(started()).toEqual(['a 01:00:00', 'two 01:01:00', 'three 01:02:00', 'last 01:03:00']);
    expect(skips()).toEqual([]);
  });

  it('join clocks where they meet, and are skipped where one of them has no slot', async () => {
    const { engine, clock, slots, skips } = rig(failing());
    await engine.start([
      job('often', { cron: '0 * * * *' }),
      job('seldom', { cron: '0 */3 * * *', schedule: { jitter: 20 * MINUTE } }),
      job('both', { after: ['often', 'seldom'] }),
      job('either', { after: { jobs: ['often', 'seldom'], when: 'any' } }),
    ]);
    await clock.advance(4 * HOUR);
    expect(slots('both')).toEqual(['03:00:00']);
    expect(slots('either')).toEqual(['01:00:00', '02:00:00', '03:00:00']);
    expect(skips()).toEqual(['both 01:00:00 1 dependency', 'both 02:00:00 1 dependency']);
  });

  it('wait through retries, and take the end that counts', async () => {
    const { engine, clock, started } = rig({
      script: ({ jobId, attempt }) => ({
        lasts: MINUTE,
        outcome: jobId === 'a' && attempt === 1 ? FAILED : SUCCEEDED,
      }),
    });
    const retry = { limit: 1, delay: MINUTE, backoff: 'constant', maxDelay: HOUR, jitter: false } as const;
    await engine.start([job('b', { after: ['a'] }), job('a', { cron: '0 1 * * *', policy: { retry } })]);
    await clock.advance(2 * HOUR);
    expect(started()).toEqual(['a 01:00:00', 'a 01:02:00', 'b 01:03:00']);
  });

  it('neither follow a cancelled run as a success nor as a failure', async () => {
    const { engine, clock, started } = rig(failing());
    const on = (kind: 'success' | 'failure' | 'finish') => job(kind, { after: { jobs: ['a'], on: kind } });
    await engine.start([job('a', { cron: '0 1 * * *' }), on('success'), on('failure'), on('finish')]);
    await clock.advance(HOUR);
    engine.cancel('run-1');
    await clock.advance(HOUR);
    expect(started()).toEqual(['a 01:00:00', 'finish 01:00:00']);
  });

  it('are skipped with the slots they follow, in the same stretches', async () => {
    const { engine, clock, skips } = rig(failing());
    await engine.start([
      job('a', { cron: '0 * * * *' }),
      job('b', { after: ['a'] }),
      job('c', { after: ['b'] }),
    ]);
    clock.step(3.5 * HOUR);
    await clock.advance(HOUR);
    expect(skips()).toEqual(
      ['a', 'b', 'c'].map((id) =>
        `${id} 01:00:00–02:00:00 2 misfire`.replace(/^([bc].*) misfire/, '$1 dependency'),
      ),
    );
  });

  it('have policies of their own: pause, overlap, disabled', async () => {
    const { engine, clock, slots, skips } = rig({
      script: ({ jobId }) => ({ lasts: jobId === 'a' ? MINUTE : 90 * MINUTE }),
    });
    await engine.start([
      job('a', { cron: '0 * * * *' }),
      job('paused', { after: ['a'] }),
      job('slow', { after: ['a'] }),
      job('queue', { after: ['a'], policy: { overlap: 'queue' } }),
      job('off', { after: ['a'], enabled: false }),
    ]);
    await engine.pause('paused', { since: clock.now() });
    await clock.advance(4 * HOUR);
    expect(slots('slow')).toEqual(['01:00:00', '03:00:00']);
    expect(slots('queue')).toEqual(['01:00:00', '02:00:00']);
    expect(slots('off')).toEqual([]);
    expect(skips().toSorted()).toEqual([
      'paused 01:00:00 1 paused',
      'paused 02:00:00 1 paused',
      'paused 03:00:00 1 paused',
      'slow 02:00:00 1 overlap',
    ]);
  });
});

describe('runs by hand', () => {
  it('are followed too, with the moment they were asked for', async () => {
    const { engine, clock, started, slots } = rig(failing());
    await engine.start(diamond());
    await clock.advance(5 * MINUTE);
    engine.runNow('a');
    await clock.advance(10 * MINUTE);
    expect(started().toSorted()).toEqual(['a 00:05:00', 'b 00:06:00', 'c 00:06:00', 'd 00:07:00']);
    expect(slots('d')).toEqual(['00:05:00']);
  });

  it('that repeat a failed one let what was skipped by it run after all, once', async () => {
    const broken = new Set(['b']);
    const { engine, clock, slots, skips, executor } = rig({
      script: ({ jobId }) => ({ lasts: MINUTE, outcome: broken.has(jobId) ? FAILED : SUCCEEDED }),
    });
    await engine.start(diamond());
    await clock.advance(90 * MINUTE);
    expect(skips()).toEqual(['d 01:00:00 1 dependency']);
    const again = { scheduledAt: Date.parse('2026-01-01T01:00:00Z') };
    engine.runNow('b', again);
    await clock.advance(5 * MINUTE);
    expect(skips()).toHaveLength(1);
    broken.clear();
    for (let n = 0; n < 2; n += 1) {
      engine.runNow('b', again);
      await clock.advance(5 * MINUTE);
    }
    expect(slots('d')).toEqual(['01:00:00']);
    expect(executor.starts.at(-1)?.spec.jobId).toBe('b');
    expect(skips()).toHaveLength(1);
  });
});

describe('a reload', () => {
  it('decides what waited for a job that is gone', async () => {
    const { engine, clock, started, skips } = rig({
      script: ({ jobId }) => ({ lasts: jobId === 'c' ? HOUR : MINUTE }),
    });
    await engine.start(diamond({ on: 'finish' }));
    await clock.advance(HOUR + 10 * MINUTE);
    await Promise.all([
      engine.apply(diamond({ on: 'finish' }).filter(({ id }) => id !== 'c')),
      clock.advance(0),
    ]);
    // Its run goes on under the definition it began with, and is waited for.
    expect(skips()).toEqual([]);
    await clock.advance(HOUR);
    expect(started().at(-1)).toBe('d 02:01:00');
  });

  it('gives up the slot of a follower that leaves while it waits', async () => {
    const { engine, clock, skips } = rig({
      script: ({ jobId }) => ({ lasts: jobId === 'c' ? HOUR : MINUTE }),
    });
    await engine.start(diamond());
    await clock.advance(HOUR + 10 * MINUTE);
    await Promise.all([engine.apply(diamond().filter(({ id }) => id !== 'd')), clock.advance(0)]);
    expect(skips()).toEqual(['d 01:00:00 1 removed']);
  });
});

describe('a daemon after another', () => {
  const script: RigOptions['script'] = ({ jobId }) => ({ lasts: { c: HOUR, d: 3 * HOUR }[jobId] ?? MINUTE });

  it('goes on with a half of a join that the one before it saw', async () => {
    const store = new DurableStore();
    const first = rig({ store, script });
    await first.engine.start(diamond());
    await first.clock.advance(HOUR + 10 * MINUTE);
    expect(first.started().toSorted()).toEqual(['a 01:00:00', 'b 01:01:00', 'c 01:01:00']);
    // It dies here, and the next one finds that c has ended meanwhile.
    const clock = new FakeClock('2026-01-01T01:15:00Z');
    const second = rig({ store, script, clock, ids: 'second' });
    second.executor.found = () => ({ kind: 'ended', outcome: SUCCEEDED });
    await second.engine.start(diamond());
    await clock.advance(0);
    expect(second.started()).toEqual(['d 01:15:00']);
    expect(second.skips()).toEqual([]);
  });

  it('does not take for absent what it has yet to catch up', async () => {
    const store = new DurableStore();
    const jobs = [
      job('d', { after: ['b', 'c'] }),
      job('c', { cron: '0 1 * * *', schedule: { jitter: 50 * MINUTE } }),
      job('b', { cron: '0 1 * * *' }),
    ];
    const first = rig({ store, script: () => ({ lasts: 5 * MINUTE }) });
    await first.engine.start(jobs);
    await first.clock.advance(HOUR + 3 * MINUTE);
    expect(first.started()).toEqual(['b 01:00:00']);
    const second = rig({ store, script, clock: new FakeClock('2026-01-01T01:10:00Z'), ids: 'second' });
    second.executor.found = () => ({ kind: 'ended', outcome: SUCCEEDED });
    await second.engine.start(jobs);
    await second.clock.advance(3 * HOUR);
    expect(second.slots('c')).toEqual(['01:00:00']);
    expect(second.slots('d')).toEqual(['01:00:00']);
    expect(second.skips()).toEqual([]);
  });

  it.each([true, false])('goes on with a follower that waited for its turn; killed: %s', async (isKilled) => {
    const store = new DurableStore();
    const clock = new FakeClock('2026-01-01T00:00:00Z');
    const jobs = [
      job('a', { cron: '0 * * * *' }),
      job('d', { after: ['a'], policy: { overlap: 'queue', onShutdown: 'leave' } }),
    ];
    const first = rig({ store, script, clock });
    await first.engine.start(jobs);
    await clock.advance(2 * HOUR + 10 * MINUTE);
    expect(first.slots('d')).toEqual(['01:00:00']);
    if (!isKilled) await Promise.all([first.engine.stop({ drain: 0 }), clock.advance(MINUTE)]);
    expect(first.skips()).toEqual([]);
    const second = rig({ store, script, clock: new FakeClock(clock.now() + MINUTE), ids: 'second' });
    second.executor.found = () => ({ kind: 'ended', outcome: SUCCEEDED });
    await second.engine.start(jobs);
    await second.clock.advance(MINUTE);
    expect(second.slots('d')).toEqual(['02:00:00']);
    expect(second.skips()).toEqual([]);
    expect((await store.runs('d')).map(({ state }) => state).toSorted()).toEqual(['finished', 'running']);
  });

  it('leaves out a follower that waited longer than its misfire policy forgives', async () => {
    const store = new DurableStore();
    const jobs = [job('a', { cron: '0 1 * * *' }), job('d', { after: ['a'] })];
    const first = rig({ store, script });
    await first.engine.start(jobs);
    await first.clock.advance(HOUR);
    await Promise.all([first.engine.stop({ drain: HOUR }), first.clock.advance(HOUR)]);
    expect(first.skips()).toEqual([]);
    const second = rig({ store, script, clock: new FakeClock('2026-01-01T05:00:00Z'), ids: 'second' });
    await second.engine.start(jobs);
    expect(second.skips()).toEqual(['d 01:00:00 1 misfire']);
    expect(second.started()).toEqual([]);
  });
});

describe('results', () => {
  it('are handed to those who follow or need their runs, within bounds, and kept with theirs', async () => {
    const long = 'x'.repeat(60_000);
    const store = new DurableStore();
    const names = Array.from({ length: 12 }, (_, index) => `many${index}`);
    const { engine, clock, executor } = rig({
      store,
      script: ({ jobId }) => ({
        lasts: MINUTE,
        outcome: { kind: 'succeeded', result: jobId.startsWith('many') ? long : [jobId] },
      }),
    });
    await engine.start([
      job('a', { cron: '0 1 * * *' }),
      job('b', { after: ['a'] }),
      job('c', { cron: '30 1 * * *', needs: { jobs: ['b'], timeout: HOUR, failed: 'skip' } }),
      ...names.map((id) => job(id, { after: ['a'] })),
      job('last', { after: names }),
    ]);
    await clock.advance(2 * HOUR);
    const told = (id: string) => executor.starts.find(({ spec }) => spec.jobId === id)?.spec.upstream ?? [];
    expect(told('a')).toEqual([]);
    expect(told('b')).toMatchObject([{ jobId: 'a', outcome: 'succeeded', result: ['a'] }]);
    expect(told('c')).toMatchObject([{ jobId: 'b', outcome: 'succeeded', result: ['b'] }]);
    expect(told('last').map(({ result }) => result !== undefined)).toEqual([
      ...Array(8).fill(true),
      ...Array(4).fill(false),
    ]);
    expect((await store.runs('last'))[0]?.upstream).toEqual(told('last'));
    expect(
      (await store.joins()).filter(({ upstream }) => upstream.some(({ result }) => result !== undefined)),
    ).toEqual([]);
  });
});
