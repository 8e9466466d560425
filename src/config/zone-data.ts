/**
 * Is Node's time zone data older than this system's? Node carries its own, and a government's change of mind reaches it
 * months after the system's package.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duration, Instant, JobDefinition } from '../model.ts';
import { parseTzif, type ZoneTable } from '../schedule/tzif.ts';
import { zoneOf } from '../schedule/zone.ts';

/** Where systems keep theirs, unless TZDIR says otherwise (tzset(3)). */
export const ZONEINFO = '/usr/share/zoneinfo';

/** How far ahead they are compared. */
const AHEAD: Duration = 2 * 365 * 86_400_000;

/** Zones named one by one. */
const MOST_NAMED = 10;

export interface ZoneDataOptions {
  /** The system's zone files. */
  readonly directory: string;
  /** Version of Node's zone data, e.g. 2025b. */
  readonly ours: string;
  readonly now: Instant;
  readonly jobs: Iterable<JobDefinition>;
}

/**
 * What to tell the user when the system knows better than Node when jobs are due: the zones of these jobs whose clocks
 * the two read differently within two years. Undefined when all is well; with equal versions only a line is read.
 */
export async function zoneDataWarning(options: ZoneDataOptions): Promise<string | undefined> {
  const { directory, ours, now } = options;
  const theirs = systemVersion(directory);
  // 2025a < 2025b < 2026a: the alphabet orders them.
  if (theirs === undefined || theirs <= ours) return undefined;
  const differences: string[] = [];
  for (const timezone of zonesOf(options.jobs)) {
    const system = await read(join(directory, timezone));
    const from = system === undefined ? undefined : firstDifference(timezone, system, now);
    if (from !== undefined)
      differences.push(`${timezone} (from ${new Date(from).toISOString().slice(0, 10)})`);
  }
  if (differences.length === 0) return undefined;
  return (
    `Node's time zone data is ${ours}, this system's ${theirs}. They differ about ${listed(differences)}: ` +
    'jobs there run by the older rules until Node is updated'
  );
}

/** The zones that say when something is due: elapsed time is the same everywhere. */
function zonesOf(jobs: Iterable<JobDefinition>): ReadonlySet<string> {
  const zones = new Set<string>();
  for (const { enabled, schedule } of jobs) {
    if (enabled && schedule.triggers.some(({ kind }) => kind === 'cron' || kind === 'at'))
      zones.add(schedule.timezone);
  }
  return zones;
}

/** From the first line of `tzdata.zi` (Linux) or from `+VERSION` (BSD, macOS). */
function systemVersion(directory: string): string | undefined {
  const [, version] =
    /^# version (\d{4}[a-z]+)/v.exec(head(join(directory, 'tzdata.zi'))) ??
    /^(\d{4}[a-z]+)/v.exec(head(join(directory, '+VERSION'))) ??
    [];
  return version;
}

function head(path: string): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    const buffer = Buffer.alloc(64);
    return buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, buffer.length, 0));
  } catch {
    return ''; // not there: nothing to compare with
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

async function read(path: string): Promise<ZoneTable | undefined> {
  try {
    return parseTzif(await readFile(path));
  } catch {
    return undefined; // the system has no such zone
  }
}

/** Offsets are constant between changes, so both agree wherever they agree at every change of either. */
function firstDifference(timezone: string, system: ZoneTable, now: Instant): Instant | undefined {
  const zone = zoneOf(timezone);
  const until = now + AHEAD;
  const changes = [now, ...system.changesBetween(now, until)];
  for (let span = zone.at(now); span.until < until; span = zone.at(span.until)) changes.push(span.until);
  return changes.sort((a, b) => a - b).find((at) => zone.at(at).offset !== system.offsetAt(at));
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMED).join(', ');
  const more = names.length - MOST_NAMED;
  return more > 0 ? `${shown} and ${more} more` : shown;
}
