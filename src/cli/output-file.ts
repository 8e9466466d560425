/** An attempt's output, read in pieces, perhaps while it grows; and the file it is in. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { printable } from '../observe/text.ts';
import { exit, Failure } from './exit.ts';

/** Bytes read at once. */
const PIECE = 256 * 1024;

/** What an attempt has printed, as it is now. Close it. */
export interface OpenOutput {
  readonly size: number;
  /** So many bytes from there on; fewer where there are no more. What it gives may be written over by the next call. */
  read(from: number, length: number): Buffer | Promise<Buffer>;
  close(): void;
}

/** What is in it from `from` on. Gives where it ended. */
export async function readFrom(
  output: OpenOutput,
  from: number,
  take: (bytes: Buffer) => boolean,
): Promise<{ readonly position: number; readonly cut: boolean }> {
  // The daemon cuts the middle out of what grows too large: how much of the rest was shown nobody can tell.
  const { size } = output;
  const cut = size < from;
  let position = Math.min(from, size);
  while (position < size) {
    const bytes = await output.read(position, Math.min(PIECE, size - position));
    if (bytes.length === 0) break;
    position += bytes.length;
    if (!take(bytes)) break;
  }
  return { position, cut };
}

/** Where the last `count` lines of it begin, and how many there are if they are fewer. */
export async function tailOf(
  output: OpenOutput,
  count: number,
): Promise<{ readonly position: number; readonly lines: number }> {
  const { size } = output;
  if (size === 0 || count === 0) return { position: size, lines: 0 };
  let lines = 0;
  for (let end = size; end > 0; end -= PIECE) {
    const begin = Math.max(0, end - PIECE);
    const bytes = await output.read(begin, end - begin);
    let at = bytes.lastIndexOf(10);
    for (; at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(10, at - 1)) {
      // What stands behind this end is a line, if anything does.
      if (begin + at + 1 < size) lines += 1;
      if (lines === count) return { position: begin + at + 1, lines };
    }
  }
  return { position: 0, lines: lines + 1 };
}

/**
 * Undefined when there is no such file. NONBLOCK: a job may have put a pipe in its place.
 * @throws Failure when it may not be read
 */
export function openOutput(path: string): OpenOutput | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new Failure(exit.notAllowed, `cannot read the output: ${printable(message)}`);
  }
  const stat = fstatSync(file);
  if (!stat.isFile()) {
    closeSync(file);
    return undefined;
  }
  const buffer = Buffer.allocUnsafe(Math.min(PIECE, Math.max(stat.size, 1)));
  return {
    size: stat.size,
    read: (from, length) =>
      buffer.subarray(0, readSync(file, buffer, 0, Math.min(length, buffer.length), from)),
    close: () => closeSync(file),
  };
}
