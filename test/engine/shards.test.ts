/** Runs in parts: each part for itself, the whole as one. */
import { describe, expect, it } from 'vitest';
import type { AttemptSpec } from '../../src/engine/ports.ts';
import type { RunRecord } from '../../src/model.ts';
import { time } from '../support/engine.ts';
import { FAILED, job, type JobSketch } from '../support/jobs.ts';
import { DurableStore } from '../support/left.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { at, HOUR, MINUTE, pooled, runOf, SECOND, taking } from '../support/pooled.ts';
import type { Script } from '../support/scripted-executor.ts';

const RETRY = { limit: 1, delay: 10 * SECOND, backoff: 'constant', maxDelay: MINUTE, jitter: false } as const;
const START = '2026-01-01T00:01:00Z';

function parts(sketch: JobSketch = {}) {
  return job('a', { at: START, shards: 8, ...sketch });
}

/** Parts 3 and 5 fail, all others succeed. */
function twoFail({ shard }: AttemptSpec): Script {
  return shard?.index === 3 || shard?.index === 5
    ? { lasts: 10 * SECOND, outcome: FAILED }
    : { lasts: 10 * SECOND };
}

function outcomes({ shards = [] }: RunRecord): string[] {
  return shards.map(({ index, attempts, outcome }) => `${index} ${attempts.length} ${outcome?.kind}`);
}

const ALL_BUT_TWO = [
  '0 1 succeeded',
  '1 1 succeeded',
  '2 1 succeeded',
  '3 2 failed',
  '4 1 succeeded',
  '5 2 failed',
  '6 1 succeeded',
  '7 1 succeeded',
];

describe('a run in eight parts of which two fail', () => {
  it('repeats these two, and ends once, with what became of all', async () => {
    const { engine, clock, executor, history, events } = pooled({}, { script: twoFail });
    await engine.start([parts({ policy: { retry: RETRY } })]);
    await clock.advance(HOUR);

    const run = runOf(await history(), 'a');
    expect(outcomes(run)).toEqual(ALL_BUT_TWO);
    expect(run).toMatchObject({
      state: 'finished',
      attempts: [],
      finishedAt: Date.parse(at('00:01:30')),
      outcome: { kind: 'failed', hint: '2 of 8 shards: 3 exit code 1, 5 exit code 1' },
    });
    expect(executor.starts).toHaveLength(10);
    expect(
      executor.starts.slice(8).map(({ spec, at: began }) => [spec.runId, spec.attempt, time(began)]),
    ).toEqual([
      [`${run.id}.3`, 2, '00:01:20'],
      [`${run.id}.5`, 2, '00:01:20'],
    ]);
    const whole = events.filter(({ kind }) =>
      ['run_claimed', 'attempt_started', 'run_finished'].includes(kind),
    );
    expect(whole.map(({ kind }) => kind)).toEqual(['run_claimed', 'attempt_started', 'run_finished']);
  });
});

describe('the parts of a run and limits', () => {
  it('take slots of their pool one by one, beside those of other jobs', async () => {
    const { engine, clock, started, history } = pooled({});
    engine.resizePools({ database: 3 });
    await engine.start([parts(taking()), job('b', { at: START, ...taking({}, { priority: 1 }) })]);
    await clock.advance(HOUR);
    expect(started()).toEqual([
      'b 00:01:00',
      ...Array(2).fill('a 00:01:00'),
      ...Array(3).fill('a 00:01:10'),
      ...Array(3).fill('a 00:01:20'),
    ]);
    expect(runOf(await history(), 'a').outcome).toEqual({ kind: 'succeeded' });
    expect([...engine.limits()]).toMatchObject([{ used: 0, waiting: 0 }]);
  });

  it('count each for the bound on all runs, and by hand pass by it', async () => {
    const { engine, clock, started } = pooled({}, { settings: { maxConcurrentRuns: 4 } });
    await engine.start([parts()]);
    await clock.advance(HOUR);
    expect(started()).toEqual([...Array(4).fill('a 00:01:00'), ...Array(4).fill('a 00:01:10')]);
    engine.runNow('a');
    await clock.advance(MINUTE);
    expect(started().slice(8)).toEqual(Array(8).fill('a 01:00:00'));
  });

  it('wait by hand for their pool too, no longer than max_wait allows', async () => {
    const { engine, clock, history } = pooled({ a: MINUTE });
    engine.resizePools({ database: 2 });
    await engine.start([parts({ ...taking({ maxWait: 90 * SECOND }), enabled: false })]);
    engine.runNow('a');
    await clock.advance(HOUR);
    const run = runOf(await history(), 'a');
    expect(run.shards?.map(({ outcome }) => outcome?.kind)).toEqual([
      ...Array(4).fill('succeeded'),
      ...Array(4).fill('not_started'),
    ]);
    expect(run.outcome).toMatchObject({ kind: 'failed', hint: expect.stringContaining('4 of 8 shards') });
    expect([...engine.limits()]).toMatchObject([{ used: 0, waiting: 0 }]);
  });
});

