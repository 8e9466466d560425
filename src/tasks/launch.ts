/** What a process to be started is, and what becomes of it. */
import type { Surroundings } from '../model.ts';

/** What is to be started. Strings may hold anything but NUL; they reach the process byte for byte. */
export interface LaunchRequest extends Omit<Surroundings, 'stdin'> {
  /** Program and arguments; a program without a slash is looked for in the PATH of the process's own environment. */
  readonly argv: readonly string[];
  /** Absolute path of a file to be standard input; /dev/null when absent. */
  readonly stdinPath?: string;
  /** Absolute path: stdout and stderr are appended to it (0600). Absent: the daemon's own stdout and stderr. */
  readonly outputPath?: string;
  /**
   * Absolute path of the exit record (exit-record.ts): made before the process is, which is not started where it exists
   * already. How the process ended is written there before it is reported, so it is known even if nobody listens.
   */
  readonly exitPath: string;
}

/** How a process ended. */
export type Ending =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'signalled'; readonly signal: string };

/**
 * What becomes of a request: `not_started`, or `started` and then exactly one of the others (`not_started` after
 * `started`: the process came to be, but could not become the program). Never before `launch` has returned.
 */
export type LaunchEvent =
  /** The process leads a process group of its own: its id is the group's. */
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'not_started'; readonly message: string }
  | Ending
  /** The processes that watched it died; how it ended, or whether it has, is not known. */
  | { readonly kind: 'lost'; readonly message: string };
