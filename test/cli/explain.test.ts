import { describe, expect, it } from 'vitest';
import { tsched } from './tsched.ts';

const at = '2026-10-23 12:00:00';

describe('tsched explain', () => {
  it('says an expression in words, its traps and its next times', () => {
    const { code, out } = tsched(['explain', '0 0 13 * 5', '--tz', 'Europe/Berlin', '-n', '3'], { at });
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "At 00:00, on day 13 of the month, and on Friday (either one)
        ! day of month and day of week are both set: the job runs when either matches; write * in one of them if only the other is meant
      Next, in Europe/Berlin:
        Fri 2026-10-30 00:00:00 +01:00   in 6d
        Fri 2026-11-06 00:00:00 +01:00   in 13d
        Fri 2026-11-13 00:00:00 +01:00   in 20d
      "
    `);
  });

  it('marks clock changes', () => {
    const { out } = tsched(['explain', '30 2 * * *', '--tz', 'Europe/Berlin', '-n', '2'], { at });
    expect(out).toContain('Sun 2026-10-25 02:30:00 +02:00   in 36h   clocks go back at 03:00');
  });

  it.each([
    ['*/7 * * * *', 'every: 7m'],
    ['0 */5 * * *', 'every: 5h'],
    ['0 0 31 * *', 'months without a day 31 are left out'],
    ['0 0 29 2 *', '29 February comes only in leap years'],
  ])('%s: warns (%s)', (expression, warning) => {
    expect(tsched(['explain', expression]).out).toContain(warning);
  });

  it.each(['*/5 * * * *', '0 */6 * * *', '0 0 28 * *', '0 9-17 * * 1-5', '@daily'])(
    '%s: has no traps',
    (expression) => {
      expect(tsched(['explain', expression]).out).not.toContain('!');
    },
  );

  it.each([
    ['@hourly', 'Every hour'],
    ['@weekdays', 'At 00:00, Monday through Friday'],
    ['H(0-29)/10 * * * *', 'past the hour'],
    ['0 0 * * FRI#2', 'on the second Friday'],
    ['0 0 L * *', 'on the last day of the month'],
  ])('%s: %s', (expression, words) => {
    expect(tsched(['explain', expression]).out.split('\n')[0]).toContain(words);
  });

  it('draws H from the job id', () => {
    const first = (id: string): string | undefined =>
      tsched(['explain', 'H H * * *', '--id', id]).out.split('\n')[0];
    expect(first('a')).toBe(first('a'));
    expect(new Set(['a', 'b', 'c', 'd'].map(first)).size).toBeGreaterThan(1);
  });

  it('has a stable shape for programs', () => {
    const { out } = tsched(['explain', '30 2 * * *', '--tz', 'UTC', '-n', '1', '--json'], { at });
    expect(JSON.parse(out)).toEqual({
      expression: '30 2 * * *',
      words: 'At 02:30',
      timezone: 'UTC',
      warnings: [],
      times: [{ at: '2026-10-24T02:30:00Z', local: '2026-10-24T02:30:00+00:00', note: null }],
    });
  });

  it('points at what is wrong with an expression', () => {
    const { code, out, err } = tsched(['explain', '0 25 * * *']);
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(err).toMatchInlineSnapshot(`
      "error: the hour field takes 0-23, got 25
        0 25 * * *
          ^^
      tsched: "0 25 * * *" is not a cron expression
      "
    `);
  });
});
