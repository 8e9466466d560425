/** Which job file is meant. */
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { printable } from '../observe/text.ts';
import { exit, Failure } from './exit.ts';

const usualPlaces = ['jobs.yaml', '/etc/tsched/jobs.yaml'];

/** The file named (by argument, flag or TSCHED_FILE; an empty name is none), else the first of the usual places that exists. */
export function findJobFile(named: string | undefined): string {
  const found = fileIfAny(named);
  if (found !== undefined) return found;
  throw new Failure(
    exit.noInput,
    `no job file: there is no ${usualPlaces.join(' and no ')}`,
    'name one with --file or TSCHED_FILE, or make one: tsched init',
  );
}

/** As `findJobFile`; undefined where there is none to be found. */
export function fileIfAny(named: string | undefined): string | undefined {
  return named !== undefined && named !== '' ? named : usualPlaces.find((path) => existsSync(path));
}

/** As short as it names the file from here. */
export function shownPath(path: string): string {
  const near = relative('.', path);
  return printable(near === '' || near.startsWith('..') ? path : near);
}
