import { describe, expect, it } from 'vitest';
import type { DayRule } from '../../src/calendar.ts';
import type { Schedule } from '../../src/model.ts';
import { rig } from '../support/engine.ts';
import { job } from '../support/jobs.ts';
import { DAY, DurableStore, HOUR, MINUTE } from '../support/left.ts';

const weekend: DayRule = { exclude: [{ name: 'weekend', weekdays: [0, 6] }], roll: 'skip' };
/** A Friday. */
const FRIDAY = '2026-01-02T00:00:00Z';
const daily = (days: DayRule = weekend) => job('a', { cron: '0 9 * * *', schedule: { days } });

/** What was left out, with the days. */
async function excluded(store: ReturnType<typeof rig>['store']): Promise<string[]> {
  const rows = await store.history({});
  return rows
    .flatMap((row) => ('skip' in row && row.skip.reason === 'excluded' ? [row.skip] : []))
    .map(({ jobId, scheduledAt, through, count }) => {
      const day = (at: number): string => new Date(at).toISOString().slice(5, 16);
      return `${jobId} ${day(scheduledAt)} ${day(through)} ${count ?? '?'}`;
    })
    .reverse();
}

describe('slots that calendars exclude', () => {
  it('are recorded as one stretch, together with the next slot', async () => {
    const { clock, engine, store, executor } = rig({ start: FRIDAY });
    const minutely = job('m', { cron: '*/30 * * * *', schedule: { days: weekend } });
    await engine.start([daily(), minutely]);
    await clock.advance(3 * DAY + 10 * HOUR);
    expect(executor.starts.filter(({ spec }) => spec.jobId === 'a')).toHaveLength(2);
    expect(await excluded(store)).toEqual(['m 01-03T00:00 01-04T23:30 96', 'a 01-03T09:00 01-04T09:00 2']);
    await engine.stop({ drain: 0 });
  });

  it('are recorded before the job changes or leaves, and not for a time when it was not there', async () => {
    const { clock, engine, store, executor } = rig({ start: '2026-01-03T12:00:00Z' });
    await engine.start([daily(), job('b', { cron: '0 * * * *', schedule: { days: weekend } })]);
    await clock.advance(DAY);
    await engine.apply([daily({ exclude: [], roll: 'skip' })]);
    await clock.advance(DAY);
    expect(executor.starts.map(({ at }) => new Date(at).toISOString())).toEqual(['2026-01-05T09:00:00.000Z']);
    expect(await excluded(store)).toEqual(['b 01-03T13:00 01-04T12:00 24', 'a 01-04T09:00 01-04T09:00 1']);
    await engine.stop({ drain: 0 });
  });

  it('are neither lost nor told twice when the daemon dies between them', async () => {
    const store = new DurableStore(1_000_000);
    const first = rig({ store, start: FRIDAY });
    await first.engine.start([daily()]);
    await first.clock.advance(DAY + 12 * HOUR);
    const second = rig({ store, start: '2026-01-06T12:00:00Z', ids: 'next' });
    await second.engine.start([daily()]);
    await second.clock.advance(MINUTE);
    const third = rig({ store, start: '2026-01-06T18:00:00Z', ids: 'third' });
    await third.engine.start([daily()]);
    await third.clock.advance(MINUTE);
    expect(await excluded(store)).toEqual(['a 01-03T09:00 01-04T09:00 2']);
    expect(second.skips()).toContain('a 09:00:00–09:00:00 2 misfire');
    expect(third.skips()).toEqual([]);
  });

  it('are those of a start of the daemon too', async () => {
    const { clock, engine, store, executor } = rig({ start: '2026-01-03T12:00:00Z' });
    await engine.start([job('s', { startup: 'daemon', schedule: { days: weekend } })]);
    await clock.advance(HOUR);
    expect(executor.starts).toEqual([]);
    expect(await excluded(store)).toEqual(['s 01-03T12:00 01-03T12:00 1']);
    await engine.stop({ drain: 0 });
  });

  it('are those of followers too, which whoever follows them hears of', async () => {
    const { clock, engine, executor, skips } = rig({ start: FRIDAY });
    const after = (id: string): Partial<Schedule> => ({
      triggers: [{ kind: 'after', jobs: [id], on: 'success', when: 'all' }],
    });
    await engine.start([
      job('a', { cron: '0 9 * * *' }),
      job('b', { schedule: { ...after('a'), days: weekend } }),
      job('c', { schedule: after('b') }),
    ]);
    await clock.advance(DAY + 12 * HOUR);
    expect(executor.starts.map(({ spec }) => spec.jobId)).toEqual(['a', 'b', 'c', 'a']);
    expect(skips()).toEqual(['b 09:00:00 1 excluded', 'c 09:00:00 1 dependency']);
  });

  it('move where they are told to, and are none then', async () => {
    const { clock, engine, store, executor } = rig({ start: FRIDAY });
    await engine.start([job('a', { cron: '0 9 * * 6', schedule: { days: { ...weekend, roll: 'next' } } })]);
    await clock.advance(7 * DAY);
    expect(executor.starts.map(({ at }) => new Date(at).toISOString())).toEqual(['2026-01-05T09:00:00.000Z']);
    expect(await excluded(store)).toEqual([]);
    await engine.stop({ drain: 0 });
  });

  it('may become others while no daemon runs, and the job keeps its place', async () => {
    const store = new DurableStore(1_000_000);
    const first = rig({ store, start: FRIDAY });
    await first.engine.start([daily()]);
    await first.clock.advance(12 * HOUR);
    const longer: DayRule = { exclude: [{ name: 'weekend', weekdays: [0, 1, 6] }], roll: 'skip' };
    const second = rig({ store, start: '2026-01-06T09:30:00Z', ids: 'next' });
    await second.engine.start([daily(longer)]);
    await second.clock.advance(MINUTE);
    expect(await excluded(store)).toEqual(['a 01-03T09:00 01-05T09:00 3']);
    expect(second.started()).toEqual(['a 09:30:00']);
  });
});
