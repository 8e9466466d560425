/**
 * What `tsched list` found in a job file, kept for its next call: while the file's text is the same, nothing needs to be
 * parsed. Reading and checking a file of twenty jobs takes as long as starting Node, and scripts and prompts list often.
 *
 * Only what depends on the text alone is kept: no file with includes, env files, interpolation or warnings.
 */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LoadedFile } from '../config/load.ts';
import type { Instant } from '../model.ts';
import { later, type ListedJob } from './listed-job.ts';
import type { Session } from './session.ts';
import { version } from './version.ts';

export interface Listing {
  readonly path: string;
  readonly timezone: string;
  readonly jobs: readonly ListedJob[];
}

interface Memory extends Listing {
  /** What else the listing depends on. */
  readonly key: string;
  readonly text: string;
  readonly at: Instant;
}

/** Larger files are rare, and most of a listing's time is then spent on showing it. */
const LARGEST = 256 * 1024;

/** The listing of a file as it is now, when it is known from before. */
export function recall(file: string, session: Session): Listing | undefined {
  const path = resolve(file);
  const place = placeOf(path, session);
  if (place === undefined) return undefined;
  try {
    const memory = JSON.parse(readFileSync(place, 'utf8')) as Memory;
    const same = memory.path === path && memory.key === keyOf(session) && memory.at <= session.now;
    if (!same || textOf(path) !== memory.text) return undefined;
    return { ...memory, jobs: memory.jobs.map((job) => later(job, session.now)) };
  } catch {
    return undefined; // never listed, or half a memory, or the file is gone: the long way says what is wrong
  }
}

/** Makes a listing by the long way, and keeps it where that is possible and what it says will stay true. */
export async function listAndRemember(
  path: string,
  session: Session,
  load: () => Promise<{ readonly listing: Listing; readonly file: LoadedFile }>,
): Promise<Listing> {
  const before = textOf(path);
  const { listing, file } = await load();
  // Read again after: what was listed is then what both readings saw.
  if (before !== undefined && dependsOnTextAlone(file, before) && textOf(path) === before) {
    keep(listing, before, session);
  }
  return listing;
}

function textOf(path: string): string | undefined {
  try {
    return statSync(path).size > LARGEST ? undefined : readFileSync(path, 'utf8');
  } catch {
    return undefined; // the long way says what is wrong
  }
}

function keep(listing: Listing, text: string, session: Session): void {
  const place = placeOf(listing.path, session);
  if (place === undefined) return;
  const memory: Memory = { ...listing, key: keyOf(session), text, at: session.now };
  const temporary = `${place}.${process.pid}`;
  try {
    writeFileSync(temporary, JSON.stringify(memory), { mode: 0o600 });
    renameSync(temporary, place);
  } catch {
    // A full or read-only disk: the next call takes as long as this one.
  }
}

function dependsOnTextAlone(file: LoadedFile, text: string): boolean {
  const alone = file.texts.size === 1 && file.watched.every((path) => path === file.path);
  return alone && file.warnings.length === 0 && !text.includes('${');
}

/** This build, this zone data, the zone of jobs that name none. */
function keyOf(session: Session): string {
  return `${version} ${process.versions.node} ${process.versions.tz ?? ''} ${session.hostTimezone}`;
}

function placeOf(path: string, { cacheDirectory }: Session): string | undefined {
  if (cacheDirectory === undefined) return undefined;
  // FNV-1a: names a file; what is in it is compared. (node:crypto takes 5 ms to load.)
  let hash = 0x811c9dc5;
  for (let index = 0; index < path.length; index += 1)
    hash = Math.imul(hash ^ path.charCodeAt(index), 0x01000193);
  return join(cacheDirectory, `list-${(hash >>> 0).toString(16)}.json`);
}
