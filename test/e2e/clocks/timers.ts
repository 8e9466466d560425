/** What timers do not do by themselves: wait for months, and never ring early. */
import { describe, expect, it } from 'vitest';
import { account, directory, startDaemon } from '../../support/daemon.ts';
import { RacingClock, SteppedClock } from '../../support/faketime.ts';

/** The longest that setTimeout can wait; asked for more, it fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

describe.concurrent('timers', () => {
  it('a slot further away than the longest timer starts once, at its time', async ({
    onTestFinished: later,
  }) => {
    const where = directory(later);
    const book = account(`${where}/account`);
    const run = book.line();
    const [yearly, after] = ['2025-01-01T00:00:00Z', '2025-01-10T00:00:00Z'];
    const clock = new SteppedClock(where, '2024-11-20T00:00:00Z', later);
    const jobs = { yearly: { cron: '0 0 1 1 *', run }, after: { at: after, run }, waker: clock.waker };
    const defaults = { misfire: { run: 'latest', grace: '30d' } };
    const file = JSON.stringify({ timezone: 'UTC', defaults, jobs });
    const daemon = startDaemon({ jobs: file, directory: where, env: clock.env, later });
    await daemon.ready();
    const started = Date.parse(daemon.lines[0]?.time ?? '');
    expect(Date.parse(yearly) - started).toBeGreaterThan(LONGEST_TIMER);
    // Twice still too far away for a timer, then not.
    for (const day of ['2024-11-24', '2024-12-01', '2024-12-20'])
      await clock.skipTo(daemon, `${day}T00:00:00Z`);
    await clock.skipTo(daemon, yearly);
    await daemon.until('the slot', () => book.executions('yearly')[0]);
    await clock.skipTo(daemon, after);
    await daemon.until('the slot after it', () => book.executions('after')[0]);
    expect(await daemon.stop()).toBe(0);

    expect(book.slots('yearly')).toEqual(['2025-01-01T00:00Z']);
    const [began] = daemon.events('attempt_started', 'yearly');
    expect(Date.parse(began?.time ?? '')).toBeGreaterThanOrEqual(Date.parse(yearly));
    expect(daemon.text).not.toContain('TimeoutOverflowWarning');
  });

  it('every second of three minutes at ten times the speed: none early, none twice, none left out', async ({
    onTestFinished: later,
  }) => {
    const where = directory(later);
    const book = account(`${where}/account`);
    const run = book.line();
    const defaults = { misfire: { run: 'all', max: 1000 }, overlap: 'allow', max_instances: 1000, run };
    const jobs = { second: { cron: '* * * * * *' } };
    const clock = new RacingClock(where, '2024-06-03T12:00:00Z', 10);
    const daemon = startDaemon({
      jobs: JSON.stringify({ timezone: 'UTC', defaults, jobs }),
      directory: where,
      args: ['--drain', '1h'],
      env: clock.env,
      later,
    });
    await clock.go(daemon);
    await daemon.until('three minutes', () => book.executions().length >= 180);
    expect(await daemon.stop()).toBe(0);

    const began = book.executions('second');
    expect(began.filter(({ run, slot }) => !(decidedAt(run) >= Date.parse(slot)))).toEqual([]);
    const slots = began.map(({ slot }) => Date.parse(slot) / 1000).sort((a, b) => a - b);
    expect(daemon.events('attempt_started', 'second')).toHaveLength(slots.length);
    const [first = 0] = slots;
    expect(slots).toEqual(slots.map((_, n) => first + n));
  });
});

/** When a run was decided on, to the millisecond: its id, a UUID of version 7, begins with that. Its start is seen only later. */
function decidedAt(run: string): number {
  return Number.parseInt(run.replaceAll('-', '').slice(0, 12), 16);
}
