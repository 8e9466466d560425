/** What timers do not do by themselves: wait for months, and never ring early. */
import { describe, expect, it } from 'vitest';
import { account, directory, startDaemon } from '../../support/daemon.ts';
import { RacingClock } from '../../support/faketime.ts';

/** The longest that setTimeout can wait; asked for more, it fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

describe.concurrent('timers', { timeout: 60_000 }, () => {
  it('a slot further away than the longest timer starts once, at its time', async ({
    onTestFinished: later,
  }) => {
    const where = directory(later);
    const book = account(`${where}/account`);
    const run = book.line();
    const jobs = { yearly: { cron: '0 0 1 1 *', run }, after: { at: '2025-01-10T00:00:00Z', run } };
    const clock = new RacingClock(where, '2024-11-20T00:00:00Z', 600_000);
    // At this speed it is hours late for everything.
    const defaults = { misfire: { run: 'latest', grace: '30d' } };
    const file = JSON.stringify({ timezone: 'UTC', defaults, jobs });
    const args = ['--drain', '10000d'];
    const daemon = startDaemon({ jobs: file, directory: where, args, env: clock.env, later });
    await clock.go(daemon);
    const started = Date.parse(daemon.lines[0]?.time ?? '');
    expect(Date.parse('2025-01-01T00:00:00Z') - started).toBeGreaterThan(LONGEST_TIMER);
    await daemon.until('the slot after it', () => book.executions('after')[0]);
    expect(await daemon.stop()).toBe(0);

    expect(book.slots('yearly')).toEqual(['2025-01-01T00:00Z']);
    const [began] = daemon.events('attempt_started', 'yearly');
    expect(Date.parse(began?.time ?? '')).toBeGreaterThanOrEqual(Date.parse('2025-01-01T00:00:00Z'));
    expect(daemon.text).not.toContain('TimeoutOverflowWarning');
  });

  it('every second of three minutes at thirty times the speed: none early, none twice, none left out', async ({
    onTestFinished: later,
  }) => {
    const where = directory(later);
    const book = account(`${where}/account`);
    const run = book.line();
    const defaults = { misfire: { run: 'all', max: 1000 }, overlap: 'allow', max_instances: 1000, run };
    const jobs = { second: { cron: '* * * * * *' }, after: { at: '2024-06-03T12:03:30Z' } };
    const clock = new RacingClock(where, '2024-06-03T12:00:00Z', 30);
    const daemon = startDaemon({
      jobs: JSON.stringify({ timezone: 'UTC', defaults, jobs }),
      directory: where,
      args: ['--drain', '1h'],
      env: clock.env,
      later,
    });
    await clock.go(daemon);
    await daemon.until('12:03:30', () => book.executions('after')[0]);
    expect(await daemon.stop()).toBe(0);

    const began = daemon.events('attempt_started', 'second');
    expect(began.length).toBeGreaterThan(100);
    expect(began.filter(({ time, slot = '' }) => Date.parse(time) < Date.parse(slot))).toEqual([]);
    const slots = book
      .executions('second')
      .map(({ slot }) => Date.parse(slot) / 1000)
      .sort((a, b) => a - b);
    const [first = 0] = slots;
    expect(slots).toEqual(slots.map((_, n) => first + n));
    expect(slots.at(-1)).toBeGreaterThanOrEqual(Date.parse('2024-06-03T12:03:20Z') / 1000);
  });
});
