/** Where `tsched status` begins, which monitors call every few seconds: a file of its own, as `list` has one (list-main.ts). */
import { setOffsetSource } from '../schedule/zone.ts';
import { dateSource } from './offsets.ts';
import { perform } from './perform.ts';
import { Session, type Environment } from './session.ts';
import { statusCall } from './shortcut.ts';
import { status } from './status.ts';

/** As `main` of main.ts, to which everything goes that is not plain: other options, help, mistakes. */
export async function main(args: readonly string[], environment: Environment): Promise<void> {
  const plain = statusCall(args, environment);
  if (plain === undefined) {
    const whole = await import('./main.ts');
    return whole.main(args, environment);
  }
  const session = new Session(environment, Date.now());
  session.color = plain.color;
  return perform(session, () => {
    setOffsetSource(dateSource);
    return status(plain.options, session);
  });
}
