/** What the environment says of the zone of this host. */
import { checkZone } from '../schedule/zone-name.ts';
import type { Diagnostic } from './diagnostic.ts';

/** What TZ names, as an IANA name if it is one: `:Europe/Berlin` and paths below zoneinfo/ are of one, `CET-1CEST` is not. */
export function zoneOfEnvironment(environment: Readonly<Record<string, string | undefined>>): {
  readonly name: string;
  readonly isKnown: boolean;
} {
  const name = (environment.TZ ?? '').replace(/^:/, '').replace(/^.*\/zoneinfo\//, '');
  return { name, isKnown: name !== '' && checkZone(name) === undefined };
}

/** That jobs without a zone go by `taken`, where TZ asks for something that is no IANA zone. Other programs do as it says. */
export function strangeZone(
  file: string,
  environment: Readonly<Record<string, string | undefined>>,
  taken: string,
): Diagnostic[] {
  const { name, isKnown } = zoneOfEnvironment(environment);
  if (name === '' || isKnown) return [];
  const message = `TZ=${environment.TZ} is no IANA time zone: jobs that name none go by ${taken}`;
  const hint = 'write e.g. timezone: Europe/Berlin at the top of the file';
  return [{ severity: 'warning', file, line: 1, column: 1, length: 0, path: '', message, hint }];
}
