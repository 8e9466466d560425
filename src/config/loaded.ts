/** What reading a job file is given, and what comes of it. Data alone. */
import type { Instant, JobDefinition, Notifiers, Pools, Retention } from '../model.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { Environment } from './interpolate.ts';

/** One file of a job set that is carried about: its text, and where it lies as seen from the directory of the job file. */
export interface JobDocument {
  readonly path: string;
  readonly text: string;
}

export interface LoadOptions {
  /** For `${NAME}`. */
  readonly environment: Environment;
  /** Zone of jobs for which the file names none. */
  readonly hostTimezone: string;
  readonly now: Instant;
  /** Effective user of the process; for 0 an unsafe file is an error instead of a warning. Absent: not judged. */
  readonly uid?: number;
  /** Longest file, in bytes. Default 32 MiB. */
  readonly maxFileSize?: number;
  /** Most jobs in all files. Default 250,000. */
  readonly maxJobs?: number;
  /** Most errors, and most warnings, that the result tells; the first ones. Default: all. */
  readonly maxDiagnostics?: number;
  /** What the job file holds, instead of what is at its path; nothing of it is watched. */
  readonly text?: string;
  /**
   * The job file, first, and the files it includes, in place of what is on the disk: they may be those of another machine.
   * Files of the environment and of calendars are read here all the same.
   */
  readonly documents?: readonly JobDocument[];
  /** Whether what `tests` says is held against the jobs. */
  readonly tests?: boolean;
  /** Names of the notifiers, and the pools, that another file has for these jobs; then this one may have none. */
  readonly notifiers?: readonly string[];
  readonly pools?: Pools;
  /** Ids of the jobs that another file has, which these may follow or need. */
  readonly jobs?: readonly string[];
}

export interface LoadedFile {
  /** Absolute. */
  readonly path: string;
  readonly jobs: readonly JobDefinition[];
  /** Those of all files. Hold secrets. */
  readonly notifiers: Notifiers;
  /** Those of all files. */
  readonly pools: Pools;
  readonly warnings: readonly Diagnostic[];
  /** Absolute paths of the job file and what it includes, in the order they were read. */
  readonly sources: readonly string[];
  /** Absolute paths a change of which matters: job file, includes, directories of include globs, env files. */
  readonly watched: readonly string[];
  /** What each file was when it was read, for watch.ts. */
  readonly stamps: Readonly<Record<string, string>>;
  /** Of the content of all files read. */
  readonly hash: string;
  /** The zone of jobs that name none. */
  readonly timezone: string;
  readonly history: Retention;
  /** For the code frames of the warnings. */
  readonly texts: ReadonlyMap<string, string>;
}

export type LoadResult =
  | { readonly ok: true; readonly file: LoadedFile }
  | {
      readonly ok: false;
      /** At least one; by file, in line order. */
      readonly errors: readonly Diagnostic[];
      readonly warnings: readonly Diagnostic[];
      /** Of those that could be read. */
      readonly sources: readonly string[];
      readonly watched: readonly string[];
      readonly stamps: Readonly<Record<string, string>>;
      readonly texts: ReadonlyMap<string, string>;
      /** Some file could not be read at all: `sources` are not the whole set. */
      readonly incomplete: boolean;
      /** There is no such job file at all. */
      readonly missing: boolean;
    };
