/** What jobs printed, bytes of any kind, as text. Nothing is held but the piece at hand: a line may be as long as the file. */
import { isUtf8 } from 'node:buffer';
import { printable, printableJson } from '../observe/text.ts';

/** Part of a line, without the character that ends it; `ends` with the last part. */
export interface Piece {
  readonly text: string;
  readonly ends: boolean;
}

/** What becomes of bytes that are no UTF-8: `\xff` for people, U+FFFD for programs. */
export type Invalid = 'escaped' | 'replaced';

/** Turns bytes that come in pieces into pieces of lines. */
export class OutputText {
  readonly #invalid: Invalid;
  /** The beginning of a character whose end has not come: three bytes at most. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(invalid: Invalid) {
    this.#invalid = invalid;
  }

  push(bytes: Buffer): Piece[] {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const whole = all.length - unfinished(all);
    this.#rest = Buffer.from(all.subarray(whole));
    return this.#pieces(all.subarray(0, whole));
  }

  /** What is left when no more comes. */
  end(): Piece[] {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return this.#pieces(rest);
  }

  #pieces(bytes: Buffer): Piece[] {
    const lines = this.#decode(bytes).split('\n');
    return lines.flatMap((text, index) => {
      const ends = index < lines.length - 1;
      return text === '' && !ends ? [] : [{ text, ends }];
    });
  }

  #decode(bytes: Buffer): string {
    return this.#invalid === 'replaced' || isUtf8(bytes) ? bytes.toString('utf8') : escapeInvalid(bytes);
  }
}

/** Bytes at the end that may be the beginning of a character. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return sequenceLength(byte) > back ? back : 0;
  }
  return 0;
}

function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

function escapeInvalid(bytes: Buffer): string {
  const parts: string[] = [];
  let begin = 0;
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at] ?? 0;
    const end = at + sequenceLength(byte);
    if (byte < 0x80 || (end <= bytes.length && isUtf8(bytes.subarray(at, end)))) {
      at = end;
      continue;
    }
    parts.push(bytes.toString('utf8', begin, at), `\\x${byte.toString(16)}`);
    at += 1;
    begin = at;
  }
  return [...parts, bytes.toString('utf8', begin)].join('');
}

/** Puts the output of one attempt into a form, and writes it. `end` when all of it was shown, once more if need be. False: nobody reads any more. */
export interface Shower {
  show(bytes: Buffer): boolean;
  end(): boolean;
}

export type Write = (text: string | Uint8Array) => boolean;

/** As it is. What is in it may do anything to a terminal. */
export function rawShower(write: Write): Shower {
  return { show: write, end: () => true };
}

/** For people: nothing in it can move the cursor, colour the screen or reverse what is read. Ends at the beginning of a line. */
export function safeShower(write: Write): Shower {
  const text = new OutputText('escaped');
  let isWithinLine = false;
  const put = (pieces: readonly Piece[]): boolean => {
    const last = pieces.at(-1);
    if (last === undefined) return true;
    isWithinLine = !last.ends;
    return write(pieces.map((piece) => `${printable(piece.text)}${piece.ends ? '\n' : ''}`).join(''));
  };
  return {
    show: (bytes) => put(text.push(bytes)),
    end() {
      if (!put(text.end())) return false;
      const isOpen = isWithinLine;
      isWithinLine = false;
      return !isOpen || write('\n');
    },
  };
}

/** Characters of a line in one record, at most; a longer one takes several. */
const LONGEST = 64 * 1024;

/** For programs: a record for each line. Of a line that takes several, all but the last say `continues`. */
export function jsonShower(write: Write, { run, attempt }: { run: string; attempt: number }): Shower {
  const text = new OutputText('replaced');
  let line = '';
  const record = (part: string, continues: boolean): string =>
    `${printableJson({ run, attempt, line: part, ...(continues ? { continues } : {}) })}\n`;
  const put = (pieces: readonly Piece[]): boolean => {
    let records = '';
    for (const { text, ends } of pieces) {
      line += text;
      while (line.length > LONGEST) {
        records += record(line.slice(0, LONGEST), true);
        line = line.slice(LONGEST);
      }
      if (!ends) continue;
      records += record(line, false);
      line = '';
    }
    return records === '' || write(records);
  };
  return {
    show: (bytes) => put(text.push(bytes)),
    end() {
      if (!put(text.end())) return false;
      const rest = line;
      line = '';
      return rest === '' || write(record(rest, false));
    },
  };
}