describe('a run in parts as a whole', () => {
  it('is cancelled with all its parts, those that wait too', async () => {
    const { engine, clock, history, executor } = pooled({ a: HOUR });
    engine.resizePools({ database: 3 });
    await engine.start([parts(taking())]);
    await clock.advance(2 * MINUTE);
    expect(engine.active).toBe(1);
    expect(engine.cancel(runOf(await history(), 'a').id)).toBe(true);
    await clock.advance(MINUTE);
    const run = runOf(await history(), 'a');
    expect(outcomes(run).every((each) => each.endsWith('cancelled'))).toBe(true);
    expect(run).toMatchObject({ state: 'finished', outcome: { kind: 'cancelled', by: 'operator' } });
    expect(executor.starts).toHaveLength(3);
    expect(engine.active).toBe(0);
    expect([...engine.limits()]).toMatchObject([{ used: 0, waiting: 0 }]);
  });

  it('is what overlap sees: the next slot is skipped until the last part is over', async () => {
    const { engine, clock, executor, skips } = pooled(
      {},
      { script: ({ shard }) => ({ lasts: shard?.index === 7 ? 90 * SECOND : SECOND }) },
    );
    await engine.start([job('a', { cron: '* * * * *', shards: 8 })]);
    await clock.advance(3 * MINUTE + SECOND);
    expect(executor.starts).toHaveLength(16);
    expect(skips()).toEqual(['a 00:02:00 1 overlap']);
  });

  it('is what others follow: once, at the end of the last part, by what became of all', async () => {
    const { engine, clock, started } = pooled({}, { script: twoFail });
    await engine.start([
      parts(),
      job('well', { after: ['a'] }),
      job('ill', { after: { jobs: ['a'], on: 'failure' } }),
    ]);
    await clock.advance(HOUR);
    expect(started().slice(8)).toEqual(['ill 00:01:10']);
  });

  it('is repeated with those parts alone that are asked for, which keep their numbers', async () => {
    const { engine, clock, executor, history } = pooled({}, { script: twoFail });
    await engine.start([parts()]);
    await clock.advance(HOUR);
    const shards = [3, 5].map((index) => ({ index, total: 8 }));
    engine.runNow('a', { scheduledAt: Date.parse(START), shards });
    await clock.advance(HOUR);
    expect(executor.starts.slice(8).map(({ spec }) => spec.shard)).toEqual(shards);
    const again = (await history()).flatMap((row) =>
      'run' in row && row.run.cause === 'manual' ? [row.run] : [],
    );
    expect(again.map(outcomes)).toEqual([['3 1 failed', '5 1 failed']]);
  });

  it("of a slot that is another daemon's never begins", async () => {
    const store = new DurableStore();
    const clock = new FakeClock('2026-01-01T00:00:00Z');
    const first = pooled({}, { store, clock, ids: 'first' });
    const second = pooled({}, { store, clock, ids: 'second' });
    for (const { engine } of [first, second]) {
      engine.resizePools({ database: 4 });
      await engine.start([parts(taking())]);
    }
    await clock.advance(HOUR);
    expect([first, second].map(({ executor }) => executor.starts.length)).toEqual([8, 0]);
    expect(second.skips()).toEqual(['a 00:01:00 1 claimed_elsewhere']);
    expect(second.kinds()).not.toContain('run_finished');
    expect(second.engine.active).toBe(0);
    expect([...second.engine.limits()]).toMatchObject([{ used: 0, waiting: 0 }]);
  });
});

