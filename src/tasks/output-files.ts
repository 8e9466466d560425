/** The output of runs, for those who read it later or while it grows. */
import { constants } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { OpenOutput, OutputPiece, OutputPlace } from '../engine/ports-operator.ts';
import type { Clock } from '../engine/ports.ts';
import type { Duration, RunId } from '../model.ts';
import { directoryOf, partsOfId } from '../shard.ts';

/** Read at once. Bytes. */
const PIECE = 64 * 1024;
/** Between two looks at a file that may grow. */
const INTERVAL: Duration = 250;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** How far a run has come. */
export interface RunProgress {
  /** Attempts begun. */
  readonly attempts: number;
  readonly over: boolean;
}

export interface OutputFiles {
  /** Undefined when there is none: nothing was written, or it was removed. */
  open(runId: RunId, attempt: number): Promise<OpenOutput | undefined>;
  /** Output from a place on, attempt after attempt, until the run is over and all is told. */
  follow(runId: RunId, from: OutputPlace, watch: Watch): AsyncIterable<OutputPiece>;
}

export interface Watch {
  readonly progress: () => RunProgress;
  readonly signal: AbortSignal;
}

/** @param directory where the runs' directories are */
export function outputFiles(directory: string, clock: Clock): OutputFiles {
  const find = (runId: RunId, attempt: number): Promise<FileHandle | undefined> =>
    openFile(directory, runId, attempt);
  return {
    async open(runId, attempt) {
      const file = await find(runId, attempt);
      if (file === undefined) return undefined;
      const { size } = await file.stat();
      return { attempt, size, read: (start, end) => pieces(file, start, end), close: () => file.close() };
    },
    follow: (runId, from, watch) =>
      follow(from, { ...watch, clock, open: (attempt) => find(runId, attempt) }),
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

interface Following extends Watch {
  readonly clock: Clock;
  readonly open: (attempt: number) => Promise<FileHandle | undefined>;
}

async function* follow(from: OutputPlace, following: Following): AsyncIterable<OutputPiece> {
  const { progress, signal, clock } = following;
  let { attempt, offset } = from;
  while (!signal.aborted) {
    const { attempts, over } = progress();
    // Asked before the reading: what came by then is read, whatever comes later belongs to the next look.
    const isLast = over || attempts > attempt;
    for await (const piece of growth({ attempt, offset, isLast }, following)) {
      ({ offset } = piece);
      yield piece;
      if (signal.aborted) return;
    }
    if (attempts > attempt) {
      attempt += 1;
      offset = 0;
    } else if (over) return;
    else await sleep(clock, signal);
  }
}

/** What came after `offset`. Whole characters only, unless no more will come. */
async function* growth(
  { attempt, offset, isLast }: OutputPlace & { readonly isLast: boolean },
  { open }: Following,
): AsyncIterable<OutputPiece> {
  const file = await open(attempt);
  if (file === undefined) return;
  try {
    const { size } = await file.stat();
    // Shorter than it was: its middle was cut out (output.ts). What follows comes after the cut.
    let at = Math.min(offset, size);
    while (at < size) {
      const length = Math.min(PIECE, size - at);
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
      const bytes = buffer.subarray(0, bytesRead);
      const isEnd = isLast && at + bytesRead >= size;
      const whole = isEnd ? bytes : bytes.subarray(0, bytes.length - cutCharacter(bytes));
      if (whole.length === 0) return;
      at += whole.length;
      yield { attempt, offset: at, text: whole.toString('utf8') };
    }
  } finally {
    await file.close();
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

function sleep(clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const awake = (): void => {
      signal.removeEventListener('abort', awake);
      callOff();
      resolve();
    };
    const callOff = clock.after(INTERVAL, awake);
    signal.addEventListener('abort', awake);
  });
}
