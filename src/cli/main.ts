/** Where every command begins, but for a plain `list` (list-main.ts); bin/tsched.js calls it. */
import { setOffsetSource } from '../schedule/zone.ts';
import { dateSource } from './offsets.ts';
import { perform } from './perform.ts';
import { Session, type Environment } from './session.ts';

/**
 * Runs a command and sets the process's exit code.
 *
 * @param environment as the user set it; `process.env` may differ in TZ
 */
export function main(args: readonly string[], environment: Environment): Promise<void> {
  const session = new Session(environment, Date.now());
  return perform(session, async () => {
    // A daemon keeps Intl: there 16 ms once are nothing, and TZ is not to be moved under its threads.
    if (args[0] !== 'start' && args[0] !== 'worker') setOffsetSource(dateSource);
    const { run } = await import('./program.ts');
    return run(args, session);
  });
}
