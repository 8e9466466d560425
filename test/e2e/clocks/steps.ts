/** The wall clock is set, or the host sleeps, while the daemon runs. All clocks but that one are real. */
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  account,
  directory,
  startDaemon,
  type Account,
  type Daemon,
  type Later,
} from '../../support/daemon.ts';
import { SteppedClock } from '../../support/faketime.ts';

const HOUR = 3_600_000;

interface Bench {
  readonly daemon: Daemon;
  readonly clock: SteppedClock;
  readonly book: Account;
  readonly where: string;
}

async function bench(at: string, jobs: (line: string) => object, later: Later): Promise<Bench> {
  const where = directory(later);
  const book = account(`${where}/account`);
  const clock = new SteppedClock(where, at, later);
  const file = JSON.stringify({ timezone: 'UTC', jobs: jobs(book.line('$(date -u +%FT%TZ)')) });
  const daemon = startDaemon({ jobs: file, directory: where, env: clock.env, later });
  await daemon.ready();
  return { daemon, clock, book, where };
}

/** Sets the clock and waits until the daemon says by how much it moved; gives how far that is from the truth, in whole minutes. */
async function step({ daemon, clock }: Bench, to: string): Promise<number> {
  const known = daemon.events('clock_stepped').length;
  const by = clock.set(to);
  const noticed = await daemon.until(`the step to ${to}`, () => daemon.events('clock_stepped')[known]);
  return Math.abs(Math.round((Number(noticed['byMs']) - by) / 60_000));
}

function skips({ daemon }: Bench): string[] {
  return daemon
    .events('slots_skipped')
    .map(({ job, slot, through, count, reason }) =>
      [job, slot, ...(through === undefined ? [] : ['to', through, String(count)]), reason].join(' '),
    );
}

