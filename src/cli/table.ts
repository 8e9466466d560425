/** Columns, as wide as what stands in them. */
import type { Style } from './session.ts';

/** Characters a terminal shows two columns wide (roughly; a wrong guess costs alignment only). */
const wide = (): RegExp =>
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff00-\uff60]/gu;
const zero = (): RegExp => /[\p{Mn}\p{Me}\p{Cf}]/gu;

export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

export interface Table {
  readonly heading: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Rows under a heading, two blanks between columns, none at the end of a line. Texts must be printable. */
export function table(
  heading: readonly string[],
  rows: readonly (readonly Cell[])[],
  paint: (style: Style, text: string) => string,
): string {
  const all = [heading.map((text): Cell => ({ text, style: 'dim' })), ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => width(row[column]?.text ?? ''))));
  const lines = all.map((row) => {
    const last = row.findLastIndex((cell) => cell.text !== '');
    const cells = row.slice(0, last + 1).map(({ text, style }, column) => {
      const padding = column === last ? '' : ' '.repeat((widths[column] ?? 0) - width(text));
      return `${style === undefined ? text : paint(style, text)}${padding}`;
    });
    return `${cells.join('  ')}\n`;
  });
  return lines.join('');
}

/** In columns of a terminal. */
export function width(text: string): number {
  // Nearly all text is ASCII, and the patterns above cost a millisecond to set up.
  if (/^[ -~]*$/.test(text)) return text.length;
  const visible = text.replace(zero(), '').match(/./gsu)?.length ?? 0;
  return visible + (text.match(wide())?.length ?? 0);
}
