/** Output as lines, however it came in pieces. */
import { styled, type Piece, type Style } from './ansi.ts';

/** Kept of one attempt; older lines are left out, and the file can be downloaded. */
const MOST_LINES = 500_000;
/** Of one line on the screen; the rest of it is in the file. */
const LONGEST = 4000;

interface Line {
  text: string;
  /** What the line before left. */
  readonly begun: Style;
}

export class Lines {
  readonly #lines: Line[] = [];
  #isOpen = false;
  /** Lines that are no longer here. */
  dropped = 0;

  get count(): number {
    return this.#lines.length;
  }

  add(text: string): void {
    if (text === '') return;
    const parts = text.split('\n');
    const last = parts.length - 1;
    for (const [index, part] of parts.entries()) {
      // After the last line break stands the beginning of a line, or nothing.
      if (index === last && part === '') this.#isOpen = false;
      else this.#put(part, index < last);
    }
    const over = this.#lines.length - MOST_LINES;
    if (over <= 0) return;
    this.#lines.splice(0, over);
    this.dropped += over;
  }

  #put(part: string, isWhole: boolean): void {
    const last = this.#lines.at(-1);
    if (this.#isOpen && last !== undefined) last.text += part;
    else this.#lines.push({ text: part, begun: this.#left(last) });
    this.#isOpen = !isWhole;
  }

  #left(last: Line | undefined): Style {
    if (last === undefined) return '';
    return last.text.includes('\u001b') ? styled(last.text, last.begun).style : last.begun;
  }

  /** As it is shown. */
  pieces(index: number): readonly Piece[] {
    const line = this.#lines[index];
    if (line === undefined) return [];
    const { text, begun } = line;
    if (text.length <= LONGEST) return styled(text, begun).pieces;
    const more = { text: ` … ${text.length - LONGEST} more characters`, style: 'dim' };
    return [...styled(text.slice(0, LONGEST), begun).pieces, more];
  }

  /** Indexes of the lines that hold it. */
  search(wanted: string): number[] {
    const found: number[] = [];
    const low = wanted.toLowerCase();
    if (low === '') return found;
    for (const [index, { text }] of this.#lines.entries()) {
      if (text.toLowerCase().includes(low)) found.push(index);
    }
    return found;
  }
}
