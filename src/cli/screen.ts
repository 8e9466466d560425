import type { ReadStream, WriteStream } from 'node:tty';
import type { Session } from './session.ts';

/** Of ECMA-48 and xterm: the other screen, no cursor, no line that goes on in the next; and back. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const REST_OF_LINE = '\u001b[K';
const REST_OF_SCREEN = '\u001b[J';

/** Any of these ends the process; the terminal is to be as it was. */
const ENDS = ['SIGTERM', 'SIGHUP'] as const;

/** q, Q, Ctrl-C, Ctrl-D. */
const LEAVES: ReadonlySet<number> = new Set([0x71, 0x51, 3, 4]);

/** The terminal as a whole, until it is closed. */
export class Screen {
  readonly #session: Session;
  readonly #output: WriteStream;
  readonly #input: ReadStream | undefined;
  #leave: () => void = () => undefined;

  /** Undefined where standard output is no terminal. */
  static ifAny(session: Session): Screen | undefined {
    return process.stdout.isTTY ? new Screen(session) : undefined;
  }

  private constructor(session: Session) {
    this.#session = session;
    this.#output = process.stdout;
    this.#input = process.stdin.isTTY ? process.stdin : undefined;
    session.out(ENTER);
    process.on('SIGINT', this.#interrupted);
    for (const signal of ENDS) process.on(signal, this.#ended);
    this.#input?.setRawMode(true).on('data', this.#typed).resume();
  }

  /** Some terminals do not tell. */
  get rows(): number {
    return this.#output.rows > 0 ? this.#output.rows : 24;
  }

  /** Lines that there is no room for are cut off. */
  draw(text: string): void {
    const lines = text.trimEnd().split('\n').slice(0, this.rows);
    this.#session.out(
      `${HOME}${lines.map((line) => `${line}${REST_OF_LINE}`).join('\r\n')}${REST_OF_SCREEN}`,
    );
  }

  /** The user has had enough. */
  onLeave(leave: () => void): void {
    this.#leave = leave;
  }

  close(): void {
    process.off('SIGINT', this.#interrupted);
    for (const signal of ENDS) process.off(signal, this.#ended);
    this.#input?.off('data', this.#typed).setRawMode(false).pause();
    this.#session.out(LEAVE);
  }

  readonly #interrupted = (): void => this.#leave();

  readonly #typed = (bytes: Buffer): void => {
    if (bytes.some((byte) => LEAVES.has(byte))) this.#leave();
  };

  readonly #ended = (signal: NodeJS.Signals): void => {
    this.close();
    process.kill(process.pid, signal);
  };
}
