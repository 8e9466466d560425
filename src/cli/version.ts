import { readFileSync } from 'node:fs';

/** Set by the build. */
declare const TSCHED_VERSION: string | undefined;

export const version: string = typeof TSCHED_VERSION === 'string' ? TSCHED_VERSION : fromPackage();

/** When the sources run as they are. */
function fromPackage(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
