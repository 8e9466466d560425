/** A daemon that is stopped and started again while the hour of a clock change lasts. */
import { describe, expect, it } from 'vitest';
import { account, directory, startDaemon } from '../../support/daemon.ts';
import { RacingClock } from '../../support/faketime.ts';

describe.concurrent('a restart five minutes after Berlin changed its clocks', { timeout: 60_000 }, () => {
  it.for([
    {
      name: 'back: what ran in the first pass does not run in the second',
      day: '2024-10-27',
      from: '2024-10-26T23:58:00Z',
      half: ['2024-10-27T00:30Z'],
      hour: ['2024-10-27T00:00Z'],
    },
    {
      name: 'forward: what the gap swallowed still runs, and what it held at its end does not run again',
      day: '2024-03-31',
      from: '2024-03-31T00:50:00Z',
      half: ['2024-03-31T01:30Z'],
      hour: ['2024-03-31T01:00Z'],
    },
  ])('$name', async ({ day, from, half, hour }, { onTestFinished: later }) => {
    const where = directory(later);
    const book = account(`${where}/account`);
    const defaults = { misfire: { run: 'all' }, run: book.line() };
    const jobs = {
      half: { cron: '30 2 * * *' },
      hour: { cron: '0 2 * * *' },
      middle: { at: `${day}T01:01:00Z` },
      after: { at: `${day}T01:40:00Z` },
    };
    const file = JSON.stringify({ timezone: 'Europe/Berlin', defaults, jobs });
    const both = { jobs: file, directory: where, args: ['--drain', '1d'], later };
    const before = new RacingClock(where, from, 900);
    const first = startDaemon({ ...both, env: before.env });
    await before.go(first);
    expect(Date.parse(first.lines[0]?.time ?? '')).toBeLessThan(Date.parse(`${day}T01:00:00Z`));
    await first.until('the change to be over', () => book.executions('middle')[0]);
    expect(await first.stop()).toBe(0);

    const after = new RacingClock(where, `${day}T01:05:00Z`, 900);
    const second = startDaemon({ ...both, env: after.env });
    await after.go(second);
    expect(Date.parse(second.lines[0]?.time ?? '')).toBeLessThan(Date.parse(`${day}T01:30:00Z`));
    await second.until('the hour to be over', () => book.executions('after')[0]);
    expect(await second.stop()).toBe(0);

    expect(book.slots('half')).toEqual(half);
    expect(book.slots('hour')).toEqual(hour);
    expect(book.slots('middle')).toHaveLength(1);
  });
});
