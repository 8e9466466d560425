/** What a command finds around it: the user's environment, the time, and where to write. */
import { fstatSync, statSync, writeSync } from 'node:fs';
import type { styleText } from 'node:util';
import type { Instant } from '../model.ts';
import { exit, Failure } from './exit.ts';
import { hostTimezone, type Environment } from './host-zone.ts';

export type { Environment } from './host-zone.ts';

export type Style = Parameters<typeof styleText>[0];

export class Session {
  /** As the user set it; `process.env.TZ` is ours. */
  readonly environment: Environment;
  readonly now: Instant;
  /** Undecided: by the terminal and the environment. */
  color: boolean | undefined;
  #hostTimezone: string | undefined;

  constructor(environment: Environment, now: Instant) {
    this.environment = environment;
    this.now = now;
  }

  /** The zone of a job that names none. */
  get hostTimezone(): string {
    return (this.#hostTimezone ??= hostTimezone(this.environment));
  }

  /** What was asked for: standard output. False: its reader has gone, and there is no need to go on. */
  out(text: string | Uint8Array): boolean {
    return write(1, text);
  }

  /** What is said about it: standard error. */
  err(text: string): void {
    write(2, text);
  }

  /** Whether colour is wanted on a stream. A flag wins over FORCE_COLOR, that over NO_COLOR, that over the terminal. */
  colorOn(stream: 'out' | 'err'): boolean {
    if (this.color !== undefined) return this.color;
    const { FORCE_COLOR, NO_COLOR, TERM } = this.environment;
    if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0';
    if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
    return TERM !== 'dumb' && isTerminal(stream === 'out' ? 1 : 2);
  }

  /** Characters that a line of standard output has room for. Undefined: it is no terminal, or one that does not tell. */
  get columns(): number | undefined {
    if (!isTerminal(1)) return undefined;
    const { columns } = process.stdout;
    return columns > 0 ? columns : undefined;
  }

  /** A painter for one stream, which leaves text as it is where colour is not wanted. */
  painter(stream: 'out' | 'err'): (style: Style, text: string) => string {
    if (!this.colorOn(stream)) return (_, text) => text;
    const { styleText } = process.getBuiltinModule('node:util');
    return (style, text) => (text === '' ? '' : styleText(style, text, { validateStream: false }));
  }
}

/** `node:tty` loads all of Node's networking, 4 ms for a command whose output goes elsewhere, so it is asked last. */
function isTerminal(fd: number): boolean {
  const stat = fstatSync(fd);
  if (!stat.isCharacterDevice() || stat.rdev === statSync('/dev/null').rdev) return false;
  return process.getBuiltinModule('node:tty').isatty(fd);
}

/**
 * Writes all of it before it returns: nothing is lost when the process ends, and `process.stdout`, which costs a
 * millisecond or two to set up, is not needed. A reader that has gone (`| head`) changes nothing else: least of all may it
 * end a run, or a command whose exit code somebody waits for.
 *
 * @throws Failure when standard output takes no more: whoever asked must not take a part for the whole. For standard error
 * there is nobody left to tell.
 */
function write(fd: number, text: string | Uint8Array): boolean {
  let rest = typeof text === 'string' ? Buffer.from(text) : text;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE' || (code !== 'EAGAIN' && fd === 2)) return false;
      if (code !== 'EAGAIN') throw new Failure(exit.cannotCreate, `cannot write the output: ${message}`);
      // A pipe that somebody made non-blocking is full: let its reader read.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  return true;
}
