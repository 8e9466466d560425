import type { Command } from './options.ts';
import type { Session } from './session.ts';

/** What every command gets. */
export interface Seen {
  readonly session: Session;
  /** Takes the exit code. */
  readonly end: (code: number) => void;
  /** The program with all its commands. */
  readonly whole: () => Command;
}
