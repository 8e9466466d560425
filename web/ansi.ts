/** Terminal output as pieces of text with a style: never as markup. Only colours and weights are taken; all else is left out. */

/** Class names, e.g. `bold red`. */
export type Style = string;

export interface Piece {
  readonly text: string;
  readonly style: Style;
}

const COLORS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
const WEIGHTS: Readonly<Record<number, string>> = { 1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline' };

/** CSI sequences, OSC strings with their end, and other escapes. */
const ESCAPE =
  /\u001b\[([0-?]*)[ -/]*([@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]?/g;

/** Characters that cannot be seen, or turn text around. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** One line, begun in the style that the line before left. */
export function styled(
  line: string,
  begun: Style,
): { readonly pieces: readonly Piece[]; readonly style: Style } {
  const pieces: Piece[] = [];
  let style = begun;
  let from = 0;
  const add = (text: string): void => {
    if (text !== '') pieces.push({ text: text.replace(UNSEEN, '\ufffd'), style });
  };
  const seen = overwritten(line);
  for (const match of seen.matchAll(ESCAPE)) {
    add(seen.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === 'm') style = restyled(style, match[1] ?? '');
  }
  add(seen.slice(from));
  return { pieces, style };
}

/** What a line that returned to its beginning shows in the end: progress bars do so. */
function overwritten(line: string): string {
  const trimmed = line.replace(/\r+$/, '');
  return trimmed.slice(trimmed.lastIndexOf('\r') + 1);
}

function restyled(style: Style, codes: string): Style {
  const names = new Set(style.split(' ').filter(Boolean));
  const list = codes.split(/[;:]/).map(Number);
  for (let index = 0; index < list.length; index++) {
    const code = list[index] ?? 0;
    if (code === 38 || code === 48) {
      index += list[index + 1] === 2 ? 4 : 2; // of 256 or all colours: shown as plain text
    } else apply(names, code);
  }
  return [...names].join(' ');
}

function apply(names: Set<string>, code: number): void {
  const color = COLORS[code % 10];
  if (code === 0) names.clear();
  else if (code in WEIGHTS) names.add(WEIGHTS[code] ?? '');
  else if (code === 22) remove(names, ['bold', 'dim']);
  else if (code === 23 || code === 24) remove(names, [code === 23 ? 'italic' : 'underline']);
  else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
    remove(names, COLORS);
    names.add(color ?? '');
  } else if (code === 39) remove(names, COLORS);
}

function remove(names: Set<string>, those: readonly string[]): void {
  for (const name of those) names.delete(name);
}
