import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Schedule, TriggerDefinition } from '../../src/model.ts';
import { compileTrigger } from '../../src/schedule/compile-trigger.ts';
import { jitterOf } from '../../src/schedule/jitter.ts';
import { ScheduleProblem } from '../../src/schedule/problem.ts';
import { compileSchedule, cronTrigger, defaultAnchor } from '../../src/schedule/trigger.ts';

const AT = Date.parse('2026-11-23T16:00:00Z');
const HOUR = 3_600_000;

function schedule(triggers: readonly TriggerDefinition[], more: Partial<Schedule> = {}): Schedule {
  return { triggers, timezone: 'UTC', dst: {}, jitter: 0, ...more };
}

function series(next: (after: number) => number | undefined, from: number, count: number): number[] {
  const found: number[] = [];
  for (let at = next(from); at !== undefined && found.length < count; at = next(at)) found.push(at);
  return found;
}

describe('compileSchedule', () => {
  it('merges triggers; what meets fires once', () => {
    const trigger = compileSchedule(
      schedule([
        { kind: 'cron', expressions: ['0 * * * *', '*/30 * * * *'] },
        { kind: 'every', period: 45 * 60_000, anchor: AT },
        { kind: 'at', instants: [AT + 7, AT + HOUR] },
      ]),
      'job',
    );
    const minutes = series((after) => trigger.next(after), AT, 5).map((at) => (at - AT) / 60_000);
    expect(minutes).toEqual([7 / 60_000, 30, 45, 60, 90]);
  });

  it('leaves startup to the engine', () => {
    expect(compileSchedule(schedule([{ kind: 'startup', when: 'daemon' }]), 'job').next(AT)).toBeUndefined();
  });

  it('knows no slots before start or after end, but those on them', () => {
    const trigger = compileSchedule(
      schedule([{ kind: 'cron', expressions: ['0 * * * *'] }], { start: AT + HOUR, end: AT + 3 * HOUR }),
      'job',
    );
    expect(series((after) => trigger.next(after), 0, 9)).toEqual([AT + HOUR, AT + 2 * HOUR, AT + 3 * HOUR]);
    expect(trigger.next(AT + 3 * HOUR)).toBeUndefined();
  });

  it('gives like jobs one trigger, and one to each job where H is used', () => {
    const of = { timezone: 'Europe/Berlin', dst: {} };
    expect(cronTrigger('30 2 * * THU', of, 'a')).toBe(cronTrigger('30 2 * * THU', of, 'b'));
    expect(cronTrigger('30 2 * * *', of, 'a')).not.toBe(
      cronTrigger('30 2 * * *', { ...of, dst: { gap: 'skip' } }, 'a'),
    );
    expect(cronTrigger('30 2 * * *', of, 'a')).not.toBe(
      cronTrigger('30 2 * * *', { ...of, timezone: 'UTC' }, 'a'),
    );
    expect(cronTrigger('H 2 * * *', of, 'a')).not.toBe(cronTrigger('H 2 * * *', of, 'b'));
    expect(cronTrigger('H 2 * * *', of, 'a')).toBe(cronTrigger('H 2 * * *', of, 'a'));
  });

  it('throws the words of the front door on what validation would have refused', () => {
    expect(() => compileSchedule(schedule([{ kind: 'cron', expressions: ['0 25 * * *'] }]), 'job')).toThrow(
      /the hour field takes 0-23, got 25/,
    );
  });
});

