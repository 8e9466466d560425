import type { Notifier } from '../model.ts';

/** What of a notifier must not be seen: whole addresses, and the parts of them that a server's answer may repeat. */
export function secretsOf(notifier: Notifier): string[] {
  switch (notifier.kind) {
    case 'mail':
      return partsOf(notifier.smtp);
    case 'webhook':
      return [
        ...partsOf(notifier.url),
        ...(notifier.secret === undefined ? [] : [notifier.secret]),
        ...Object.values(notifier.headers),
      ];
    case 'command':
      return [];
  }
}

/** The address, what is in it of user, password, path and query, and all that as a server gets it: decoded, in base64. */
export function partsOf(address: string): string[] {
  const url = URL.parse(address);
  if (url === null) return [address];
  const { username, password, pathname, search } = url;
  const parts = [username, password, pathname.slice(1), ...pathname.split('/'), search.slice(1)];
  const plain = parts.map(decoded);
  const login = Buffer.from(`\0${decoded(username)}\0${decoded(password)}`).toString('base64');
  const coded = [decoded(username), decoded(password)].map((part) => Buffer.from(part).toString('base64'));
  return [address, ...parts, ...plain, ...(password === '' ? [] : [login, ...coded])];
}

/** Shorter ones are no secrets, and would be found in every other word. */
const SHORTEST = 4;

/** The text without any of the secrets. */
export function without(secrets: readonly string[], text: string): string {
  const longestFirst = [...new Set(secrets)].sort((a, b) => b.length - a.length);
  let clean = text;
  for (const secret of longestFirst) if (secret.length >= SHORTEST) clean = clean.replaceAll(secret, '***');
  return clean;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