describe('a daemon that ends while parts run', () => {
  /** A daemon in the middle of it: two parts over, two retry, two run, two wait. */
  async function inTheMiddle() {
    const store = new DurableStore();
    const script = ({ shard }: AttemptSpec): Script => {
      const index = shard?.index ?? 0;
      if (index < 2) return { lasts: SECOND };
      return index < 4 ? { lasts: SECOND, outcome: FAILED } : { lasts: HOUR };
    };
    const policy = { retry: { ...RETRY, delay: 5 * MINUTE, maxDelay: HOUR } };
    const jobs = [parts(taking({}, policy))];
    const made = pooled({}, { store, script, ids: 'old' });
    made.engine.resizePools({ database: 4 });
    await made.engine.start(jobs);
    await made.clock.advance(2 * MINUTE);
    return { ...made, store, jobs };
  }

  it('leaves what the next one takes up: each part once, and the joint outcome of all', async () => {
    const { store, jobs, history: before } = await inTheMiddle();
    const states = runOf(await before(), 'a').shards?.map(({ state }) => state);
    expect(states).toEqual([
      ...Array(2).fill('finished'),
      ...Array(2).fill('retrying'),
      ...Array(2).fill('running'),
      ...Array(2).fill('waiting'),
    ]);

    const next = pooled({}, { store, start: at('00:03:00'), ids: 'new', script: () => ({ lasts: SECOND }) });
    next.executor.found = ({ shard }) =>
      shard?.index === 4
        ? { kind: 'ended', outcome: { kind: 'succeeded' } }
        : { kind: 'ended', outcome: { kind: 'lost', message: '' } };
    next.engine.resizePools({ database: 4 });
    await next.engine.start(jobs);
    expect(next.engine.active).toBe(1);
    await next.clock.advance(HOUR);

    const run = runOf(await next.history(), 'a');
    expect(outcomes(run)).toEqual([
      '0 1 succeeded',
      '1 1 succeeded',
      '2 2 succeeded',
      '3 2 succeeded',
      '4 1 succeeded',
      '5 2 succeeded',
      '6 1 succeeded',
      '7 1 succeeded',
    ]);
    expect(run).toMatchObject({ state: 'finished', outcome: { kind: 'succeeded' } });
    expect(next.executor.starts.map(({ spec }) => spec.shard?.index ?? -1).toSorted((a, b) => a - b)).toEqual(
      [2, 3, 5, 6, 7],
    );
    expect(next.kinds().filter((kind) => kind === 'run_finished')).toHaveLength(1);
    expect([...next.engine.limits()]).toMatchObject([{ used: 0, waiting: 0 }]);
  });

  it('by its stop waits for those that run, and leaves the others', async () => {
    const { engine, clock, history } = await inTheMiddle();
    let stopped = false;
    void engine.stop({ drain: 2 * HOUR }).then(() => (stopped = true));
    await clock.advance(30 * MINUTE);
    expect(stopped).toBe(false);
    await clock.advance(HOUR);
    expect(stopped).toBe(true);
    expect(runOf(await history(), 'a').shards?.map(({ state }) => state)).toEqual([
      ...Array(2).fill('finished'),
      ...Array(2).fill('retrying'),
      ...Array(2).fill('finished'),
      ...Array(2).fill('waiting'),
    ]);
  });

  it('without a store for the next one cancels what does not run, and waits for what does', async () => {
    const script = ({ shard }: AttemptSpec): Script => ({ lasts: shard?.index === 0 ? HOUR : 2 * HOUR });
    const { engine, clock, history } = pooled({}, { script });
    engine.resizePools({ database: 2 });
    await engine.start([parts(taking())]);
    await clock.advance(2 * MINUTE);
    let stopped = false;
    void engine.stop({ drain: 10 * HOUR }).then(() => (stopped = true));
    await clock.advance(3 * HOUR);
    expect(stopped).toBe(true);
    expect(outcomes(runOf(await history(), 'a'))).toEqual([
      '0 1 succeeded',
      '1 1 succeeded',
      ...[2, 3, 4, 5, 6, 7].map((index) => `${index} 0 cancelled`),
    ]);
  });
});
