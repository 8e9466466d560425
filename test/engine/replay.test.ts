import { describe, expect, it } from 'vitest';
import type { JobDefinition, RunRecord } from '../../src/model.ts';
import type { Replay } from '../../src/replay.ts';
import { slotsBetween } from '../../src/schedule/replay.ts';
import { compileSchedule } from '../../src/schedule/trigger.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { rig, time, type RigOptions } from '../support/engine.ts';
import { job, type JobSketch } from '../support/jobs.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NOW = Date.parse('2026-01-02T00:30:00Z');

/** An hourly job, half an hour after midnight. */
async function hourly(sketch: JobSketch = {}, options: Partial<RigOptions> = {}) {
  const definition = job('a', { every: HOUR, ...sketch });
  const desk = rig({ clock: new FakeClock(NOW), script: () => ({ lasts: 10 * MINUTE }), ...options });
  await desk.engine.start([definition, job('b', { cron: '45 * * * *' })]);
  return { ...desk, definition };
}

/** Writes down what a store that records all of a turn of the loop in one batch would record together. */
class BatchingStore extends MemoryStore {
  readonly batches: string[][] = [];
  #open: string[] | undefined;

  override claim(...[runs, skips, undecided]: Parameters<MemoryStore['claim']>) {
    for (const { scheduledAt } of runs) this.#note(`claim ${time(scheduledAt)}`);
    return super.claim(runs, skips, undecided);
  }

  override save(run: RunRecord) {
    this.#note(run.outcome === undefined ? 'save' : 'end');
    return super.save(run);
  }

  override setReplay(...[replay, slots]: Parameters<MemoryStore['setReplay']>) {
    this.#note(`begun ${replay.begun}, over ${replay.succeeded + replay.failed}`);
    return super.setReplay(replay, slots);
  }