describe('a trigger is a pure function', () => {
  const cases = fc.record({
    cron: fc.constantFrom(
      '*/15 * * * *',
      '30 2 * * *',
      '0 0 1 * *',
      '*/7 1-4 * * *',
      '0 0 29 2 *',
      '15 0 * * SUN',
    ),
    timezone: fc.constantFrom(
      'Europe/Berlin',
      'Australia/Lord_Howe',
      'America/Havana',
      'Pacific/Apia',
      'Antarctica/Troll',
      'Africa/Casablanca',
    ),
    questions: fc.array(fc.integer({ min: Date.UTC(2011, 11, 25), max: Date.UTC(2030, 0, 1) }), {
      minLength: 1,
      maxLength: 12,
    }),
  });

  it('answers alike whatever it was asked before', () => {
    fc.assert(
      fc.property(cases, ({ cron, timezone, questions }) => {
        const trigger = compileTrigger({ cron, timezone });
        const once = questions.map((after) => trigger.next(after));
        const backwards = [...questions].reverse().map((after) => trigger.next(after));
        expect(backwards.reverse()).toEqual(once);
        for (const [i, answer] of once.entries()) {
          const after = questions[i] ?? 0;
          if (answer === undefined) throw new Error('never');
          expect(answer).toBeGreaterThan(after);
          // No slot lies between a question and its answer, so every moment between has the same one.
          expect(trigger.next(after + Math.floor((answer - after) / 2))).toBe(answer);
          expect(trigger.next(answer - 1)).toBe(answer);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('gives five at once as one by one', () => {
    fc.assert(
      fc.property(cases, ({ cron, timezone, questions }) => {
        const from = questions[0] ?? 0;
        const five = series((after) => compileTrigger({ cron, timezone }).next(after), from, 5);
        let after = from;
        for (const expected of five) {
          // Something else is asked in between, as a daemon with many jobs and a restart would.
          compileTrigger({ cron, timezone }).next(after + 40 * 24 * HOUR);
          expect(compileTrigger({ cron, timezone }).next(after)).toBe(expected);
          after = expected;
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('every', () => {
  it('counts elapsed time from its anchor, in both directions', () => {
    const trigger = compileSchedule(schedule([{ kind: 'every', period: 90 * 60_000, anchor: AT }]), 'job');
    expect(trigger.next(AT - 1)).toBe(AT);
    expect(trigger.next(AT)).toBe(AT + 90 * 60_000);
    expect(trigger.next(AT - HOUR * 1.5 - 1)).toBe(AT - 1.5 * HOUR);
  });

  it('does not care for clock changes', () => {
    const trigger = compileTrigger({ every: '30m', timezone: 'Europe/Berlin' });
    const from = Date.parse('2026-10-25T00:00:00Z');
    expect(series((after) => trigger.next(after), from, 4).map((at) => at - from)).toEqual(
      [0.5, 1, 1.5, 2].map((hours) => hours * HOUR),
    );
  });

  it('counts from 1970-01-01T00:00 in the zone', () => {
    expect(defaultAnchor('UTC')).toBe(0);
    expect(defaultAnchor('Europe/Berlin')).toBe(-HOUR);
    expect(defaultAnchor('Asia/Shanghai')).toBe(-8 * HOUR);
  });
});

describe('compileTrigger', () => {
  it('takes cron, every or at', () => {
    expect(compileTrigger({ cron: '0 9 * * *', timezone: 'asia/shanghai' }).next(AT)).toBe(
      Date.parse('2026-11-24T01:00:00Z'),
    );
    expect(compileTrigger({ cron: ['0 9 * * *', '0 17 * * *'] }).next(AT)).toBe(
      Date.parse('2026-11-23T17:00:00Z'),
    );
    expect(compileTrigger({ at: '2027-01-31T02:00:00+01:00' }).next(AT)).toBe(
      Date.parse('2027-01-31T01:00:00Z'),
    );
    expect(
      compileTrigger({ at: '2027-01-31T02:00', timezone: 'Europe/Berlin' }).next(
        Date.parse('2027-01-31T01:00:00Z'),
      ),
    ).toBeUndefined();
  });

  it.each<[Parameters<typeof compileTrigger>[0], RegExp]>([
    [{}, /exactly one of `cron`, `every` and `at`/],
    [{ cron: '* * * * *', every: '5m' }, /exactly one/],
    [{ cron: '* * * *' }, /expected 5 fields .*, got 4; write all of/],
    [{ cron: [] }, /list of cron expressions is empty/],
    [{ cron: '* * * * *', timezone: 'Mars/Olympus' }, /unknown time zone "Mars\/Olympus"/],
    [{ every: '5' }, /no unit/],
    [{ every: '0s' }, /longer than 0/],
    [{ at: 'tomorrow' }, /is not a time/],
  ])('refuses %j', (options, words) => {
    expect(() => compileTrigger(options)).toThrow(words);
    expect(() => compileTrigger(options)).toThrow(ScheduleProblem);
  });
});

describe('jitterOf', () => {
  it('is the same for the same slot, within its bound, and spread', () => {
    const bound = 60_000;
    const values = Array.from({ length: 2000 }, (_, i) => jitterOf('backup', AT + i * HOUR, bound));
    expect(values).toEqual(Array.from({ length: 2000 }, (_, i) => jitterOf('backup', AT + i * HOUR, bound)));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThanOrEqual(bound);
    const tenths = Array.from(
      { length: 10 },
      (_, tenth) => values.filter((value) => Math.floor(value / 6000.1) === tenth).length,
    );
    for (const count of tenths) expect(count).toBeGreaterThan(140);
    expect(jitterOf('a', AT, bound)).not.toBe(jitterOf('b', AT, bound));
    expect(new Set(Array.from({ length: 100 }, (_, i) => jitterOf('a', AT + i, 1))).size).toBe(2);
    expect(jitterOf('a', AT, 0)).toBe(0);
  });

  it('never changes between releases', () => {
    expect([jitterOf('backup', 1_764_000_000_000, 3_600_000), jitterOf('täglich', 0, 1000)])
      .toMatchInlineSnapshot(`
      [
        1824255,
        583,
      ]
    `);
  });
});
