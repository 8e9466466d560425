import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { AttemptSpec, Posting, Store } from '../../src/engine/ports.ts';
import type { Message } from '../../src/message.ts';
import type { Expectation, JobDefinition, NotifyPolicy, RunRecord, Telling } from '../../src/model.ts';
import { Teller } from '../../src/notify/teller.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { job } from '../support/jobs.ts';
import { ScriptedExecutor, type Script } from '../support/scripted-executor.ts';

const HOUR = 3_600_000;
const OPS: NotifyPolicy = {
  failure: ['ops'],
  recovery: ['ops'],
  late: ['ops'],
  missed: ['ops'],
  success: [],
  after: 1,
};
const FAILS: Script = { lasts: 1000, outcome: { kind: 'failed', exitCode: 1 } };
const WELL: Script = { lasts: 1000 };

function telling(expect?: Expectation, notify: Partial<NotifyPolicy> = {}): Telling {
  return { notify: { ...OPS, ...notify }, ...(expect === undefined ? {} : { expect }) };
}

interface World {
  readonly clock: FakeClock;
  readonly store: Store;
  script: (spec: AttemptSpec) => Script;
}

/** A daemon's life: an engine with a teller, on a store and a clock that may be those of the one before. */
async function live(jobs: readonly JobDefinition[], world: World) {
  const { clock, store } = world;
  const delivered: Message[] = [];
  const failures: unknown[] = [];
  let ids = 0;
  const teller = new Teller({
    clock,
    store,
    newId: () => `message-${(ids += 1)}`,
    deliver: (messages) => delivered.push(...messages),
    storeFailed: (error) => failures.push(error),
  });
  const engine = new Engine(
    {
      clock,
      store,
      executor: new ScriptedExecutor(clock, (spec) => world.script(spec)),
      observer: teller,
      newRunId: () => `run-${clock.now()}-${(ids += 1)}`,
      random: () => 0.5,
    },
    { maxConcurrentRuns: Number.POSITIVE_INFINITY, bootedAt: 0 },
  );
  await teller.start(jobs);
  await engine.start(jobs);
  return {
    delivered,
    failures,
    engine,
    /** `HH:MM notice of job` */
    told: () =>
      delivered.flatMap((message) =>
        message.kind === 'notice'
          ? [`${new Date(message.at).toISOString().slice(11, 16)} ${message.notice} of ${message.jobId}`]
          : [],
      ),
    reload: async (next: readonly JobDefinition[]) => {
      teller.load(next);
      await engine.apply(next);
    },
    die: async () => {
      teller.close();
      await engine.stopNow();
    },
  };
}

function world(script: (spec: AttemptSpec) => Script = () => WELL): World {
  return { clock: new FakeClock('2026-01-01T00:00:00Z'), store: new MemoryStore(), script };
}

