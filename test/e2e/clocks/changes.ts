/** The daemon through real clock changes, from slot to slot: between them, the wall clock is set forward. */
import { describe, expect, it } from 'vitest';
import { account, directory, startDaemon } from '../../support/daemon.ts';
import { SteppedClock } from '../../support/faketime.ts';

const MINUTE = 60_000;

interface Change {
  readonly name: string;
  readonly from: string;
  /** The first of the changes. */
  readonly change: string;
  readonly until: string;
  /** Zone, expression, expected slots after `from` and up to `until`; `dst` rule last. By hand, from the rule. */
  readonly jobs: readonly (readonly [string, string, readonly string[], object?])[];
}

const changes: readonly Change[] = [
  {
    name: 'forward in Berlin, Dublin, Troll (two hours) and Nuuk (over midnight)',
    from: '2024-03-31T00:25:00Z',
    change: '2024-03-31T01:00:00Z',
    until: '2024-03-31T02:50:00Z',
    jobs: [
      ['Europe/Berlin', '30 2 * * *', ['2024-03-31T01:30Z']],
      ['Europe/Berlin', '30 2,3 * * *', ['2024-03-31T01:30Z']],
      ['Europe/Berlin', '0 3 * * *', ['2024-03-31T01:00Z']],
      ['Europe/Berlin', '0 2 * * *', ['2024-03-31T01:00Z']],
      ['Europe/Berlin', '30 2 * * *', [], { gap: 'skip' }],
      ['Europe/Berlin', '30 4 * * *', ['2024-03-31T02:30Z']],
      ['Europe/Dublin', '30 1 * * *', ['2024-03-31T01:30Z']],
      ['Europe/Dublin', '0 2 * * *', ['2024-03-31T01:00Z']],
      ['Antarctica/Troll', '30 1 * * *', ['2024-03-31T01:30Z']],
      ['Antarctica/Troll', '30 2 * * *', ['2024-03-31T02:30Z']],
      ['Antarctica/Troll', '0 3 * * *', ['2024-03-31T01:00Z']],
      ['America/Nuuk', '30 23 * * *', ['2024-03-31T01:30Z']],
      ['America/Nuuk', '0 0 * * *', ['2024-03-31T01:00Z']],
    ],
  },
  {
    name: 'back in Berlin, Dublin, Troll (two hours) and Nuuk (over midnight)',
    from: '2024-10-26T23:55:00Z',
    change: '2024-10-27T01:00:00Z',
    until: '2024-10-27T02:20:00Z',
    jobs: [
      ['Europe/Berlin', '30 2 * * *', ['2024-10-27T00:30Z']],
      ['Europe/Berlin', '30 2 * * *', ['2024-10-27T00:30Z', '2024-10-27T01:30Z'], { overlap: 'both' }],
      ['Europe/Berlin', '0 2 * * *', ['2024-10-27T00:00Z']],
      ['Europe/Berlin', '0 3 * * *', ['2024-10-27T02:00Z']],
      ['Europe/Dublin', '30 1 * * *', ['2024-10-27T00:30Z']],
      ['Europe/Dublin', '0 2 * * *', ['2024-10-27T02:00Z']],
      ['Antarctica/Troll', '30 2 * * *', ['2024-10-27T00:30Z']],
      ['Antarctica/Troll', '0 1 * * *', []],
      ['America/Nuuk', '30 23 * * *', ['2024-10-27T00:30Z']],
      ['America/Nuuk', '0 0 * * *', ['2024-10-27T02:00Z']],
    ],
  },
  {
    name: 'forward in Havana (at midnight) and St. John’s',
    from: '2024-03-10T04:40:10Z',
    change: '2024-03-10T05:00:00Z',
    until: '2024-03-10T06:20:00Z',
    jobs: [
      ['America/Havana', '0 0 * * *', ['2024-03-10T05:00Z']],
      ['America/Havana', '0 0,1 * * *', ['2024-03-10T05:00Z']],
      ['America/Havana', '30 0 * * *', ['2024-03-10T05:30Z']],
      ['America/St_Johns', '30 2 * * *', ['2024-03-10T06:00Z']],
      ['America/St_Johns', '0 3 * * *', ['2024-03-10T05:30Z']],
    ],
  },
  {
    name: 'back in St. John’s and Havana (midnight comes twice)',
    from: '2024-11-03T03:55:00Z',
    change: '2024-11-03T04:30:00Z',
    until: '2024-11-03T06:20:00Z',
    jobs: [
      ['America/St_Johns', '30 1 * * *', ['2024-11-03T04:00Z']],
      ['America/St_Johns', '0 2 * * *', ['2024-11-03T05:30Z']],
      ['America/Havana', '0 0 * * *', ['2024-11-03T04:00Z']],
      ['America/Havana', '30 0 * * *', ['2024-11-03T04:30Z']],
      ['America/Havana', '0 1 * * *', ['2024-11-03T06:00Z']],
    ],
  },
  {
    name: 'back in Chatham (at 03:45) and on Lord Howe (half an hour)',
    from: '2024-04-06T13:05:00Z',
    change: '2024-04-06T14:00:00Z',
    until: '2024-04-06T15:40:00Z',
    jobs: [
      ['Pacific/Chatham', '0 3 * * *', ['2024-04-06T13:15Z']],
      ['Pacific/Chatham', '45 3 * * *', ['2024-04-06T15:00Z']],
      ['Australia/Lord_Howe', '45 1 * * *', ['2024-04-06T14:45Z']],
      ['Australia/Lord_Howe', '0 2 * * *', ['2024-04-06T15:30Z']],
    ],
  },
  {
    name: 'forward in Chatham (at 02:45)',
    from: '2024-09-28T13:40:10Z',
    change: '2024-09-28T14:00:00Z',
    until: '2024-09-28T14:50:00Z',
    jobs: [
      ['Pacific/Chatham', '0 3 * * *', ['2024-09-28T14:15Z']],
      ['Pacific/Chatham', '45 2 * * *', ['2024-09-28T14:00Z']],
      ['Pacific/Chatham', '45 3 * * *', ['2024-09-28T14:00Z']],
    ],
  },
  {
    name: 'forward on Lord Howe (half an hour)',
    from: '2024-10-05T15:05:00Z',
    change: '2024-10-05T15:30:00Z',
    until: '2024-10-05T16:20:00Z',
    jobs: [
      ['Australia/Lord_Howe', '15 2 * * *', ['2024-10-05T15:45Z']],
      ['Australia/Lord_Howe', '15,45 2 * * *', ['2024-10-05T15:45Z']],
      ['Australia/Lord_Howe', '30 2 * * *', ['2024-10-05T15:30Z']],
    ],
  },
  {
    name: 'over the day that Apia left out',
    from: '2011-12-30T09:40:10Z',
    change: '2011-12-30T10:00:00Z',
    until: '2011-12-30T10:50:00Z',
    jobs: [
      ['Pacific/Apia', '30 0 * * *', ['2011-12-30T10:30Z']],
      ['Pacific/Apia', '0 0 30 12 *', ['2011-12-30T10:00Z']],
      ['Pacific/Apia', '15 0 30,31 12 *', ['2011-12-30T10:15Z']],
    ],
  },
];

