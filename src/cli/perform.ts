import { printable } from '../observe/text.ts';
import { exit, isFailure } from './exit.ts';
import type { Session } from './session.ts';

/** Does a command's work and sets the process's exit code. Whatever goes wrong is told, never thrown. */
export async function perform(session: Session, work: () => Promise<number>): Promise<void> {
  // Node would print the line of the bundle it happened in, which is as long as a book.
  process.on('uncaughtException', (error) => process.exit(tell(error, session)));
  try {
    process.exitCode = await work();
  } catch (error) {
    process.exitCode = tell(error, session);
  }
}

function tell(error: unknown, session: Session): number {
  const paint = session.painter('err');
  if (isFailure(error)) {
    const hint = error.hint === undefined ? '' : `; ${error.hint}`;
    session.err(`${paint('red', 'tsched:')} ${error.message}${hint}\n`);
    return error.code;
  }
  if (error instanceof Error && 'syscall' in error && error.syscall === 'uv_cwd') {
    session.err(
      `${paint('red', 'tsched:')} the current directory is not there any more; cd to one that is\n`,
    );
    return exit.noInput;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const lines = text.split('\n').map(printable).join('\n');
  session.err(`${paint('red', 'tsched:')} this is a mistake of tsched itself, please report it:\n${lines}\n`);
  return exit.bug;
}
