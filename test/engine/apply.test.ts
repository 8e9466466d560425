import { describe, expect, it } from 'vitest';
import { compileSchedule } from '../../src/schedule/trigger.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { rig } from '../support/engine.ts';
import { job } from '../support/jobs.ts';
import type { JobDefinition } from '../../src/model.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function loaded(jobs: readonly JobDefinition[], options: Parameters<typeof rig>[0] = {}) {
  const made = rig(options);
  const apply = async (next: readonly JobDefinition[]) => {
    const applied = made.engine.apply(next);
    await made.clock.advance(0);
    return await applied;
  };
  return { ...made, apply, ready: made.engine.start(jobs) };
}

describe('applying a new set', () => {
  it('says what it changed', async () => {
    const { ready, apply, events } = loaded([
      job('same', { every: HOUR }),
      job('moved', { every: HOUR }),
      job('retold', { every: HOUR }),
      job('gone', { every: HOUR }),
    ]);
    await ready;
    const summary = { added: ['new'], changed: ['moved', 'retold'], removed: ['gone'], unchanged: 1 };
    const next = [
      job('same', { every: HOUR }),
      job('moved', { every: MINUTE }),
      job('retold', { every: HOUR, description: 'x' }),
      job('new', { every: HOUR }),
    ];
    expect(await apply(next)).toEqual(summary);
    expect(events.at(-1)).toEqual({ kind: 'jobs_applied', ...summary });
  });

  it('keeps the place of unchanged jobs: a set applied every second loses and repeats nothing', async () => {
    const jobs = () => [
      job('a', { every: 7000 }),
      job('b', { cron: '*/3 * * * * *', policy: { timeout: HOUR } }),
    ];
    const { ready, apply, clock, slots } = loaded(jobs());
    await ready;
    for (let second = 0; second < 21; second += 1) {
      await clock.advance(1000);
      await apply(jobs());
    }
    expect(slots('a')).toEqual(['00:00:07', '00:00:14', '00:00:21']);
    expect(slots('b')).toHaveLength(7);
  });

  it('re-arms a changed schedule from now: no slot of the past, none lost that was due', async () => {
    const { ready, apply, clock, started, skips } = loaded([job('a', { every: HOUR })]);
    await ready;
    await clock.advance(50 * MINUTE);
    await apply([job('a', { every: 20 * MINUTE })]);
    await clock.advance(40 * MINUTE);
    expect(started()).toEqual(['a 01:00:00', 'a 01:20:00']);
    expect(skips()).toEqual([]);
  });

  it('loses and repeats no slot that comes while its job changes, at whatever moment of it', async () => {
    class TickingClock extends FakeClock {
      ticks = false;
      override now(): number {
        if (this.ticks) this.step(1);
        return super.now();
      }
    }
    for (let before = 0; before < 20; before += 1) {
      const clock = new TickingClock('2026-01-01T00:00:00Z');
      const { ready, engine, slots, skips } = loaded([job('a', { every: MINUTE })], { clock });
      await ready;
      await clock.advance(MINUTE - before);
      clock.ticks = true;
      await engine.apply([job('a', { every: MINUTE / 2 })]);
      clock.ticks = false;
      await clock.advance(1000);
      expect([slots('a'), skips()], `${before} ms before`).toEqual([['00:01:00'], []]);
    }
  });

  it('decides over a slot that is due but not looked at yet before the job changes or leaves', async () => {
    const { ready, apply, clock, slots } = loaded([job('a', { every: HOUR }), job('b', { every: HOUR })]);
    await ready;
    clock.step(HOUR);
    await apply([job('a', { every: 7 * HOUR })]);
    expect([slots('a'), slots('b')]).toEqual([['01:00:00'], ['01:00:00']]);
  });

  it('lets active runs finish under the definition they began with', async () => {
    const { ready, apply, clock, executor, engine, history } = loaded(
      [job('a', { every: HOUR }), job('b', { every: HOUR })],
      {
        script: ({ attempt }) => ({
          lasts: 10 * MINUTE,
          outcome: attempt === 1 ? { kind: 'failed', exitCode: 1 } : { kind: 'succeeded' },
        }),
      },
    );
    await ready;
    await clock.advance(HOUR + MINUTE);
    const retry = { limit: 1, delay: 1000, backoff: 'constant', maxDelay: HOUR, jitter: false } as const;
    await apply([job('a', { every: HOUR, policy: { retry } })]);
    expect([...engine.jobs()].map(({ definition, active }) => [definition.id, active.length])).toEqual([
      ['a', 1],
    ]);
    await clock.advance(30 * MINUTE);
    expect(executor.starts).toHaveLength(2);
    expect((await history()).map((row) => 'run' in row && row.run.state)).toEqual(['finished', 'finished']);
    await clock.advance(40 * MINUTE);
    expect(executor.starts.at(-1)?.spec).toMatchObject({ jobId: 'a', attempt: 2 });
  });

  it('records waiting slots of a removed job, and counts its survivors when it comes back', async () => {
    const queue = job('a', { every: MINUTE, policy: { overlap: 'queue' } });
    const { ready, apply, clock, slots, skips } = loaded([queue], { script: () => ({ lasts: 10 * MINUTE }) });
    await ready;
    await clock.advance(2 * MINUTE);
    await apply([]);
    expect(skips()).toEqual(['a 00:02:00 1 removed']);
    await clock.advance(MINUTE);
    await apply([job('a', { every: MINUTE })]);
    await clock.advance(2 * MINUTE);
    expect(slots('a')).toEqual(['00:01:00']);
    expect(skips().slice(1)).toEqual(['a 00:04:00 1 overlap', 'a 00:05:00 1 overlap']);
  });

  it('gives up the waiting slot of a job that is disabled', async () => {
    const sketch = { every: MINUTE, policy: { overlap: 'queue' } } as const;
    const { ready, apply, clock, slots, skips } = loaded([job('a', sketch)], {
      script: () => ({ lasts: 90_000 }),
    });
    await ready;
    await clock.advance(2 * MINUTE);
    await apply([job('a', { ...sketch, enabled: false })]);
    await clock.advance(10 * MINUTE);
    expect(slots('a')).toEqual(['00:01:00']);
    expect(skips()).toEqual(['a 00:02:00 1 removed']);
  });

  it('stops a job whose trigger breaks as its slot is decided, and applies the rest', async () => {
    const broken = job('broken', { every: HOUR });
    const { ready, apply, clock, engine, events } = loaded([broken]);
    await ready;
    Object.assign(compileSchedule(broken.schedule, broken.id), { next: (after: number) => after });
    const began = clock.now();
    // The slot comes between the slice's look at what is due and the job's turn in it.
    const first = {
      ...job('first', { every: HOUR }),
      get id() {
        if (clock.now() === began) clock.step(HOUR);
        return 'first';
      },
    };
    await apply([first, { ...broken, description: 'x' }, job('last', { every: HOUR })]);
    expect([...engine.jobs()].map(({ definition, state }) => [definition.id, state])).toEqual([
      ['broken', 'faulted'],
      ['first', 'enabled'],
      ['last', 'enabled'],
    ]);
    expect(events.filter(({ kind }) => kind === 'job_disabled')).toHaveLength(1);
  });

  it('does not let a job that comes back catch up the gap', async () => {
    const { ready, apply, clock, slots, skips } = loaded([job('a', { every: MINUTE })]);
    await ready;
    await clock.advance(MINUTE);
    await apply([]);
    await clock.advance(5 * MINUTE);
    await apply([job('a', { every: MINUTE })]);
    await clock.advance(MINUTE);
    expect(slots('a')).toEqual(['00:01:00', '00:07:00']);
    expect(skips()).toEqual([]);
  });

  it('gives a job the place of its new priority without moving its slot', async () => {
    const low = job('low', { every: MINUTE });
    const { ready, apply, clock, started } = loaded([
      job('mid', { every: MINUTE, policy: { priority: 1 } }),
      low,
    ]);
    await ready;
    await clock.advance(30_000);
    await apply([
      job('mid', { every: MINUTE, policy: { priority: 1 } }),
      job('low', { every: MINUTE, policy: { priority: 2 } }),
    ]);
    await clock.advance(30_000);
    expect(started()).toEqual(['low 00:01:00', 'mid 00:01:00']);
  });

  it('starts what is due between the slices of a large set', async () => {
    const many = (period: number) => Array.from({ length: 2000 }, (_, n) => job(`j${n}`, { every: period }));
    const { engine, clock, started } = rig();
    const starting = engine.start([job('tick', { every: 1000 }), ...many(HOUR)]);
    await clock.advance(0);
    await starting;
    const applied = engine.apply([...many(2 * HOUR), job('tick', { every: 1000 })]);
    clock.step(1000);
    await clock.advance(0);
    expect(started()).toEqual(['tick 00:00:01']);
    await applied;
  });

  it('leaves nothing behind after a thousand reloads', async () => {
    const { ready, apply, engine, clock } = loaded([job('a', { every: HOUR })]);
    await ready;
    for (let n = 0; n < 1000; n += 1) await apply([job(`a${n % 3}`, { every: HOUR + n })]);
    expect([...engine.jobs()]).toHaveLength(1);
    const before = clock.wakeUps;
    await clock.advance(10 * MINUTE);
    expect(clock.wakeUps - before).toBeLessThanOrEqual(21);
  });
});