describe.concurrent('every slot once while clocks go', () => {
  it.for(changes)('$name', async (change, { onTestFinished }) => {
    const where = directory(onTestFinished);
    const book = account(`${where}/account`);
    const table = jobsOf(change);
    const clock = new SteppedClock(where, change.from, onTestFinished);
    const daemon = startDaemon({
      jobs: jobFile(table, change, { run: book.line(), waker: clock.waker }),
      directory: where,
      args: ['--max-concurrent-runs', '0', '--drain', '1d'],
      env: clock.env,
      later: onTestFinished,
    });
    await daemon.ready();
    for (const { at, count } of instants(table)) {
      await clock.skipTo(daemon, at);
      const ran = (): number => book.executions().filter(({ slot }) => same(slot, at)).length;
      await daemon.until(`the ${count} runs of ${at}`, () => ran() >= count);
    }
    await clock.skipTo(daemon, afterwards(change));
    await daemon.until(`the run after ${change.until}`, () => book.executions('after')[0]);
    expect(await daemon.stop()).toBe(0);

    // It was up before the change and went through it: nothing else would prove anything.
    const started = Date.parse(daemon.events('engine_started')[0]?.time ?? '');
    expect(started).toBeLessThan(Date.parse(change.change));
    expect(Date.parse(daemon.lines.at(-1)?.time ?? '')).toBeGreaterThan(Date.parse(change.until));

    const ran = table.map(({ id, name }) => [name, book.slots(id)]);
    const expected = table.map(({ name, slots }) => [name, slots]);
    expect(Object.fromEntries(ran)).toEqual(Object.fromEntries(expected));
    expect(daemon.events('slots_skipped')).toEqual([]);
    const began = daemon.events('attempt_started');
    expect(began.filter(({ time, slot = '' }) => !(Date.parse(time) >= Date.parse(slot)))).toEqual([]);
  });
});

