/**
 * The output files of attempts, while processes write them: kept within their bound, and copied to whoever listens.
 *
 * A process has its file open for appending, so whatever the daemon does to it, the next write goes to its end. When a file has
 * grown to twice its bound, its first half-bound and its last stay: the last is read, the file is cut after the first, and a line
 * that says so and what was read are appended. What is written between the reading and the cutting is lost with the middle,
 * so nothing else comes between the two; and a line may come to stand before the marker: the price of a process never waiting
 * for the daemon.
 */
import { constants, fstatSync, ftruncateSync, readSync, statSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Clock } from '../engine/ports.ts';
import type { OutputPolicy } from '../model.ts';
import { LineSplitter } from './lines.ts';

/** Between two looks at the files. Milliseconds. */
const INTERVAL = 250;
/** While a file grows fast. */
const BUSY_INTERVAL = 50;
/** Read from one file in one look, at most; more than that goes unseen once the file is cut. Bytes. */
const PIECE = 1024 * 1024;
/** Cut off without letting go of the loop, at most: some milliseconds. Of more, a moment's output may be lost. Bytes. */
const AT_ONCE = 32 * 1024 * 1024;
/** Copied of a failed attempt's output, at most. Bytes. */
const LAST_WORDS = 16 * 1024;

export type LineListener = (lines: readonly string[]) => void;

export interface OutputWatch {
  /** Begins to watch a file that exists or soon will. `listen` gets the lines that the policy wants; `from` where, if all. */
  watch(
    path: string,
    policy: OutputPolicy,
    listener: { readonly listen: LineListener; readonly from: 'beginning' | 'end' },
  ): WatchedOutput;
  close(): void;
}

export interface WatchedOutput {
  /** The writers are gone. Resolves when the file is within its bound and `listen` has had its last. Never rejects. */
  finish(succeeded: boolean): Promise<void>;
}

/** One timer for all files, and none while there are none. */
export function createOutputWatch(clock: Clock): OutputWatch {
  const files = new Set<OutputFile>();
  let callOff: (() => void) | undefined;
  const look = async (): Promise<void> => {
    const busy = await Promise.all(Array.from(files, (file) => file.look()));
    callOff = undefined;
    arm(busy.includes(true) ? BUSY_INTERVAL : INTERVAL);
  };
  const arm = (delay: number): void => {
    if (files.size > 0) callOff ??= clock.after(delay, () => void look());
  };
  return {
    watch(path, policy, { listen, from }) {
      const file = new OutputFile(path, policy, listen);
      if (from === 'end') file.skip();
      files.add(file);
      arm(INTERVAL);
      return {
        finish(succeeded) {
          files.delete(file);
          return file.finish(succeeded);
        },
      };
    },
    close() {
      files.clear();
      callOff?.();
    },
  };
}

class OutputFile {
  readonly #path: string;
  readonly #policy: OutputPolicy;
  readonly #listen: LineListener;
  readonly #splitter = new LineSplitter();
  /** Where the lines not yet given out begin. */
  #position = 0;
  #removed = 0;
  /** For what stays of the end, while it is cut again and again: new room each time would be megabytes of garbage a second. */
  #room: Buffer | undefined;
  /** Looks come one after the other. */
  #busy: Promise<boolean> = Promise.resolve(false);

  constructor(path: string, policy: OutputPolicy, listen: LineListener) {
    this.#path = path;
    this.#policy = policy;
    this.#listen = listen;
  }

  /** What is there now is not given out. */
  skip(): void {
    this.#position = sizeOf(this.#path);
  }

  /** True when the file grows fast. */
  look(): Promise<boolean> {
    if (this.#quiet(this.#policy.maxSize)) return Promise.resolve(false);
    this.#busy = this.#busy.then(() =>
      this.#withFile((file) => this.#inspect(file, 2 * this.#policy.maxSize)),
    );
    return this.#busy;
  }

