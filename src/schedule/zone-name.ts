import type { Problem } from './problem.ts';
import { suggest } from './suggest.ts';

/** Names in everyday use that Intl.supportedValuesOf leaves out: it lists each zone once, often by its older name. */
const OTHER_NAMES = [
  'UTC',
  'GMT',
  'Etc/UTC',
  'Etc/GMT',
  'Europe/Kyiv',
  'Asia/Kolkata',
  'Asia/Ho_Chi_Minh',
  'Asia/Kathmandu',
  'Asia/Yangon',
  'America/Argentina/Buenos_Aires',
  'America/Nuuk',
  'Atlantic/Faroe',
  'Pacific/Pohnpei',
  'Pacific/Kanton',
  'US/Eastern',
  'US/Central',
  'US/Mountain',
  'US/Pacific',
];

/** Abbreviations that ICU takes for some zone of its own choice, though half the world means another by them. */
const ABBREVIATION = /^(?!(?:UTC|UCT|GMT|EST|MST|HST|CET|MET|EET|WET|PRC|ROC|ROK)$)[A-Z]{3}$/i;

/**
 * The zone names of the Node that built this, one a line, and the version of the zone data it had them from. Set by the
 * build: Intl takes 2 ms to list them.
 */
declare const TSCHED_ZONES: { readonly names: string; readonly version: string } | undefined;

/** Whether this is a zone's name, spelt as usual, by the names written here and built in. Zones are never taken out of the data. */
function isBuiltIn(name: string): boolean {
  if (OTHER_NAMES.includes(name)) return true;
  if (typeof TSCHED_ZONES !== 'object' || (process.versions.tz ?? '') < TSCHED_ZONES.version) return false;
  return name !== '' && !name.includes('\n') && TSCHED_ZONES.names.includes(`\n${name}\n`);
}

let known: ReadonlyMap<string, string> | undefined;

/** Names by their lower-case spelling. Far cheaper than the first use of Intl.DateTimeFormat (2 ms against 16). */
function knownNames(): ReadonlyMap<string, string> {
  known ??= new Map(
    [...Intl.supportedValuesOf('timeZone'), ...OTHER_NAMES].map((name) => [name.toLowerCase(), name]),
  );
  return known;
}

/** What is wrong with a zone's name; undefined when it is an IANA zone, in any case of letters. */
export function checkZone(name: string): Problem | undefined {
  return canonicalZone(name) === undefined ? refuse(name) : undefined;
}

/** The name as the zone database spells it (`europe/berlin` → `Europe/Berlin`); undefined when there is no such zone. */
export function canonicalZone(name: string): string | undefined {
  if (isBuiltIn(name)) return name;
  const listed = knownNames().get(name.toLowerCase());
  if (listed !== undefined) return listed;
  if (ABBREVIATION.test(name) || !/^[A-Za-z][\w+/-]*$/.test(name) || /^SystemV\//i.test(name))
    return undefined;
  try {
    const resolved = new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
    // An old name (US/Eastern) resolves to another: keep what was written if it is spelt as usual.
    const usual = /^[A-Z]/.test(name) && !/\/[a-z]/.test(name);
    return usual ? name : resolved;
  } catch {
    return undefined;
  }
}

function refuse(name: string): Problem {
  const shown = name.length > 60 ? `${name.slice(0, 60)}…` : name;
  const message = `unknown time zone "${shown}"`;
  if (/^(?:local|system|localtime|default)$/i.test(name))
    return { message, hint: 'leave `timezone:` away to use the zone of the system' };
  if (/^(?:(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?)$/i.test(name)) {
    return { message, hint: 'write a zone such as Europe/Berlin: an offset does not follow clock changes' };
  }
  if (/^[A-Z]{3,4}$/i.test(name))
    return {
      message,
      hint: 'an abbreviation may mean several zones: write e.g. America/Los_Angeles or Asia/Kolkata',
    };
  const near = name.length > 60 ? undefined : nearest(name);
  return {
    message,
    hint: near === undefined ? 'write an IANA name such as Europe/Berlin or UTC' : `did you mean ${near}?`,
  };
}

/** `Europe/Shanghai` → `Asia/Shanghai`; `Europe/Berln` → `Europe/Berlin`; `Sao Paulo` → `America/Sao_Paulo`. */
function nearest(name: string): string | undefined {
  const names = [...knownNames().values()];
  const city = (text: string): string => text.slice(text.lastIndexOf('/') + 1);
  const wanted = city(name).replaceAll(' ', '_').toLowerCase();
  const sameCity = names.find((candidate) => city(candidate).toLowerCase() === wanted);
  const near = sameCity ?? suggest(name, names);
  if (near !== undefined) return near;
  const nearCity = suggest(wanted, names.map(city));
  return nearCity === undefined ? undefined : names.find((candidate) => city(candidate) === nearCity);
}