interface Row {
  readonly id: string;
  readonly name: string;
  readonly when: object;
  readonly slots: readonly string[];
}

/** The jobs of a change, and in each of its zones one every quarter of an hour and one every twenty minutes. */
function jobsOf({ from, until, jobs }: Change): Row[] {
  const zones = [...new Set(jobs.map(([timezone]) => timezone))];
  const cron = jobs.map(([timezone, cron, slots, dst]) => ({
    name: `${timezone} ${cron} ${dst === undefined ? '' : JSON.stringify(dst)}`,
    when: { timezone, cron, ...(dst === undefined ? {} : { dst }) },
    slots,
  }));
  const steady = zones.flatMap((timezone) => [
    {
      name: `${timezone} */15 * * * *`,
      when: { timezone, cron: '*/15 * * * *' },
      slots: multiples(15 * MINUTE, from, until),
    },
    {
      name: `${timezone} every 20m`,
      when: { timezone, every: '20m', anchor: '2000-01-01T00:00:00Z' },
      slots: multiples(20 * MINUTE, from, until),
    },
  ]);
  return [...cron, ...steady].map(({ name, when, slots }, n) => ({ id: `job-${n}`, name, when, slots }));
}

/** However slow this machine is, no slot is given up: what is late is caught up. */
function jobFile(
  table: readonly Row[],
  change: Change,
  { run, waker }: { readonly run: string; readonly waker: object },
): string {
  const { until } = change;
  const after = afterwards(change);
  const jobs = Object.fromEntries(table.map(({ id, when }) => [id, { ...when, end: until, run }]));
  const defaults = { misfire: { run: 'all' }, overlap: 'allow', max_instances: 100 };
  return JSON.stringify({ defaults, jobs: { ...jobs, after: { at: after, run }, waker } });
}

/** A while after the last slot that is looked at. */
function afterwards({ until }: Change): string {
  return new Date(Date.parse(until) + 10 * MINUTE).toISOString();
}

/** When something is to run, in order, and how much. */
function instants(table: readonly Row[]): { at: string; count: number }[] {
  const all = table.flatMap(({ slots }) => slots).sort();
  return [...new Set(all)].map((at) => ({ at, count: all.filter((other) => other === at).length }));
}

function same(a: string, b: string): boolean {
  return Date.parse(a) === Date.parse(b);
}

/** Every multiple of a period in real time, to the minute. */
function multiples(period: number, from: string, until: string): string[] {
  const found: string[] = [];
  for (let at = Math.ceil(Date.parse(from) / period) * period; at <= Date.parse(until); at += period)
    found.push(new Date(at).toISOString().replace(':00.000Z', 'Z'));
  return found;
}