describe('the teller', () => {
  it('tells once of twenty failures and once of the recovery, with what there is to know', async () => {
    const around = world(() => FAILS);
    const { clock } = around;
    const life = await live([job('a', { every: 60_000, telling: telling(), description: 'A job' })], around);
    await clock.advance(20 * 60_000 + 30_000);
    around.script = () => WELL;
    await clock.advance(5 * 60_000);
    expect(life.told()).toEqual(['00:01 failure of a', '00:21 recovery of a']);
    expect(life.delivered[0]).toMatchObject({
      to: 'ops',
      timezone: 'UTC',
      description: 'A job',
      failures: 1,
      run: {
        outcome: { kind: 'failed', exitCode: 1 },
        state: 'finished',
        scheduledAt: Date.parse('2026-01-01T00:01Z'),
      },
    });
    expect(life.delivered[1]).toMatchObject({
      failures: 20,
      failingSince: Date.parse('2026-01-01T00:01:01Z'),
    });
    expect(life.failures).toEqual([]);
  });

  it('knows after a restart what was told before it', async () => {
    const around = world(() => FAILS);
    const jobs = [job('a', { every: 60_000, telling: telling(undefined, { after: 3 }) })];
    const first = await live(jobs, around);
    await around.clock.advance(2 * 60_000 + 30_000);
    await first.die();
    const second = await live(jobs, around);
    await around.clock.advance(60_000);
    expect(first.told()).toEqual([]);
    expect(second.told()).toEqual(['00:03 failure of a']);
    await second.die();
    around.script = () => WELL;
    const third = await live(jobs, around);
    await around.clock.advance(60_000);
    // The message of the life before was not settled: it is delivered again, by its id.
    expect(third.delivered.map(({ id }) => id)[0]).toBe(second.delivered[0]?.id);
    expect(third.told()).toEqual(['00:03 failure of a', '00:04 recovery of a']);
  });

  it('delivers nothing before it is kept, together with the end of the run', async () => {
    const around = world(() => FAILS);
    const kept = Promise.withResolvers<void>();
    const order: string[] = [];
    class Slow extends MemoryStore {
      override save(run: RunRecord): Promise<void> {
        order.push(`save ${run.state}`);
        return super.save(run);
      }
      override post({ messages }: Posting): Promise<void> {
        order.push(`post ${messages.length}`);
        return kept.promise;
      }
    }
    const store = new Slow();
    const life = await live([job('a', { every: 60_000, telling: telling() })], {
      ...around,
      store,
      script: () => FAILS,
    });
    await around.clock.advance(62_000);
    expect(order.slice(-2)).toEqual(['save finished', 'post 1']);
    expect(life.delivered).toEqual([]);
    kept.resolve();
    await around.clock.advance(0);
    expect(life.told()).toEqual(['00:01 failure of a']);
  });

  it('writes nothing for runs that succeed as the ones before them', async () => {
    const around = world();
    let posts = 0;
    class Counting extends MemoryStore {
      override post(posting: Posting): Promise<void> {
        posts += 1;
        return super.post(posting);
      }
    }
    const store = new Counting();
    const jobs = [job('a', { every: 60_000, telling: telling() }), job('b', { every: 60_000 })];
    await live(jobs, { ...around, store });
    await around.clock.advance(10 * 60_000);
    expect(posts).toBe(0);
  });

  it('tells of slots that were missed while nobody ran, and of a job that runs into itself once', async () => {
    const around = world((spec) => ({ lasts: spec.jobId === 'slow' ? 90_000 : 1000 }));
    const jobs = ['quick', 'slow'].map((id) => job(id, { every: 60_000, telling: telling() }));
    const first = await live(jobs, around);
    await around.clock.advance(10 * 60_000 + 30_000);
    expect(first.told()).toEqual(['00:02 missed of slow']);
    await first.die();
    around.clock.step(2 * HOUR);
    const second = await live(jobs, around);
    await around.clock.advance(0);
    const missed = second.delivered.find(({ jobId }) => jobId === 'quick');
    expect(missed).toMatchObject({ notice: 'missed', skip: { reason: 'misfire', count: 119 } });
  });

  it('tells of a run that takes too long while it still runs, and of its end', async () => {
    const around = world(() => ({ lasts: 50 * 60_000 }));
    const life = await live([job('a', { every: HOUR, telling: telling({ duration: 30 * 60_000 }) })], around);
    await around.clock.advance(HOUR + 29 * 60_000);
    expect(life.told()).toEqual([]);
    await around.clock.advance(60_000);
    expect(life.told()).toEqual(['01:30 late of a']);
    expect(life.delivered[0]).toMatchObject({ late: { what: 'duration' }, run: { state: 'running' } });
    await around.clock.advance(30 * 60_000);
    expect(life.told()).toEqual(['01:30 late of a', '01:50 recovery of a']);
  });

  it('tells of silence, once, also when it began under an earlier daemon; a pause is none', async () => {
    const around = world(() => FAILS);
    const jobs = [
      job('a', { cron: '0 0 1 2 *', telling: telling({ every: 25 * HOUR }) }),
      job('b', { every: 24 * HOUR, telling: telling({ every: 25 * HOUR }, { failure: [] }) }),
    ];
    const first = await live(jobs, around);
    await around.clock.advance(20 * HOUR);
    await first.engine.pause('a', { since: around.clock.now(), until: around.clock.now() + 10 * HOUR });
    expect(first.told()).toEqual([]);
    await first.die();
    around.clock.step(4 * HOUR);
    const second = await live(jobs, around);
    await around.clock.advance(72 * HOUR);
    // a: 25 hours from the end of its pause; b: its runs fail, from where it became known.
    expect(second.told()).toEqual(['01:00 late of b', '07:00 late of a']);
  });

  it('tells of a morning at which the night has not succeeded; each new expectation counts from now', async () => {
    const around = world(() => FAILS);
    const nightly = job('a', {
      cron: '0 2 * * *',
      telling: telling({ finishedBy: '06:00' }, { failure: [] }),
    });
    const life = await live(
      [job('a', { cron: '0 2 * * *', telling: telling(undefined, { failure: [] }) })],
      around,
    );
    await around.clock.advance(30 * HOUR);
    await life.reload([nightly]);
    await around.clock.advance(23 * HOUR); // the 06:00 of the day after: not known for a whole day then
    expect(life.told()).toEqual([]);
    await around.clock.advance(25 * HOUR);
    expect(life.told()).toEqual(['06:00 late of a']);
    around.script = () => WELL;
    await around.clock.advance(48 * HOUR);
    expect(life.told()).toEqual(['06:00 late of a', '02:00 recovery of a']);
  });

  it('has no timer while nothing is expected', async () => {
    const around = world();
    await live([job('a', { cron: '0 0 1 1 *', telling: telling() })], around);
    const plain = world();
    await live([job('a', { cron: '0 0 1 1 *' })], plain);
    for (const { clock } of [around, plain]) await clock.advance(HOUR);
    expect(around.clock.wakeUps).toBe(plain.clock.wakeUps);
  });

  it('forgets jobs that leave, and lets those that stay tell by their new definition', async () => {
    const around = world(() => FAILS);
    const life = await live(
      ['a', 'b'].map((id) => job(id, { every: 60_000, telling: telling() })),
      around,
    );
    await around.clock.advance(65_000);
    await life.reload([job('b', { every: 60_000, telling: telling(undefined, { recovery: ['dev'] }) })]);
    expect([...(await around.store.told()).keys()]).toEqual(['b']);
    around.script = () => WELL;
    await around.clock.advance(60_000);
    expect(life.delivered.at(-1)).toMatchObject({ to: 'dev', notice: 'recovery' });
  });

  it('pings the check of each run: start and end', async () => {
    const around = world(() => FAILS);
    const ping = { url: 'https://hc.example.com/x', start: true, output: true };
    const quiet = { ...ping, start: false };
    const nobody = telling(undefined, { failure: [], recovery: [], late: [] });
    const jobs = [
      job('a', { every: 60_000, telling: { ...nobody, ping } }),
      job('b', { every: 60_000, telling: { ...nobody, ping: quiet } }),
    ];
    const life = await live(jobs, around);
    await around.clock.advance(65_000);
    const pings = life.delivered.map(
      (message) => `${message.jobId} ${message.run?.outcome?.kind ?? 'starts'}`,
    );
    expect(pings.sort()).toEqual(['a failed', 'a starts', 'b failed']);
    // Ends are kept until they are told, starts are not; no address is written down.
    const kept = await around.store.messages();
    expect(kept).toHaveLength(2);
    expect(JSON.stringify(kept)).not.toContain('hc.example.com');
  });
});
