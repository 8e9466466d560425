/** Turns bytes that come in pieces into lines of text. */
import { StringDecoder } from 'node:string_decoder';

/** A longer line is given out in parts, so that no output can make the daemon hold a string of its own size. Characters. */
export const LONGEST_LINE = 64 * 1024;

export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  /** The lines that this piece completes, without their ends. Bytes that are no UTF-8 become U+FFFD. */
  push(piece: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(piece)).split('\n');
    this.#rest = lines.pop() ?? '';
    const whole = lines.flatMap(parts);
    while (this.#rest.length > LONGEST_LINE) {
      whole.push(this.#rest.slice(0, LONGEST_LINE));
      this.#rest = this.#rest.slice(LONGEST_LINE);
    }
    return whole;
  }

  /** What is left when no more comes: a line without an end, or nothing. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = '';
    return rest === '' ? [] : parts(rest);
  }
}

function parts(line: string): string[] {
  if (line.length <= LONGEST_LINE) return [line];
  const count = Math.ceil(line.length / LONGEST_LINE);
  return Array.from({ length: count }, (_, index) =>
    line.slice(index * LONGEST_LINE, (index + 1) * LONGEST_LINE),
  );
}