describe.concurrent('the wall clock steps', () => {
  describe('forward', () => {
    // Nothing is due for minutes, so nothing but its own vigilance wakes the daemon.
    const jobs = (run: string): object => ({
      hourly: { cron: '0 * * * *', run },
      tens: { cron: '*/10 * * * *', misfire: { run: 'all', max: 3 }, run },
      half: { cron: '30 * * * *', misfire: { run: 'none' }, run },
      daily: { cron: '30 12 * * *', misfire: { run: 'latest', grace: '1h' }, run },
      busy: { startup: 'daemon', timeout: '10m', run: `while [ ! -e go ]; do sleep 0.1; done; ${run}` },
    });

    it.for([
      {
        name: 'by an hour',
        to: '2024-06-03T13:00:10Z',
        hourly: ['2024-06-03T13:00Z'],
        tens: ['2024-06-03T12:40Z', '2024-06-03T12:50Z', '2024-06-03T13:00Z'],
        daily: ['2024-06-03T12:30Z'],
        skipped: [
          'half 2024-06-03T12:30:00Z misfire',
          'tens 2024-06-03T12:10:00Z to 2024-06-03T12:30:00Z 3 misfire',
        ],
      },
      {
        name: 'by a day',
        to: '2024-06-04T12:00:10Z',
        hourly: ['2024-06-04T12:00Z'],
        tens: ['2024-06-04T11:40Z', '2024-06-04T11:50Z', '2024-06-04T12:00Z'],
        daily: [],
        skipped: [
          'daily 2024-06-03T12:30:00Z misfire',
          'half 2024-06-03T12:30:00Z to 2024-06-04T11:30:00Z 24 misfire',
          'hourly 2024-06-03T13:00:00Z to 2024-06-04T11:00:00Z 23 misfire',
          'tens 2024-06-03T12:10:00Z to 2024-06-04T11:30:00Z 141 misfire',
        ],
      },
      {
        name: 'by the eight hours of a suspend',
        to: '2024-06-03T20:00:10Z',
        hourly: ['2024-06-03T20:00Z'],
        tens: ['2024-06-03T19:40Z', '2024-06-03T19:50Z', '2024-06-03T20:00Z'],
        daily: [],
        skipped: [
          'daily 2024-06-03T12:30:00Z misfire',
          'half 2024-06-03T12:30:00Z to 2024-06-03T19:30:00Z 8 misfire',
          'hourly 2024-06-03T13:00:00Z to 2024-06-03T19:00:00Z 7 misfire',
          'tens 2024-06-03T12:10:00Z to 2024-06-03T19:30:00Z 45 misfire',
        ],
      },
    ])(
      '$name is downtime, noticed by itself',
      async ({ to, hourly, tens, daily, skipped }, { onTestFinished }) => {
        const here = await bench('2024-06-03T12:00:10Z', jobs, onTestFinished);
        const { daemon, book, where } = here;
        await daemon.waitFor(
          'the busy job',
          ({ event, job }) => event === 'attempt_started' && job === 'busy',
        );
        expect(await step(here, to)).toBe(0);
        await daemon.until('what is caught up', () => book.executions().length >= 1 + 3 + daily.length);

        // Far more time went by on the wall than its timeout allows, but not for the job.
        writeFileSync(`${where}/go`, '');
        const busy = await daemon.waitFor(
          'its end',
          ({ event, job }) => event === 'run_finished' && job === 'busy',
        );
        expect(busy['outcome']).toBe('succeeded');
        expect(await daemon.stop()).toBe(0);

        expect(book.slots('hourly')).toEqual(hourly);
        expect(book.slots('tens')).toEqual(tens);
        expect(book.slots('daily')).toEqual(daily);
        expect(book.slots('half')).toEqual([]);
        expect(skips(here).sort()).toEqual(skipped);
        for (const { more } of book.executions())
          expect(Date.parse(more)).toBeGreaterThanOrEqual(Date.parse(to));
      },
    );
  });

  describe('back', () => {
    // Wakes the daemon all the time, by a time-out of real time and a delay that steps do not stretch.
    const pulse = {
      startup: 'daemon',
      timeout: '1s',
      run: 'sleep 60',
      retry: { limit: 1000, delay: '200ms', backoff: 'constant', jitter: false },
    };
    const jobs = (run: string): object => ({
      tens: { cron: '*/10 * * * *', misfire: { run: 'all', max: 1000 }, run },
      every: { every: '10m', misfire: { run: 'all', max: 1000 }, run },
      pulse,
    });

    /** With a time-out pending, which wakes the daemon within a second of the step. */
    async function stepAwake(here: Bench, to: string): Promise<number> {
      const known = here.daemon.events('attempt_started', 'pulse').length;
      await here.daemon.until('a pulse', () => here.daemon.events('attempt_started', 'pulse')[known]);
      return step(here, to);
    }

    async function begin(later: Later): Promise<Bench> {
      const here = await bench('2024-06-03T12:00:10Z', jobs, later);
      const { daemon, book } = here;
      await stepAwake(here, '2024-06-03T12:09:55Z');
      await daemon.until('the slots of 12:10', () => book.executions().length === 2);
      return here;
    }

    it.for([
      { name: 'ten minutes', to: '2024-06-03T12:00:05Z', again: '2024-06-03T12:12:00Z' },
      { name: 'two hours', to: '2024-06-03T10:10:05Z', again: '2024-06-03T11:30:05Z' },
    ])('by $name: no slot again, and on from where it was', async ({ to, again }, { onTestFinished }) => {
      const here = await begin(onTestFinished);
      const { daemon, book } = here;
      expect(await stepAwake(here, to)).toBe(0);
      await stepAwake(here, again);
      await stepAwake(here, '2024-06-03T12:20:02Z');
      await daemon.until('the slots of 12:20', () => book.executions().length >= 4);
      await daemon.stop('SIGQUIT');

      expect(book.slots('tens')).toEqual(['2024-06-03T12:10Z', '2024-06-03T12:20Z']);
      expect(book.slots('every')).toEqual(['2024-06-03T12:10Z', '2024-06-03T12:20Z']);
      expect(skips(here)).toEqual([]);
    });

    it('by five hours: the new time is taken for true, and still no slot twice', async ({
      onTestFinished,
    }) => {
      const here = await begin(onTestFinished);
      const { daemon, book } = here;
      expect(await stepAwake(here, '2024-06-03T07:10:05Z')).toBe(0);
      await stepAwake(here, '2024-06-03T07:20:02Z');
      await daemon.until('the slots of 07:20', () => book.executions().length >= 4);
      await stepAwake(here, '2024-06-03T12:20:02Z');
      const all = everyTenMinutes('2024-06-03T07:20:00Z', '2024-06-03T12:20:00Z');
      await daemon.until('the slots up to 12:20', () => book.slots('tens').includes('2024-06-03T12:20Z'));
      await daemon.until('all', () => book.executions().length >= 2 * all.length);
      await daemon.stop('SIGQUIT');

      expect(book.slots('tens')).toEqual(all);
      expect(book.slots('every')).toEqual(all);
      expect(skips(here).sort()).toEqual([
        'every 2024-06-03T12:10:00Z claimed_elsewhere',
        'tens 2024-06-03T12:10:00Z claimed_elsewhere',
      ]);
    });
  });

  describe('when it was wrong at boot', () => {
    const jobs = (run: string): object => ({
      tens: { cron: '*/10 * * * *', misfire: { run: 'all', max: 3 }, run },
      seconds: { every: '1s', run },
    });

    it('from 2038: nobody waits for that', async ({ onTestFinished }) => {
      const here = await bench('2038-01-19T03:20:05Z', jobs, onTestFinished);
      const { daemon, book } = here;
      await daemon.until('a slot of 2038', () => book.slots('seconds')[0]);
      await step(here, '2024-06-03T12:01:00Z');
      await daemon.until('a slot of now', () =>
        book.slots('seconds').some((slot) => slot.startsWith('2024')),
      );
      await step(here, '2024-06-03T12:10:02Z');
      await daemon.until('the slot of 12:10', () => book.slots('tens')[0]);
      await daemon.stop();
      expect(book.slots('tens')).toEqual(['2024-06-03T12:10Z']);
    });

    it('from 1970: fifty-four years are missed in no time', async ({ onTestFinished }) => {
      const here = await bench('1970-01-01T00:00:10Z', jobs, onTestFinished);
      const { daemon, book } = here;
      await daemon.until('a slot of 1970', () => book.slots('seconds')[0]);
      await step(here, '2024-06-03T12:10:02Z');
      await daemon.until('the slot of 12:10', () => book.slots('tens').includes('2024-06-03T12:10Z'));
      const { length } = book.slots('seconds').filter((slot) => slot.startsWith('2024'));
      await daemon.until(
        'seconds of now',
        () => book.slots('seconds').filter((slot) => slot.startsWith('2024')).length > length + 1,
      );
      await daemon.stop();
      expect(book.slots('tens')).toEqual(['2024-06-03T11:50Z', '2024-06-03T12:00Z', '2024-06-03T12:10Z']);
      expect(skips(here)).toContainEqual('tens 1970-01-01T00:10:00Z to 2024-06-03T11:40:00Z null misfire');
      const slots = book.slots('seconds');
      expect(new Set(slots).size).toBe(slots.length);
    });
  });
});

function everyTenMinutes(from: string, through: string): string[] {
  const found: string[] = [];
  for (let at = Date.parse(from); at <= Date.parse(through); at += HOUR / 6)
    found.push(new Date(at).toISOString().replace(':00.000Z', 'Z'));
  return found;
}
