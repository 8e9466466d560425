/**
 * Where `tsched list` begins. Scripts and prompts call it all day long, so it is built as a file of its own that holds only
 * what a plain call needs: what is not in there need not be read, decoded and set up.
 */
import { setOffsetSource } from '../schedule/zone.ts';
import { exit } from './exit.ts';
import { list } from './list.ts';
import { dateSource } from './offsets.ts';
import { perform } from './perform.ts';
import { Session, type Environment } from './session.ts';
import { listCall } from './shortcut.ts';

/** As `main` of main.ts, to which everything goes that is not plain: other options, help, mistakes. */
export async function main(args: readonly string[], environment: Environment): Promise<void> {
  const plain = listCall(args, environment);
  if (plain === undefined) {
    const whole = await import('./main.ts');
    return whole.main(args, environment);
  }
  const session = new Session(environment, Date.now());
  session.color = plain.color;
  return perform(session, async () => {
    setOffsetSource(dateSource);
    await list(plain.options, session);
    return exit.ok;
  });
}
