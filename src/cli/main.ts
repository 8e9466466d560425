/** Where the command begins; bin/tsched.js calls it. */
import { printable } from '../observe/text.ts';
import { setOffsetSource } from '../schedule/zone.ts';
import { exit, isFailure } from './exit.ts';
import { dateSource } from './offsets.ts';
import { listCall } from './shortcut.ts';
import { Session, type Environment } from './session.ts';

/**
 * Runs a command and sets the process's exit code.
 *
 * @param environment as the user set it; `process.env` may differ in TZ
 * @param cacheDirectory one that nobody else can write to
 */
export async function main(
  args: readonly string[],
  environment: Environment,
  cacheDirectory?: string,
): Promise<void> {
  const session = new Session(environment, Date.now(), cacheDirectory);
  // Node would print the line of the bundle it happened in, which is as long as a book.
  process.on('uncaughtException', (error) => process.exit(tell(error, session)));
  try {
    process.exitCode = await dispatch(args, session);
  } catch (error) {
    process.exitCode = tell(error, session);
  }
}

async function dispatch(args: readonly string[], session: Session): Promise<number> {
  // A daemon keeps Intl: there 16 ms once are nothing, and TZ is not to be moved under its threads.
  if (args[0] !== 'start') setOffsetSource(dateSource);
  const plain = listCall(args, session.environment);
  if (plain !== undefined) {
    session.color = plain.color;
    const { list } = await import('./list.ts');
    await list(plain.options, session);
    return exit.ok;
  }
  const { run } = await import('./program.ts');
  return run(args, session);
}

function tell(error: unknown, session: Session): number {
  const paint = session.painter('err');
  if (isFailure(error)) {
    const hint = error.hint === undefined ? '' : `; ${error.hint}`;
    session.err(`${paint('red', 'tsched:')} ${error.message}${hint}\n`);
    return error.code;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const lines = text.split('\n').map(printable).join('\n');
  session.err(`${paint('red', 'tsched:')} this is a mistake of tsched itself, please report it:\n${lines}\n`);
  return exit.bug;
}
