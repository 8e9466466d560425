/** A daemon that is stopped and started again while the hour of a clock change lasts. */
import { describe, expect, it } from 'vitest';
import { account, directory, startDaemon } from '../../support/daemon.ts';
import { SteppedClock } from '../../support/faketime.ts';

describe.concurrent('a restart five minutes after Berlin changed its clocks', () => {
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
    const clock = new SteppedClock(where, from, later);
    const [middle, again, after] = [`${day}T01:01:00Z`, `${day}T01:30:00Z`, `${day}T01:40:00Z`];
    const defaults = { misfire: { run: 'all' }, run: book.line('$(date -u +%FT%TZ)') };
    const jobs = {
      half: { cron: '30 2 * * *' },
      hour: { cron: '0 2 * * *' },
      middle: { at: middle },
      // When clocks set back read 2:30 again, and the 2:30 of a gap is due.
      again: { at: again },
      after: { at: after },
      waker: clock.waker,
    };
    const file = JSON.stringify({ timezone: 'Europe/Berlin', defaults, jobs });
    const both = { jobs: file, directory: where, args: ['--drain', '1d'], env: clock.env, later };
    const first = await startDaemon(both).ready();
    expect(Date.parse(first.lines[0]?.time ?? '')).toBeLessThan(Date.parse(`${day}T01:00:00Z`));
    for (const [job, at] of inOrder({ half, hour, middle: [middle] })) {
      if (Date.parse(at) > Date.parse(middle)) continue;
      await clock.skipTo(first, at);
      await first.until(`the slot ${at} of ${job}`, () => book.executions(job)[0]);
    }
    expect(await first.stop()).toBe(0);

    clock.set(`${day}T01:05:00Z`);
    const second = await startDaemon(both).ready();
    expect(Date.parse(second.lines[0]?.time ?? '')).toBeLessThan(Date.parse(again));
    await clock.skipTo(second, again);
    await second.until('the second 2:30, or the shifted one', () => book.executions('again')[0]);
    await clock.skipTo(second, after);
    await second.until('the hour to be over', () => book.executions('after')[0]);
    expect(await second.stop()).toBe(0);

    expect(book.slots('half')).toEqual(half);
    expect(book.slots('hour')).toEqual(hour);
    for (const mark of ['middle', 'again', 'after']) expect(book.slots(mark)).toHaveLength(1);
    const early = book.executions().filter(({ slot, more }) => !(Date.parse(more) >= Date.parse(slot)));
    expect(early).toEqual([]);
  });
});

/** Each job with each of its slots, by time. */
function inOrder(slots: Readonly<Record<string, readonly string[]>>): [job: string, at: string][] {
  return Object.entries(slots)
    .flatMap(([job, all]) => all.map((at): [string, string] => [job, at]))
    .sort(([, a], [, b]) => Date.parse(a) - Date.parse(b));
}
