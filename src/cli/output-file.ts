/** The file of an attempt's output, read in pieces, perhaps while it grows. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** Bytes read at once. */
const PIECE = 256 * 1024;

/** What is in the file from `from` on, up to its present end. Gives where it ended; undefined when there is no file. */
export function readFrom(
  path: string,
  from: number,
  take: (bytes: Buffer) => boolean,
): { readonly position: number; readonly cut: boolean } | undefined {
  const file = open(path);
  if (file === undefined) return undefined;
  try {
    const { size } = fstatSync(file);
    // The daemon cuts the middle out of what grows too large: how much of the rest was shown nobody can tell.
    const cut = size < from;
    let position = Math.min(from, size);
    const buffer = Buffer.allocUnsafe(Math.min(PIECE, Math.max(size - position, 1)));
    while (position < size) {
      const count = readSync(file, buffer, 0, Math.min(buffer.length, size - position), position);
      if (count === 0) break;
      position += count;
      if (!take(buffer.subarray(0, count))) break;
    }
    return { position, cut };
  } finally {
    closeSync(file);
  }
}

/** Where the last `count` lines of the file begin, and how many there are if they are fewer; undefined when there is no file. */
export function tailOf(
  path: string,
  count: number,
): { readonly position: number; readonly lines: number } | undefined {
  const file = open(path);
  if (file === undefined) return undefined;
  try {
    return seekBack(file, fstatSync(file).size, count);
  } finally {
    closeSync(file);
  }
}

function seekBack(file: number, size: number, count: number): { position: number; lines: number } {
  if (size === 0 || count === 0) return { position: size, lines: 0 };
  const buffer = Buffer.allocUnsafe(PIECE);
  let lines = 0;
  for (let end = size; end > 0; end -= PIECE) {
    const begin = Math.max(0, end - PIECE);
    const read = readSync(file, buffer, 0, end - begin, begin);
    let at = buffer.subarray(0, read).lastIndexOf(10);
    for (; at >= 0; at = at === 0 ? -1 : buffer.lastIndexOf(10, at - 1)) {
      // What stands behind this end is a line, if anything does.
      if (begin + at + 1 < size) lines += 1;
      if (lines === count) return { position: begin + at + 1, lines };
    }
  }
  return { position: 0, lines: lines + 1 };
}

/** Undefined when there is none. NONBLOCK: a job may have put a pipe in its place. */
function open(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
