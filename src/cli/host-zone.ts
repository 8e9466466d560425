/** The zone of this host, found without Intl where that is possible (its first use costs 16 ms). */
import { readlinkSync } from 'node:fs';
import { zoneOfEnvironment } from '../config/host-zone.ts';
import { checkZone } from '../schedule/zone.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** TZ if it names a zone, else what /etc/localtime links to, else what the system calls it, else UTC. */
export function hostTimezone(environment: Environment): string {
  const { name, isKnown } = zoneOfEnvironment(environment);
  if (isKnown) return name;
  const linked = linkedZone();
  if (linked !== undefined && checkZone(linked) === undefined) return linked;
  return systemZone();
}

function linkedZone(): string | undefined {
  try {
    return /\/zoneinfo\/(.+)$/.exec(readlinkSync('/etc/localtime'))?.[1];
  } catch {
    return undefined; // no such file, or no link: a container, or a copy
  }
}

/** ICU compares /etc/localtime with the zones it knows, but only while TZ is not set. */
function systemZone(): string {
  const ours = process.env.TZ;
  delete process.env.TZ;
  try {
    const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
    return checkZone(timeZone) === undefined ? timeZone : 'UTC';
  } finally {
    if (ours !== undefined) process.env.TZ = ours;
  }
}
