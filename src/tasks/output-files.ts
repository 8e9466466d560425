/** The output of runs, for those who read it later or while it grows. */
import { constants } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { OpenOutput, OutputPiece, OutputPlace } from '../engine/ports-operator.ts';
import { OutputElsewhere, type OutputFiles, type Watch } from '../engine/ports-output.ts';
import type { Clock } from '../engine/ports.ts';
import type { Duration, RunId } from '../model.ts';
import { directoryOf, partsOfId } from '../shard.ts';

/** Read at once. Bytes. */
const PIECE = 64 * 1024;
/** Between two looks at a file that may grow. */
const INTERVAL: Duration = 250;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** @param directory where the runs' directories are */
export function outputFiles(directory: string, clock: Clock): OutputFiles {
  const open = async (runId: RunId, attempt: number): Promise<OpenOutput | undefined> => {
    const file = await openFile(directory, runId, attempt);
    if (file === undefined) return undefined;
    const { size } = await file.stat();
    return { attempt, size, read: (start, end) => pieces(file, start, end), close: () => file.close() };
  };
  return {
    open,
    follow: (runId, from, watch) =>
      followOutput(from, {
        ...watch,
        clock,
        interval: () => INTERVAL,
        open: (attempt) => open(runId, attempt),
      }),
  };
}

/** A run's directory may be a link within `directory`, but nowhere else; a job may have put anything in place of its file. */
async function openFile(directory: string, runId: RunId, attempt: number): Promise<FileHandle | undefined> {
  if (!UUID.test(partsOfId(runId).run)) return undefined;
  let file: FileHandle | undefined;
  try {
    const [root, found] = await Promise.all([
      realpath(directory),
      realpath(join(directory, directoryOf(runId))),
    ]);
    if (!found.startsWith(root + sep)) return undefined;
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    file = await open(join(found, `attempt-${attempt}.log`), flags);
    if ((await file.stat()).isFile()) return file;
  } catch {
    // Not there, or not to be read: the same to those who ask.
  }
  await file?.close();
  return undefined;
}

async function* pieces(file: FileHandle, start: number, end: number): AsyncIterable<Uint8Array> {
  for (let at = start; at < end;) {
    const length = Math.min(PIECE, end - at);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

export interface Following extends Watch {
  readonly clock: Clock;
  /** Between two looks at output that may grow. */
  readonly interval: () => Duration;
  /** @throws OutputElsewhere, which is told in its place, once for each attempt */
  readonly open: (attempt: number) => Promise<OpenOutput | undefined>;
}

/** Output from a place on, attempt after attempt, wherever it is. */
export async function* followOutput(from: OutputPlace, following: Following): AsyncIterable<OutputPiece> {
  const { progress, signal, clock, interval } = following;
  let { attempt, offset } = from;
  let told = 0;
  while (!signal.aborted) {
    const { attempts, over } = progress();
    // Asked before the reading: what came by then is read, whatever comes later belongs to the next look.
    const isLast = over || attempts > attempt;
    try {
      for await (const piece of growth({ attempt, offset, isLast }, following)) {
        ({ offset } = piece);
        yield piece;
        if (signal.aborted) return;
      }
    } catch (error) {
      if (!(error instanceof OutputElsewhere)) throw error;
      if (told !== attempt && !signal.aborted) yield { attempt, offset, text: `… ${error.message}\n` };
      told = attempt;
    }
    if (attempts > attempt) {
      attempt += 1;
      offset = 0;
    } else if (over) return;
    else await sleep(clock, interval(), signal);
  }
}

/** What came after `offset`. Whole characters only, unless no more will come. */
async function* growth(
  { attempt, offset, isLast }: OutputPlace & { readonly isLast: boolean },
  { open }: Following,
): AsyncIterable<OutputPiece> {
  const output = await open(attempt);
  if (output === undefined) return;
  try {
    const { size } = output;
    // Shorter than it was: its middle was cut out (output.ts). What follows comes after the cut.
    let at = Math.min(offset, size);
    let rest: Uint8Array = new Uint8Array();
    for await (const piece of at < size ? output.read(at, size) : []) {
      const bytes =
        rest.length === 0
          ? Buffer.from(piece.buffer, piece.byteOffset, piece.length)
          : Buffer.concat([rest, piece]);
      const isEnd = isLast && at + bytes.length >= size;
      const whole = isEnd ? bytes : bytes.subarray(0, bytes.length - cutCharacter(bytes));
      rest = bytes.subarray(whole.length);
      at += whole.length;
      if (whole.length > 0) yield { attempt, offset: at, text: whole.toString('utf8') };
    }
  } finally {
    await output.close();
  }
}

/** Bytes at the end that are the beginning of a character. */
function cutCharacter(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

function sleep(clock: Clock, delay: Duration, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const awake = (): void => {
      signal.removeEventListener('abort', awake);
      callOff();
      resolve();
    };
    const callOff = clock.after(delay, awake);
    signal.addEventListener('abort', awake);
  });
}
