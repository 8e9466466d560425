/** How commands end: the numbers of sysexits(3), and what a person is told first. */

export const exit = {
  ok: 0,
  /** The answer is no. */
  no: 1,
  /** Wrong words on the command line, or an id that does not exist. */
  usage: 64,
  /** A file that should be read is not there. */
  noInput: 66,
  /** No daemon to talk to. */
  unavailable: 69,
  /** A mistake of tsched's own. */
  bug: 70,
  /** A file cannot be made. */
  cannotCreate: 73,
  /** A daemon is running on this state already. */
  alreadyRunning: 75,
  notAllowed: 77,
  /** The job file is bad. */
  badFile: 78,
  /** Of `run-once`, as coreutils have it: the job could not be run at all. */
  runFailed: 125,
} as const;

/** Ends a command with a message for its user, never with a stack trace. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: number;
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(code: number, message: string, hint?: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** By name: the commands that are built as modules of their own have their own class of it. */
export function isFailure(error: unknown): error is Failure {
  return error instanceof Error && error.name === 'Failure' && 'code' in error;
}
