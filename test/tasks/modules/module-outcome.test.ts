import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  outcomeMessageLimit,
  parseOutcome,
  resultLimit,
  returned,
  threw,
} from '../../../src/tasks/module-outcome.ts';

describe('what a task returned', () => {
  it('is its result, as JSON sees it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(returned(value)).toEqual({ kind: 'succeeded', result: plain });
      }),
    );
  });

  it('may be nothing', () => {
    expect(returned(undefined)).toEqual({ kind: 'succeeded' });
    expect(returned(null)).toEqual({ kind: 'succeeded', result: null });
    expect(returned({ a: undefined })).toEqual({ kind: 'succeeded', result: {} });
  });

  it('is bounded in bytes, not in characters', () => {
    const fits = 'x'.repeat(resultLimit - 2);
    expect(returned(fits)).toEqual({ kind: 'succeeded', result: fits });
    expect(returned(`${fits}x`)).toMatchObject({
      kind: 'threw',
      message: expect.stringContaining('65537 bytes'),
    });
    expect(returned('ü'.repeat(resultLimit / 2))).toMatchObject({ kind: 'threw' });
  });

  it.each([
    ['a function', () => 1, 'a function'],
    ['a function inside', { on: { end: () => 1 } }, 'a function under "end"'],
    ['a symbol', Symbol('s'), 'a symbol'],
    ['a bigint', [1n], 'a bigint; String(value) would do under "0"'],
    ['a promise inside', { later: Promise.resolve() }, 'a promise; await it first under "later"'],
    ['a Map', new Map(), 'a Map; Object.fromEntries(map) would do'],
    ['a Set', { all: new Set() }, 'a Set; [...set] would do under "all"'],
  ])('is refused when it is %s', (_name, value, words) => {
    expect(returned(value)).toEqual({
      kind: 'threw',
      message: `The task returned what JSON cannot hold: ${words}`,
    });
  });

  it('is refused when it is hostile', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    const bomb = {
      toJSON(): never {
        throw new Error('boom');
      },
    };
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const nothing = { toJSON: () => undefined };
    expect(returned(nothing)).toMatchObject({ message: expect.stringContaining('toJSON() gives undefined') });
    for (const value of [cycle, bomb, revoked.proxy])
      expect(returned(value)).toMatchObject({ kind: 'threw' });
  });
});

describe('what a task threw', () => {
  it('is told with its name, its cause and the frames of the task alone', () => {
    const outcome = threw(new RangeError('too far', { cause: new Error('no road') }));
    expect(outcome).toMatchObject({ kind: 'threw', message: 'RangeError: too far (because of: no road)' });
    const { stack = '' } = outcome as { stack?: string };
    expect(stack).toContain('module-outcome.test.ts');
    expect(stack).not.toContain('node:');
  });

  it('may be anything, and is bounded', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const outcome = threw(value);
        expect(outcome.kind).toBe('threw');
        expect(Buffer.byteLength(JSON.stringify(outcome))).toBeLessThan(outcomeMessageLimit);
      }),
    );
    expect(threw(new Error('\u0000'.repeat(1_000_000)))).toMatchObject({
      message: expect.stringContaining('1000000 characters'),
    });
    const circle: Error & { cause?: unknown } = new Error('round');
    circle.cause = circle;
    expect(threw(circle)).toMatchObject({ message: expect.stringContaining('round') });
  });
});

describe('a message from a host', () => {
  it('survives the way', () => {
    for (const outcome of [returned({ a: 1 }), returned(undefined), threw(new Error('x'))]) {
      expect(parseOutcome(JSON.stringify(outcome))).toEqual(outcome);
    }
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '1',
    '{"kind":"timed_out","after":1}',
    '{"kind":"threw"}',
    '{"kind":"threw","message":1}',
  ])('is none when it is %j', (text) => {
    expect(parseOutcome(text)).toBeUndefined();
  });

  it('is none when any byte of its end is missing', () => {
    const whole = JSON.stringify(returned({ text: 'abc' }));
    for (let end = 0; end < whole.length; end++) expect(parseOutcome(whole.slice(0, end))).toBeUndefined();
  });
});
