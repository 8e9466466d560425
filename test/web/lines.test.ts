/** What a program printed, as the page's pieces of styled text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { styled } from '../../web/ansi.ts';
import { Lines } from '../../web/lines.ts';

const ESC = '\u001b';

describe('a line', () => {
  it.each([
    ['plain', 'plain', ''],
    [`${ESC}[31mred`, 'red', 'red'],
    [`${ESC}[1;92mbright`, 'bright', 'bold green'],
    [`${ESC}[1m${ESC}[0mreset`, 'reset', ''],
    [`${ESC}[1m${ESC}[mreset`, 'reset', ''],
    [`${ESC}[31m${ESC}[34mthe last one`, 'the last one', 'blue'],
    [`${ESC}[38;5;196mmany colours`, 'many colours', ''],
    [`${ESC}[38;2;1;31;4mall colours`, 'all colours', ''],
    [`${ESC}[2J${ESC}[Hcleared`, 'cleared', ''],
    [`${ESC}]0;title\u0007said`, 'said', ''],
    [`${ESC}]8;;javascript:alert(1)${ESC}\\link`, 'link', ''],
    ['10 %\r50 %\r100 %', '100 %', ''],
    ['windows\r', 'windows', ''],
    ['a\u202eb\u0000c', 'a\ufffdb\ufffdc', ''],
    ['<img src=x>', '<img src=x>', ''],
  ])('%j shows %j as %j', (line, text, style) => {
    const { pieces } = styled(line, '');
    expect(pieces.map((piece) => piece.text).join('')).toBe(text);
    expect(pieces.at(-1)?.style).toBe(style);
  });

  it('goes on in the style the line before left', () => {
    const lines = new Lines();
    lines.add(`${ESC}[33mone\ntwo${ESC}[0m\nthree`);
    expect([0, 1, 2].map((index) => lines.pieces(index)[0]?.style)).toEqual(['yellow', 'yellow', '']);
  });

  it('is cut where it is too long for a screen', () => {
    const lines = new Lines();
    lines.add('x'.repeat(5000));
    expect(lines.pieces(0).at(-1)?.text).toBe(' … 1000 more characters');
  });
});

describe('output', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', `${ESC}[31m`), maxLength: 40 });

  it('is the same lines, in whatever pieces it came', () => {
    fc.assert(
      fc.property(fc.array(text), (pieces) => {
        const lines = new Lines();
        for (const piece of pieces) lines.add(piece);
        const whole = pieces.join('').replace(/\n$/, '');
        const expected = pieces.join('') === '' ? [] : whole.split('\n');
        const shown = Array.from({ length: lines.count }, (_, index) =>
          lines
            .pieces(index)
            .map((piece) => piece.text)
            .join(''),
        );
        expect(shown).toEqual(expected.map((line) => line.replaceAll(`${ESC}[31m`, '')));
      }),
    );
  });

  it('is searched without regard to case', () => {
    const lines = new Lines();
    lines.add('Alpha\nbeta\nALPHABET\n');
    expect(lines.search('alpha')).toEqual([0, 2]);
    expect(lines.search('')).toEqual([]);
  });
});