  async finish(succeeded: boolean): Promise<void> {
    await this.#busy;
    const wanted = this.#policy.log === 'failures' && !succeeded;
    if (!wanted && this.#quiet(this.#policy.maxSize)) return this.#tell(this.#splitter.end());
    await this.#withFile(async (file) => {
      const { log, maxSize } = this.#policy;
      if (log === 'all') await this.#readAll(file);
      if (log === 'failures' && !succeeded) await this.#readLastWords(file);
      this.#tell(this.#splitter.end());
      return this.#inspect(file, maxSize);
    });
  }

  /** Whether there is nothing to do; costs a hundredth of opening the file, and mostly there is nothing. */
  #quiet(bound: number): boolean {
    const size = sizeOf(this.#path);
    return size <= bound && (this.#policy.log !== 'all' || size === this.#position);
  }

  async #inspect(file: FileHandle, bound: number): Promise<boolean> {
    if (this.#policy.log === 'all') await this.#read(file);
    const { size } = await file.stat();
    if (size <= bound) {
      this.#room = undefined;
      return size > bound / 2;
    }
    await this.#cut(file, size);
    return true;
  }

  /** What is there now, not what a process that got away goes on to write: that may have no end. */
  async #readAll(file: FileHandle): Promise<void> {
    const { size } = await file.stat();
    while (this.#position < size && (await this.#read(file)));
  }

  /** Gives out what came, up to a piece. True when there was anything. */
  async #read(file: FileHandle): Promise<boolean> {
    const { size } = await file.stat();
    if (size < this.#position) this.#position = 0; // emptied by the process itself, as "> /dev/stderr" does
    const length = Math.min(PIECE, size - this.#position);
    if (length <= 0) return false;
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, this.#position);
    this.#position += bytesRead;
    this.#tell(this.#splitter.push(buffer.subarray(0, bytesRead)));
    return bytesRead > 0;
  }

  async #readLastWords(file: FileHandle): Promise<void> {
    const { size } = await file.stat();
    this.#position = Math.max(0, size - LAST_WORDS);
    const cutLine = this.#position > 0;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LAST_WORDS), 0, LAST_WORDS, this.#position);
    const lines = this.#splitter.push(buffer.subarray(0, bytesRead));
    this.#tell(cutLine ? [`… ${this.#position} bytes before this`, ...lines.slice(1)] : lines);
  }

  async #cut(file: FileHandle, size: number): Promise<void> {
    const half = Math.floor(this.#policy.maxSize / 2);
    const room = (this.#room ??= Buffer.allocUnsafe(Math.max(0, half - MARKER_ROOM)));
    let { tail, end } = await readTail(file, { from: half, size, room });
    // What came meanwhile is most often little, and may be the last words.
    for (let tries = 0; tries < 3 && fstatSync(file.fd).size - end > PIECE; tries += 1) {
      ({ tail, end } = await readTail(file, { from: half, size: fstatSync(file.fd).size, room }));
    }
    let more = readMore(file, end);
    end += more.length;
    if (end - half <= AT_ONCE) ftruncateSync(file.fd, half);
    else await file.truncate(half);
    more = more.subarray(Math.max(0, more.length - room.length));
    tail = tail.subarray(Math.max(0, tail.length + more.length - room.length));
    const kept = tail.length + more.length;
    const unseen = end - this.#position;
    this.#removed += Math.max(0, end - half - kept - (this.#removed > 0 ? MARKER_ROOM : 0));
    const marker = Buffer.from(
      `\n[tsched: about ${this.#removed} bytes removed here]`.padEnd(MARKER_ROOM - 1) + '\n',
    );
    await file.writev([marker, tail, more]);
    if (this.#policy.log === 'all' && unseen > 0) this.#tell([`… ${unseen} bytes not shown`]);
    this.#position = half + MARKER_ROOM + kept;
  }

  #tell(lines: readonly string[]): void {
    if (lines.length > 0) this.#listen(lines);
  }

  /** A file that is not there, or cannot be read or written, is left as it is: output is never worth a run. */
  async #withFile(action: (file: FileHandle) => Promise<boolean>): Promise<boolean> {
    const file = await open(this.#path, constants.O_RDWR | constants.O_APPEND).catch(() => undefined);
    if (file === undefined) return false;
    try {
      return await action(file);
    } catch {
      return false;
    } finally {
      await file.close();
    }
  }
}

/** The last bytes of a file of that size, as many as there is room for, none from before `from`; `end` is where they end. */
async function readTail(
  file: FileHandle,
  { from, size, room }: { readonly from: number; readonly size: number; readonly room: Buffer },
): Promise<{ tail: Buffer; end: number }> {
  const start = Math.max(from, size - room.length);
  const { bytesRead } = await file.read(room, 0, size - start, start);
  return { tail: room.subarray(0, bytesRead), end: start + bytesRead };
}

/** What stands after `from`, without letting go of the loop; up to a piece. */
function readMore({ fd }: FileHandle, from: number): Buffer {
  const length = Math.min(PIECE, Math.max(0, fstatSync(fd).size - from));
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, readSync(fd, buffer, 0, length, from));
}

/** Bytes of the line that stands for what was removed; always the same, so that bounds can be reckoned with. */
const MARKER_ROOM = 64;

/** Of a file; 0 when it cannot be seen. */
function sizeOf(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0; // to throw would cost more than to look
  } catch {
    return 0;
  }
}
