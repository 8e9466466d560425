/** The two packages that a cluster needs and one machine does not: a person installs them, so they may be missing, or be others. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { DatabaseUnfit } from './errors.ts';

/** What was tested, and from which version on. npm heeds `peerDependencies` only where one project has all; so they are here too, and tested to be the same. */
export const PEERS = { pg: [8, 23], 'pg-boss': [12, 38] } as const;

export type Peer = keyof typeof PEERS;

const INSTALL =
  'install them beside tsched: npm install pg@8 pg-boss@12 (with -g, if tsched was installed so)';

/**
 * Loads one of them.
 * @throws DatabaseUnfit when it is not installed, or in a version that is not known to do: another pg-boss would have other tables
 */
export async function loadPeer<T>(load: () => Promise<T>, name: Peer): Promise<T> {
  const version = versionOf(name);
  if (version !== undefined && !isFit(name, version)) {
    const [major, minor] = PEERS[name];
    const wanted = `tsched needs ${name} ${major}, from ${major}.${minor} on`;
    throw new DatabaseUnfit(`${wanted}; ${version} is installed`, INSTALL, 'packages');
  }
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new DatabaseUnfit(
      'a store in PostgreSQL needs the packages pg and pg-boss, which are not installed',
      INSTALL,
      'packages',
    );
  }
}

/** Whether this version of it is one that tsched works with. */
export function isFit(name: Peer, version: string): boolean {
  const [major, minor] = PEERS[name];
  const [itsMajor = 0, itsMinor = 0] = version.split('.').map(Number);
  return itsMajor === major && itsMinor >= minor;
}

/** What a package says of itself. */
interface Manifest {
  readonly version?: string;
  readonly pgboss?: { readonly schema?: number };
}

/** The pg-boss that is installed here, and up to which version it knows its tables; undefined when it is not there, or does not tell. */
export function installedQueue(): { readonly version: string; readonly schema: number } | undefined {
  const { version, pgboss } = manifestOf('pg-boss') ?? {};
  const schema = pgboss?.schema;
  return version === undefined || schema === undefined ? undefined : { version, schema };
}

function versionOf(name: Peer): string | undefined {
  return manifestOf(name)?.version;
}

function manifestOf(name: Peer): Manifest | undefined {
  try {
    const text = readFileSync(createRequire(import.meta.url).resolve(`${name}/package.json`), 'utf8');
    return JSON.parse(text) as Manifest;
  } catch {
    return undefined;
  }
}
