/**
 * Where log lines go: standard output, or a file that may be rotated away, fill up, or vanish. Writing is synchronous, so
 * that a line is out before whatever happens next, and it never throws: what cannot be written is counted, and the count is
 * told as soon as writing works again. (winston's own file transport stays silent for ever after one full disk, and its
 * console transport dies with the reader of a pipe.)
 */
import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';

/** Characters held for a reader that is slower than the daemon; beyond it lines are dropped. */
const MOST_WAITING = 1024 * 1024;
/** How soon a slow reader is tried again. */
const RETRY_AFTER: Duration = 50;
/** How often a file is looked at: is it still the one of that name? */
const LOOK_EVERY: Duration = 5_000;

export interface SinkOptions {
  readonly target: { readonly fd: number } | { readonly path: string };
  readonly clock: Clock;
  /** The line to write, once writing works again, in place of `count` lines that were not written. */
  readonly gap: (count: number, reason: string) => string;
  /** Told of each line that is not written, and why. */
  readonly onLost?: (line: string, reason: string) => void;
}

interface Entry {
  readonly text: string;
  /** Lines that a gap line stands for; 0 for a line of its own. */
  readonly standsFor: number;
}

export class Sink {
  readonly #options: SinkOptions;
  #fd: number;
  #queue: Entry[] = [];
  #waiting = 0;
  /** What is left to write of the first in the queue, once begun. */
  #rest: Buffer | undefined;
  /** The last line written was cut short. */
  #torn = false;
  /** Lines lost that no gap line tells of yet. */
  #missed = 0;
  #reason = '';
  #dropped = 0;
  #lookedAt: Duration;
  #cancelRetry: (() => void) | undefined;

  /** @throws Error (with `code`) when a file cannot be opened: at the start that is the user's to mend. */
  constructor(options: SinkOptions) {
    this.#options = options;
    this.#fd = open(options.target);
    this.#lookedAt = options.clock.monotonic();
  }

  /** Lines of its own that were not written, ever. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Writes a line (given without its newline), now or, to a slow reader, soon. */
  write(line: string): void {
    this.#look();
    if (this.#waiting + line.length > MOST_WAITING && this.#queue.length > 0) {
      this.#lose({ text: line, standsFor: 0 }, 'the reader is too slow');
      return;
    }
    this.#tellGap();
    this.#push({ text: line, standsFor: 0 });
    this.#drain();
  }

  /** Opens the file of this name again: after a rotation. Does nothing for a stream. */
  reopen(): void {
    if (!('path' in this.#options.target)) return;
    const before = this.#fd;
    try {
      this.#fd = open(this.#options.target);
    } catch (error) {
      // The old file still takes lines: better where it was moved to than nowhere.
      this.#options.onLost?.(`cannot open ${this.#options.target.path} again`, messageOf(error));
      return;
    }
    this.#torn = false;
    closeSync(before);
  }

  /** Writes what can be written at once; then lets go of the file. Nothing may be written after. */
  close(): void {
    this.#tellGap();
    this.#drain();
    this.#cancelRetry?.();
    for (const entry of this.#queue.splice(0))
      this.#lose(entry, 'tsched stopped before its reader had read it');
    if ('path' in this.#options.target) closeSync(this.#fd);
  }

  #push(entry: Entry): void {
    this.#queue.push(entry);
    this.#waiting += entry.text.length;
  }

  #tellGap(): void {
    if (this.#missed === 0) return;
    this.#push({ text: this.#options.gap(this.#missed, this.#reason), standsFor: this.#missed });
    this.#missed = 0;
  }

  #drain(): void {
    try {
      for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
        this.#writeLine(first.text);
        this.#queue.shift();
        this.#waiting -= first.text.length;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') this.#retrySoon();
      else this.#loseAll(messageOf(error));
    }
  }

  #writeLine(text: string): void {
    this.#rest ??= Buffer.from(`${this.#torn ? '\n' : ''}${text}\n`);
    while (this.#rest.length > 0) {
      this.#rest = this.#rest.subarray(writeSync(this.#fd, this.#rest));
      this.#torn = this.#rest.length > 0;
    }
    this.#rest = undefined;
  }

  #retrySoon(): void {
    this.#cancelRetry ??= this.#options.clock.after(RETRY_AFTER, () => {
      this.#cancelRetry = undefined;
      this.#drain();
    });
  }

  #loseAll(reason: string): void {
    this.#rest = undefined;
    this.#waiting = 0;
    for (const entry of this.#queue.splice(0)) this.#lose(entry, reason);
  }

  #lose(entry: Entry, reason: string): void {
    this.#reason = reason;
    this.#missed += Math.max(1, entry.standsFor);
    if (entry.standsFor > 0) return;
    this.#dropped += 1;
    this.#options.onLost?.(entry.text, reason);
  }

  /** A file that was renamed or deleted is opened anew, within seconds and without being told. */
  #look(): void {
    const { target, clock } = this.#options;
    if (!('path' in target) || clock.monotonic() - this.#lookedAt < LOOK_EVERY) return;
    this.#lookedAt = clock.monotonic();
    const now = statSync(target.path, { throwIfNoEntry: false });
    const held = fstatSync(this.#fd);
    if (now === undefined || now.ino !== held.ino || now.dev !== held.dev) this.reopen();
  }
}

/** Log files hold what jobs print, so only their owner reads them. */
function open(target: SinkOptions['target']): number {
  return 'path' in target ? openSync(target.path, 'a', 0o600) : target.fd;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
