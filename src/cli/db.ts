/** The database by hand: is it sound, a copy of it, less of it. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { systemClock } from '../engine/clock.ts';
import type { Duration, RunId } from '../model.ts';
import { printable, printableJson } from '../observe/text.ts';
import { USUAL_KEEP, USUAL_MAX_AGE } from '../store/history.ts';
import { DatabaseRefused, settingAside } from '../store/sqlite/open.ts';
import type { PruneRequest } from '../store/pruner.ts';
import { backUpDatabase, BackupUnsound, checkDatabase, pruneDatabase } from '../store/sqlite/upkeep.ts';
import { statePaths } from '../store/state-directory.ts';
import { exit, Failure } from './exit.ts';
import { clusterDatabase, databaseTrouble, runDirectory, withHistory } from './past.ts';
import type { Session } from './session.ts';
import { counted, sizeInWords } from './sizes.ts';
import { stateDirectory } from './state-directory.ts';

export interface DbOptions {
  readonly stateDir?: string;
  readonly json?: boolean;
}

export interface PruneOptions extends DbOptions {
  readonly keep?: number;
  readonly maxAge?: Duration;
}

/** Problems that are told; a page that is lost may break a thousand rows. */
const MOST_TOLD = 10;

/**
 * The state directory, with a database of its own.
 * @throws Failure (66) when its daemon is a node of a cluster
 */
function ownDatabase({ stateDir }: DbOptions, { environment }: Session): string {
  const state = stateDirectory(stateDir, environment);
  const database = clusterDatabase(state);
  if (database === undefined) return state;
  throw new Failure(
    exit.noInput,
    `this host's history is in PostgreSQL: ${printable(database)}`,
    "look after it with PostgreSQL's own tools, e.g. pg_dump; how much is kept: see history in the job file",
  );
}

/** Reads the whole database. Gives the exit code: 1 when it is damaged. */
export async function checkDb(options: DbOptions, session: Session): Promise<number> {
  const state = ownDatabase(options, session);
  const { database } = statePaths(state);
  const problems = problemsIn(database);
  const figures = problems.length > 0 ? undefined : await withHistory(state, (history) => history?.figures());
  const rows = figures === undefined ? {} : { runs: figures.runs, skips: figures.skips };
  if (options.json === true) {
    const shape = { path: database, sound: problems.length === 0, problems, ...rows };
    session.out(`${printableJson(shape)}\n`);
    return problems.length === 0 ? exit.ok : exit.no;
  }
  const paint = session.painter('out');
  const shown = printable(database);
  if (figures !== undefined) {
    const held = `${counted(figures.runs, 'run')}, ${counted(figures.skips, 'skip')}`;
    session.out(`${paint('green', '✔')} ${shown} is sound: ${held}\n`);
    return exit.ok;
  }
  const told = problems.slice(0, MOST_TOLD).map((problem) => `  ${printable(problem)}\n`);
  const more = problems.length > MOST_TOLD ? `  … and ${problems.length - MOST_TOLD} more\n` : '';
  session.out(
    `${paint('red', '✖')} ${shown} is damaged; nothing in it was changed\n${told.join('')}${more}${remedy(shown)}`,
  );
  return exit.no;
}

/** What the check finds, or why there is nothing to check any more. */
function problemsIn(path: string): string[] {
  try {
    return checkDatabase(path);
  } catch (error) {
    const trouble = databaseTrouble(error, path);
    const isDamaged =
      (error instanceof DatabaseRefused && error.reason === 'damaged') ||
      [11, 26].includes(((error as { errcode?: number }).errcode ?? 0) & 0xff);
    if (isDamaged && trouble instanceof Failure) return [trouble.message];
    throw trouble;
  }
}

function remedy(path: string): string {
  return `What to do: stop the daemon, then bring back a backup; or set it aside to begin with an empty history:
  ${settingAside(path)}
What can still be read can be saved with: sqlite3 ${path}.damaged .recover
`;
}

/** Copies the database, live or not, to a new file. */
export async function backUpDb(target: string, options: DbOptions, session: Session): Promise<void> {
  const { database } = statePaths(ownDatabase(options, session));
  let bytes: number;
  try {
    bytes = await backUpDatabase(database, target);
  } catch (error) {
    throw notCopied(error, { database, target });
  }
  if (options.json === true) session.out(`${printableJson({ path: resolve(target), bytes })}\n`);
  else {
    const paint = session.painter('out');
    session.out(
      `${paint('green', '✔')} wrote ${printable(target)}, ${sizeInWords(bytes)}; it was read back and is sound\n`,
    );
  }
}

function notCopied(error: unknown, { database, target }: { database: string; target: string }): unknown {
  const shown = printable(target);
  const { code, path, message } = error as NodeJS.ErrnoException;
  if (error instanceof BackupUnsound) {
    const text = `the copy was not sound (${printable(message)}) and is removed`;
    return new Failure(exit.no, text, 'look at the original: tsched db check');
  }
  if (target === '') return new Failure(exit.usage, 'the name of the file is empty');
  if (path !== target) return databaseTrouble(error, database);
  if (code === 'EEXIST') {
    const hint = 'a backup never overwrites: name another file';
    return new Failure(exit.cannotCreate, `${shown} exists and is left as it is`, hint);
  }
  const forbidden = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  return new Failure(
    forbidden ? exit.notAllowed : exit.cannotCreate,
    `cannot write ${shown}: ${printable(message)}`,
  );
}

/** Between slices, so that a daemon that writes has its turn. Milliseconds. */
const BREATH: Duration = 20;

/** Removes old history and its output. What is not asked for stays: without either bound, the usual ones hold. */
export async function pruneDb(options: PruneOptions, session: Session): Promise<void> {
  const state = ownDatabase(options, session);
  const { database } = statePaths(state);
  const before = await rowsIn(state);
  let runs = 0;
  try {
    for (const pruned of pruneDatabase(database, requestOf(options, session))) {
      runs += pruned.runs.length;
      for (const id of pruned.runs) await removeOutput(state, id);
      await new Promise<void>((resolve) => void systemClock.after(BREATH, resolve));
    }
  } catch (error) {
    throw databaseTrouble(error, database);
  }
  const after = await rowsIn(state);
  const skips = Math.max(0, before.skips - after.skips);
  if (options.json === true) {
    session.out(`${printableJson({ removed: { runs, skips }, left: after })}\n`);
    return;
  }
  const left = `${counted(after.runs, 'run')} and ${counted(after.skips, 'skip')} are left`;
  session.out(`removed ${counted(runs, 'run')}, with their output, and ${counted(skips, 'skip')}; ${left}\n`);
}

function requestOf({ keep, maxAge }: PruneOptions, { now }: Session): PruneRequest {
  const usual = keep === undefined && maxAge === undefined;
  const age = usual ? USUAL_MAX_AGE : maxAge;
  return {
    now,
    keep: keep ?? (usual ? USUAL_KEEP : Number.MAX_SAFE_INTEGER),
    ...(age === undefined ? {} : { maxAge: age }),
  };
}

async function rowsIn(state: string): Promise<{ runs: number; skips: number }> {
  const figures = await withHistory(state, (history) => history?.figures());
  return { runs: figures?.runs ?? 0, skips: figures?.skips ?? 0 };
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What cannot be removed stays for the daemon's own clean-up. An id is not trusted to be a plain name. */
async function removeOutput(state: string, id: RunId): Promise<void> {
  if (UUID.test(id))
    await rm(runDirectory(state, id), { recursive: true, force: true }).catch(() => undefined);
}
