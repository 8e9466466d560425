import { join, resolve } from 'node:path';
import { exit, Failure } from './exit.ts';
import type { Environment } from './host-zone.ts';

/**
 * Where the daemon keeps history and output, as an absolute path: as named, else the first of systemd's, else /var/lib/tsched for root, else below
 * $XDG_STATE_HOME or ~/.local/state. A relative XDG path is ignored, as its specification says.
 */
export function stateDirectory(named: string | undefined, environment: Environment): string {
  if (named !== undefined && named !== '') return resolve(named);
  const bySystemd = environment.STATE_DIRECTORY?.split(':')[0];
  if (bySystemd !== undefined && bySystemd !== '') return resolve(bySystemd);
  if (process.geteuid?.() === 0) return '/var/lib/tsched';
  const { XDG_STATE_HOME, HOME } = environment;
  if (XDG_STATE_HOME?.startsWith('/') === true) return join(XDG_STATE_HOME, 'tsched');
  if (HOME !== undefined && HOME !== '') return join(HOME, '.local/state/tsched');
  throw new Failure(exit.usage, 'there is no HOME to keep state in', 'name a directory with --state-dir');
}
