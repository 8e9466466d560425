import { describe, expect, it } from 'vitest';
import type { HistoryRow } from '../../src/engine/ports.ts';
import type { JobDefinition } from '../../src/model.ts';
import { reportOf } from '../../src/simulate/report.ts';
import { simulate, type Simulation, type SimulationInput } from '../../src/simulate/simulate.ts';
import { timelines } from '../../src/simulate/timeline.ts';
import { time } from '../support/engine.ts';
import { job } from '../support/jobs.ts';

const FROM = Date.parse('2026-06-01T00:00:00Z');
const HOUR = 3_600_000;
const MINUTE = 60_000;

/** A day of these jobs; each run lasts a minute. */
function play(jobs: readonly JobDefinition[], more: Partial<SimulationInput> = {}): Promise<Simulation> {
  return simulate({
    jobs,
    from: FROM,
    to: FROM + 24 * HOUR,
    lengths: () => [MINUTE],
    assumed: 1000,
    bounds: { maxConcurrentRuns: Number.POSITIVE_INFINITY },
    pools: {},
    most: 100_000,
    ...more,
  });
}

function told(rows: readonly HistoryRow[]): string[] {
  return rows.map((row) =>
    'skip' in row
      ? `${row.skip.jobId} ${time(row.skip.scheduledAt)} ${row.skip.reason}`
      : `${row.run.jobId} ${time(row.run.scheduledAt)} ${row.run.outcome?.kind ?? row.run.state} ${row.run.attempts.length}`,
  );
}

describe('a simulation', () => {
  it('has the slots on both its ends, and runs that go on at the end', async () => {
    const { rows, to, isWhole } = await play([job('a', { cron: '0 */12 * * *' })], { lengths: () => [HOUR] });
    expect(told(rows)).toEqual(['a 00:00:00 succeeded 1', 'a 12:00:00 succeeded 1', 'a 00:00:00 running 1']);
    expect({ to, isWhole }).toEqual({ to: FROM + 24 * HOUR, isWhole: true });
  });

  it('is whole with lengths that have fractions, as those of history do', async () => {
    const fractions: Record<string, number> = { a: 0.11111, b: 0.23456, c: 0.77777, d: 0.90001 };
    const jobs = Object.keys(fractions).map((id) => job(id, { every: MINUTE }));
    const to = FROM + 3 * HOUR;
    const whole = await play(jobs, { to, lengths: (id) => [10 + (fractions[id] ?? 0)] });
    expect({ to: whole.to, isWhole: whole.isWhole }).toEqual({ to, isWhole: true });
  });

  it('takes the median of lengths, or draws them by a seed, the same for the same seed', async () => {
    const jobs = [job('a', { cron: '0 * * * *' })];
    const lengths = () => [9 * MINUTE, MINUTE, 3 * MINUTE];
    const drawn = async (seed?: number) =>
      (await play(jobs, { lengths, seed })).rows.map((row) =>
        'run' in row ? row.run.attempts[0]?.duration : 0,
      );
    expect(new Set((await drawn()).slice(0, -1))).toEqual(new Set([3 * MINUTE]));
    const first = await drawn(7);
    expect(new Set(first.slice(0, -1))).toEqual(new Set([MINUTE, 3 * MINUTE, 9 * MINUTE]));
    expect(await drawn(7)).toEqual(first);
    expect(await drawn(8)).not.toEqual(first);
  });

  it('assumes a length where history has none, and says so', async () => {
    const jobs = [job('a', { cron: '0 9 * * *' }), job('b', { cron: '0 9 * * *' })];
    const { rows, assumed } = await play(jobs, {
      lengths: (id) => (id === 'a' ? [] : [MINUTE]),
      assumed: 5000,
    });
    expect(assumed).toEqual(['a']);
    const ends = rows.map((row) => ('run' in row ? time(row.run.finishedAt ?? 0) : ''));
    expect(ends).toEqual(['09:00:05', '09:01:00']);
  });

  it('lets jobs fail that are to, with their retries, and others rest', async () => {
    const retry = { limit: 2, delay: MINUTE, backoff: 'constant', maxDelay: MINUTE, jitter: false } as const;
    const jobs = [
      job('a', { cron: '0 9 * * *', policy: { retry } }),
      job('b', { cron: '0 10 * * *' }),
      job('c', { cron: '0 11 * * *', enabled: false }),
      job('d', { startup: 'daemon' }),
    ];
    const pauses = new Map([['b', { since: FROM - HOUR }]]);
    const { rows } = await play(jobs, { failing: new Set(['a']), pauses });
    expect(told(rows)).toEqual(['a 09:00:00 failed 3', 'b 10:00:00 paused']);
  });

  it('ends early when it grows too large, or is called off', async () => {
    const jobs = [job('a', { cron: '* * * * *' })];
    const { isWhole, to, rows } = await play(jobs, { most: 100 });
    expect(isWhole).toBe(false);
    expect(rows.length).toBe(101);
    expect(to).toBeLessThan(FROM + 2 * HOUR);
    expect((await play(jobs, { goOn: () => false })).isWhole).toBe(false);
  });

  it('knows what calendars leave out up to its end', async () => {
    const days = { exclude: [{ name: 'mondays', weekdays: [1] }], roll: 'skip' } as const;
    const { rows } = await play([job('a', { cron: '0 */6 * * *', schedule: { days } })]);
    expect(told(rows)).toEqual(
      ['a 00:00:00 excluded', 'a 00:00:00 succeeded 0'].slice(0, 1).concat('a 00:00:00 running 1').sort(),
    );
  });

  it('of more jobs than are armed at once takes them all', async () => {
    const jobs = Array.from({ length: 1200 }, (_, n) => job(`j${n}`, { cron: '0 9 * * *' }));
    expect((await play(jobs)).rows).toHaveLength(1200);
  });
});

describe('the report', () => {
  it('names waits, skips, and the busiest minutes apart from one another', async () => {
    const jobs = [
      job('a', { cron: '0 9,15 * * *' }),
      job('b', { cron: '0 9 * * *' }),
      job('c', { cron: '0,5 9 * * *' }),
    ];
    const simulation = await play(jobs, { bounds: { maxConcurrentRuns: 2 }, lengths: () => [10 * MINUTE] });
    const report = reportOf(simulation, jobs);
    expect(simulation.waits.map(({ jobId, reason }) => [jobId, reason])).toEqual([['c', 'limit']]);
    expect(report.jobs).toEqual([
      { jobId: 'a', runs: 2, skipped: {}, waited: 0, longestWait: 0, busy: 20 * MINUTE },
      { jobId: 'b', runs: 1, skipped: {}, waited: 0, longestWait: 0, busy: 10 * MINUTE },
      {
        jobId: 'c',
        runs: 1,
        skipped: { overlap: 1 },
        waited: 1,
        longestWait: 10 * MINUTE,
        busy: 10 * MINUTE,
      },
    ]);
    expect(report.busiest).toEqual([{ at: FROM + 9 * HOUR, active: 2, jobs: ['a', 'b'] }]);
  });

  it('has a line for each job', async () => {
    const jobs = [job('a', { cron: '0 6 * * *' }), job('b', { every: HOUR })];
    const simulation = await play(jobs, { lengths: (id) => [id === 'a' ? 3 * HOUR : 90 * MINUTE] });
    const lines = timelines(simulation, 24);
    expect(lines.get('a')).toBe('······███···············');
    // It starts each second hour, and each other slot is one too many.
    expect(lines.get('b')).toBe('█×█×█×█×█×█×█×█×█×█×█×█×');
  });
});
