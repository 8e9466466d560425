import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { elapsed, outcomeInWords, printable, printableJson } from '../../src/observe/text.ts';

describe('printable', () => {
  it.each([
    ['a\nb', 'a\\nb'],
    ['\u001b]0;x\u0007\u001b[2J\r', '\\x1b]0;x\\x07\\x1b[2J\\x0d'],
    ['nul\0', 'nul\\x00'],
    ['\u202egpj.exe', '\\u202egpj.exe'],
    ['line\u2028separator', 'line\\u2028separator'],
    ['half \ud800', 'half \\ud800'],
    ['tab\tstays, so does ü and 😀', 'tab\tstays, so does ü and 😀'],
  ])('%j is shown as %s', (text, shown) => expect(printable(text)).toBe(shown));

  it('leaves nothing that a terminal acts on, and one line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text).replaceAll('\t', '')).not.toMatch(
          /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u,
        );
        const json = printableJson({ text });
        expect(JSON.parse(json)).toEqual({ text });
        expect(printable(json)).toBe(json);
      }),
    );
  });
});

describe('elapsed', () => {
  it.each([
    [0, '0ms'],
    [-5, '0ms'],
    [999, '999ms'],
    [1000, '1s'],
    [2345, '2.3s'],
    [59_949, '59.9s'],
    [59_960, '1m00s'],
    [761_000, '12m41s'],
    [3_599_600, '1h00m'],
    [11_040_000, '3h04m'],
    [86_400_000 * 2.5, '2d12h'],
  ])('%d ms is %s', (duration, text) => expect(elapsed(duration)).toBe(text));
});

describe('outcomeInWords', () => {
  it('says how each kind ended', () => {
    expect(
      [
        outcomeInWords({ kind: 'succeeded' }),
        outcomeInWords({ kind: 'failed', exitCode: 3, hint: 'no such command' }),
        outcomeInWords({ kind: 'killed', signal: 'SIGKILL', hint: 'out of memory?' }),
        outcomeInWords({ kind: 'timed_out', after: 90_000 }),
        outcomeInWords({ kind: 'threw', message: 'Error: x' }),
        outcomeInWords({ kind: 'not_started', message: 'no such user' }),
        outcomeInWords({ kind: 'cancelled', by: 'shutdown' }),
        outcomeInWords({ kind: 'lost', message: 'the host died' }),
      ].join('\n'),
    ).toMatchInlineSnapshot(`
      "succeeded
      failed with exit code 3 (no such command)
      killed by SIGKILL (out of memory?)
      timed out after 1m30s
      threw: Error: x
      not started: no such user
      cancelled because tsched stops
      lost: the host died"
    `);
  });
});
