import cronstrue from 'cronstrue';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainWords } from '../../src/cli/plain-words.ts';
import { listCall, statusCall } from '../../src/cli/shortcut.ts';

describe('plain words', () => {
  const number = (most: number): fc.Arbitrary<string> =>
    fc
      .tuple(fc.integer({ min: 0, max: most }), fc.boolean())
      .map(([value, two]) => String(value).padStart(two ? 2 : 1, '0'));
  const weekday = fc.oneof(fc.constantFrom('SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'), number(7));
  const expression = fc
    .tuple(
      fc.oneof(
        number(59),
        fc.constantFrom('*', '0'),
        fc.integer({ min: 1, max: 59 }).map((step) => `*/${step}`),
      ),
      fc.oneof(number(23), fc.constant('*')),
      fc.constantFrom('*', '*', '1'),
      fc.constantFrom('*', '*', '6'),
      fc.oneof(
        fc.constant('*'),
        weekday,
        fc.tuple(weekday, weekday).map(([from, to]) => `${from}-${to}`),
      ),
    )
    .map((fields) => fields.join(' '));

  it('are the words of cronstrue, wherever there are any', () => {
    let plain = 0;
    fc.assert(
      fc.property(expression, (text) => {
        const words = plainWords(text);
        if (words === undefined) return true;
        plain += 1;
        // It refuses a range that ends before it begins; so does the front door, before either is asked.
        const theirs = attempt(() => cronstrue.toString(text, { use24HourTimeFormat: true }));
        return theirs === undefined || words === theirs;
      }),
      { numRuns: 2000 },
    );
    expect(plain).toBeGreaterThan(200);
  });

  function attempt(action: () => string): string | undefined {
    try {
      return action();
    } catch {
      return undefined;
    }
  }
});

describe('the short way to list', () => {
  it.each([
    [['list'], { options: { json: false }, color: undefined }],
    [['ls', '--json', '--no-color'], { options: { json: true }, color: false }],
    [['list', '-f', 'a.yaml', '--color'], { options: { json: false, file: 'a.yaml' }, color: true }],
  ])('%j is plain', (args, call) => expect(listCall(args, {})).toEqual(call));

  it('takes the file of the environment, and a flag over it', () => {
    expect(listCall(['list'], { TSCHED_FILE: 'b' })?.options.file).toBe('b');
    expect(listCall(['list', '-f', 'a'], { TSCHED_FILE: 'b' })?.options.file).toBe('a');
  });

  it.each([
    [[]],
    [['next']],
    [['list', '--help']],
    [['list', '--file']],
    [['list', '--file', '--json']],
    [['list', 'x']],
    [['list', '--tz', 'UTC']],
  ])('%j is not', (args) => expect(listCall(args, {})).toBeUndefined());

  it('is there for status too', () => {
    const environment = { TSCHED_STATE_DIR: 'b' };
    expect(statusCall(['status', '--json'], {})).toEqual({ options: { json: true }, color: undefined });
    expect(statusCall(['status'], environment)?.options.stateDir).toBe('b');
    expect(statusCall(['status', '--state-dir', 'a'], environment)?.options.stateDir).toBe('a');
    for (const words of [['status', 'x'], ['status', '--url', 'y'], ['status', '--help'], ['list']])
      expect(statusCall(words, {}), words.join(' ')).toBeUndefined();
  });

  it('leaves a zone of the environment to commander, which checks it', () => {
    expect(listCall(['list'], { TSCHED_TZ: 'UTC' })).toBeUndefined();
  });
});