  #note(entry: string): void {
    if (this.#open === undefined) {
      this.#open = [];
      this.batches.push(this.#open);
      queueMicrotask(() => (this.#open = undefined));
    }
    this.#open.push(entry);
  }
}

async function begin(
  { engine, definition }: { engine: ReturnType<typeof rig>['engine']; definition: JobDefinition },
  hours: readonly [number, number],
  more: Partial<Pick<Replay, 'order' | 'parallel'>> = {},
): Promise<Replay> {
  const [from, to] = hours.map((hour) => Date.parse('2026-01-01T00:00:00Z') + hour * HOUR) as [
    number,
    number,
  ];
  const slots = slotsBetween(compileSchedule(definition.schedule, 'a'), { from, to }) ?? [];
  const { order = 'oldest', parallel = 1 } = more;
  if (order === 'newest') slots.reverse();
  return engine.replays.begin({ jobId: 'a', from, to, order, parallel, missingOnly: false, slots });
}

describe('a replay', () => {
  it('runs its slots one after another, with their scheduled times and its cause', async () => {
    const desk = await hourly();
    const replay = await begin(desk, [1, 3]);
    await desk.clock.advance(25 * MINUTE);
    expect(
      desk.executor.starts.map(({ spec, at }) => [time(spec.scheduledAt), spec.cause, time(at)]),
    ).toEqual([
      ['01:00:00', 'replay', '00:30:00'],
      ['02:00:00', 'replay', '00:40:00'],
      ['00:45:00', 'schedule', '00:45:00'],
      ['03:00:00', 'replay', '00:50:00'],
    ]);
    expect(desk.engine.replays.list()).toMatchObject([
      { replay: { begun: 3, succeeded: 2 }, waitsFor: undefined },
    ]);
    await desk.clock.advance(10 * MINUTE);
    expect(desk.engine.replays.list()).toMatchObject([
      { replay: { id: replay.id, state: 'finished', succeeded: 3, failed: 0 } },
    ]);
    expect(desk.kinds().filter((kind) => kind.startsWith('replay'))).toEqual([
      'replay_begun',
      'replay_ended',
    ]);
    expect(await desk.store.replays()).toMatchObject([{ replay: { state: 'finished' }, slots: [] }]);
  });

  it('begins with the newest when asked to', async () => {
    const desk = await hourly();
    await begin(desk, [1, 3], { order: 'newest' });
    await desk.clock.advance(25 * MINUTE);
    expect(desk.slots('a')).toEqual(['03:00:00', '02:00:00', '01:00:00']);
  });

  it('goes on after slots that fail, and counts them', async () => {
    const outcome = { kind: 'failed', exitCode: 1 } as const;
    const desk = await hourly(
      {},
      {
        script: ({ scheduledAt }) => ({
          lasts: MINUTE,
          ...(time(scheduledAt) === '02:00:00' && { outcome }),
        }),
      },
    );
    await begin(desk, [1, 3]);
    await desk.clock.advance(5 * MINUTE);
    expect(desk.engine.replays.list()).toMatchObject([
      { replay: { state: 'finished', succeeded: 2, failed: 1 } },
    ]);
  });

  it('lets a slot that falls due go before the rest, after the run that is active', async () => {
    const desk = await hourly({}, { script: () => ({ lasts: 25 * MINUTE }) });
    await begin(desk, [1, 3]);
    await desk.clock.advance(2 * HOUR);
    expect(
      desk.executor.starts
        .filter(({ spec }) => spec.jobId === 'a')
        .map(({ spec, at }) => [time(spec.scheduledAt), spec.cause, time(at)]),
    ).toEqual([
      ['01:00:00', 'replay', '00:30:00'],
      ['02:00:00', 'replay', '00:55:00'],
      ['01:00:00', 'schedule', '01:20:00'],
      ['03:00:00', 'replay', '01:45:00'],
      ['02:00:00', 'schedule', '02:10:00'],
    ]);
    expect(desk.skips()).toEqual([]);
  });

  it('of several slots that fall due meanwhile, the newest goes on', async () => {
    const desk = await hourly({}, { script: () => ({ lasts: 100 * MINUTE }) });
    await begin(desk, [1, 1]);
    await desk.clock.advance(2 * HOUR);
    expect(desk.started().filter((line) => line.startsWith('a'))).toEqual(['a 00:30:00', 'a 02:10:00']);
    expect(desk.skips().filter((line) => line.startsWith('a'))).toEqual([
      'a 01:00:00–01:00:00 1 overlap'.replace('–01:00:00', ''),
    ]);
  });

  it('runs several at once where the job may', async () => {
    const desk = await hourly(
      { policy: { overlap: 'allow', maxInstances: 3 } },
      { script: () => ({ lasts: 50 * MINUTE }) },
    );
    await begin(desk, [1, 5], { parallel: 2 });
    await desk.clock.advance(2 * HOUR);
    expect(
      desk.executor.starts
        .filter(({ spec }) => spec.jobId === 'a')
        .map(({ spec, at }) => `${spec.cause} ${time(at)}`),
    ).toEqual([
      'replay 00:30:00',
      'replay 00:30:00',
      'schedule 01:00:00',
      'replay 01:20:00',
      'replay 01:20:00',
      'schedule 02:00:00',
      'replay 02:10:00',
    ]);
  });

  it('never leaves a slot that is due out for want of room', async () => {
    const desk = await hourly(
      { policy: { overlap: 'allow', maxInstances: 1 } },
      { script: () => ({ lasts: 45 * MINUTE }) },
    );
    await begin(desk, [1, 2]);
    await desk.clock.advance(100 * MINUTE);
    expect(desk.skips()).toEqual([]);
  });

  it('waits while its job is paused, and goes on when the pause ends by itself', async () => {
    const desk = await hourly();
    await desk.engine.pause('a', { since: NOW, until: NOW + 5 * MINUTE });
    await begin(desk, [1, 1]);
    await desk.clock.advance(4 * MINUTE);
    expect(desk.engine.replays.list()).toMatchObject([{ waitsFor: 'paused', replay: { begun: 0 } }]);
    await desk.clock.advance(2 * MINUTE);
    expect(desk.started()).toEqual(['a 00:35:00']);
  });

  it('waits for runs by hand, and for the bound on all runs behind all others', async () => {
    const desk = await hourly({}, { settings: { maxConcurrentRuns: 1 } });
    desk.engine.runNow('a');
    await settled();
    await begin(desk, [1, 1]);
    expect(desk.engine.replays.list()).toMatchObject([{ waitsFor: 'turn' }]);
    await desk.clock.advance(11 * MINUTE);
    expect(desk.started()).toEqual(['a 00:30:00', 'a 00:40:00']);
  });

  it('is cancelled with its active run, and starts nothing more', async () => {
    const desk = await hourly();
    const { id } = await begin(desk, [1, 3]);
    await desk.clock.advance(MINUTE);
    expect(desk.engine.replays.cancel(id)).toMatchObject({ state: 'cancelled', begun: 1 });
    expect(desk.engine.replays.cancel(id)).toBeUndefined();
    await desk.clock.advance(20 * MINUTE);
    expect(desk.started().filter((line) => line.startsWith('a'))).toEqual(['a 00:30:00']);
    expect(desk.engine.replays.list()).toMatchObject([{ replay: { state: 'cancelled', failed: 1 } }]);
  });

  it('waits while its job is not loaded, and goes on when it comes back', async () => {
    const desk = await hourly();
    await begin(desk, [1, 2]);
    await desk.engine.apply([job('b', { cron: '45 * * * *' })]);
    await desk.clock.advance(12 * MINUTE);
    expect(desk.engine.replays.list()).toMatchObject([
      { waitsFor: 'not_loaded', replay: { begun: 1, succeeded: 1 } },
    ]);
    await desk.engine.apply([desk.definition]);
    await settled();
    expect(desk.slots('a')).toEqual(['01:00:00', '02:00:00']);
  });

  it('lets none of its followers run, but whoever needs the slot that it repairs', async () => {
    const outcome = { kind: 'failed', exitCode: 1 } as const;
    const fails = (cause: string): boolean => cause === 'schedule';
    const desk = rig({
      clock: new FakeClock(NOW),
      script: ({ jobId, cause }) => ({ lasts: MINUTE, ...(jobId === 'a' && fails(cause) && { outcome }) }),
    });
    const definition = job('a', { every: HOUR });
    await desk.engine.start([
      definition,
      job('after', { after: { jobs: ['a'], on: 'finish' } }),
      job('needs', { cron: '10 * * * *', needs: { jobs: ['a'], timeout: 20 * MINUTE, failed: 'skip' } }),
    ]);
    await desk.clock.advanceTo('2026-01-02T01:15:00Z');
    expect(desk.started()).toEqual(['a 01:00:00', 'after 01:01:00']);
    await begin({ ...desk, definition }, [25, 25]);
    await desk.clock.advance(5 * MINUTE);
    expect(desk.started().slice(2)).toEqual(['a 01:15:00', 'needs 01:16:00']);
  });

  it('is recorded together with the claim of each slot, and with the end of each run', async () => {
    const store = new BatchingStore();
    const desk = await hourly({}, { store, script: () => ({ lasts: MINUTE }) });
    await begin(desk, [1, 3]);
    await desk.clock.advance(5 * MINUTE);
    const claimed = store.batches.filter((batch) => batch.some((entry) => entry.startsWith('claim')));
    expect(claimed.map((batch) => batch.at(-1))).toEqual([
      'begun 1, over 0',
      'begun 2, over 1',
      'begun 3, over 2',
    ]);
    const ended = store.batches.filter((batch) => batch.includes('end'));
    expect(ended.map((batch) => batch.at(-1))).toEqual([
      'begun 2, over 1',
      'begun 3, over 2',
      'begun 3, over 3',
    ]);
  });

  it('is taken up by the next daemon where it was, and stands for none of the slots of its job', async () => {
    const store = new MemoryStore();
    const first = await hourly({}, { store });
    await begin(first, [1, 3]);
    await first.clock.advance(12 * MINUTE);
    expect(first.slots('a')).toEqual(['01:00:00', '02:00:00']);
    // From here on the time of the first one stands still: it is dead.
    const clock = new FakeClock(first.clock.now());
    const second = await hourly({}, { store, clock, ids: 'next' });
    await clock.advance(17 * MINUTE);
    // What was under way was never begun, as the scripted executor has it: it is begun after all.
    const starts = second.executor.starts.filter(({ spec }) => spec.jobId === 'a');
    const attempts = starts.map(({ spec }) => `${time(spec.scheduledAt)} ${spec.attempt}`);
    expect(attempts).toEqual(['02:00:00 2', '03:00:00 1']);
    await clock.advance(10 * MINUTE);
    expect(second.engine.replays.list()).toMatchObject([
      { replay: { state: 'finished', total: 3, succeeded: 3 } },
    ]);
    const places = await store.places();
    expect(places.get('a')?.from).toBe(Date.parse('2026-01-02T01:00:00Z'));
  });
});

describe('a replay of a job whose runs are in parts', () => {
  it('counts its runs, each of which has all parts, one run after another', async () => {
    const made = await hourly({ shards: 3 }, { script: () => ({ lasts: MINUTE }) });
    const { engine, clock, executor } = made;
    await begin(made, [3, 6]);
    await clock.advance(10 * MINUTE);
    const [view] = engine.replays.list();
    expect(view?.replay).toMatchObject({ state: 'finished', begun: 4, succeeded: 4, failed: 0 });
    expect(executor.starts.map(({ spec }) => `${time(spec.scheduledAt)} ${spec.shard?.index}`)).toEqual(
      ['03', '04', '05', '06'].flatMap((hour) => [0, 1, 2].map((index) => `${hour}:00:00 ${index}`)),
    );
  });
});
